//! The order of the person's own templates, in which they are offered.

use hangtag_web::words::{Features, Said};
use leptos::html::Button;
use leptos::prelude::*;

use super::speech::say;
use super::state::State;

/// Buttons that move a template by one place.
#[component]
pub fn MoveButtons(name: String, said: RwSignal<Option<Said>>) -> impl IntoView {
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
                let (name, count) = (moved.clone(), untrack(count));
                said.set(Some(Said::new(move |words| {
                    words.features.moved(&name, place + 1, count)
                })));
            }
            Ok(None) => return,
            Err(error) => said.set(Some(Said::new(move |words| words.template_error(&error)))),
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
    let label = |pick: fn(&Features, &str) -> String| {
        let name = name.clone();
        move || pick(&state.speech.get().features, &name)
    };
    let (shift_up, shift_down) = (shift.clone(), shift);
    view! {
        <button
            type="button"
            class="icon"
            node_ref=up
            data-testid="template-up"
            aria-label=label(Features::move_up)
            title=say(|words| words.templates.move_up)
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
            aria-label=label(Features::move_down)
            title=say(|words| words.templates.move_down)
            disabled=move || place.get() + 1 == count()
            on:click=move |_| shift_down(false)
        >
            "↓"
        </button>
    }
}
