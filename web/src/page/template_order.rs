//! The order of the person's own templates, in which they are offered.

use leptos::html::Button;
use leptos::prelude::*;

use super::state::State;

/// Buttons that move a template by one place.
#[component]
pub fn MoveButtons(name: String, said: RwSignal<String>) -> impl IntoView {
    let state = expect_context::<State>();
    let (up, down) = (NodeRef::<Button>::new(), NodeRef::<Button>::new());
    let count = move || state.own_templates.with(|own| own.all().len());
    let place = {
        let name = name.clone();
        Memo::new(move |_| {
            let is_it = |own: &hangtag_task::Template| own.name == name;
            state.own_templates.with(|own| own.all().iter().position(is_it)).unwrap_or(0)
        })
    };
    let moved = name.clone();
    let shift = move |is_up: bool| {
        let shifted = state.change_templates(|own| Ok(own.shift(&moved, is_up)));
        match shifted {
            Ok(Some(place)) => {
                said.set(format!("{moved} is now {} of {}", place + 1, untrack(count)))
            }
            Ok(None) => return,
            Err(problem) => said.set(problem),
        }
        // A moved element loses the cursor, and at an end its button can do no more.
        request_animation_frame(move || {
            let (first, second) = if is_up { (up, down) } else { (down, up) };
            let buttons = [first.get_untracked(), second.get_untracked()];
            if let Some(button) = buttons.into_iter().flatten().find(|button| !button.disabled()) {
                let _ = button.focus();
            }
        });
    };
    let (shift_up, shift_down) = (shift.clone(), shift);
    view! {
        <button
            type="button"
            class="icon"
            node_ref=up
            data-testid="template-up"
            aria-label=format!("Move {name} up")
            title="Move up"
            disabled=move || place.get() == 0
            on:click=move |_| shift_up(true)
        >
            "↑"
        </button>
        <button
            type="button"
            class="icon"
            node_ref=down
            data-testid="template-down"
            aria-label=format!("Move {name} down")
            title="Move down"
            disabled=move || place.get() + 1 == count()
            on:click=move |_| shift_down(false)
        >
            "↓"
        </button>
    }
}
