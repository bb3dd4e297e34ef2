//! The feature list as rows: added, moved and taken out by buttons or keys.

use hangtag_web::feature_list::FeatureList;
use hangtag_web::words::Said;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::feature_row::FeatureRowEditor;
use super::feature_state::FeatureState;
use super::speech::say;
use super::state::State;

/// What can be done with the rows, for buttons and keys alike.
#[derive(Clone, Copy)]
pub struct RowActions {
    features: FeatureState,
    input_error: RwSignal<Option<hangtag_web::ask::AskError>>,
    said: RwSignal<Option<Said>>,
}

impl RowActions {
    /// Changes the list; what was wrong with it may be so no longer.
    pub fn change<T>(&self, change: impl FnOnce(&mut FeatureList) -> T) -> T {
        self.input_error.set(None);
        self.features.change(change)
    }

    /// Adds a row behind another, or at the end, and puts the cursor there.
    pub fn add(&self, behind: Option<u32>) {
        focus_name(self.change(|list| list.add(behind)));
    }

    /// Takes a row out, says so, and puts the cursor where it was.
    pub fn remove(&self, id: u32) {
        let name = self.name(id);
        match self.change(|list| list.remove(id)) {
            Some(next) => focus_name(next),
            None => focus("feature-add"),
        }
        self.said.set(Some(Said::new(move |words| {
            let words = &words.features;
            words.removed(words.named(&name))
        })));
    }

    /// Moves a row by one place and says where it is. The element that has the cursor keeps it, or `at_end` gets it, which
    /// is there when the row can go no further.
    pub fn shift(&self, id: u32, is_up: bool, at_end: Option<String>) {
        let focused = document().active_element().map(|element| element.id()).unwrap_or_default();
        let Some(place) = self.change(|list| list.shift(id, is_up)) else { return };
        let count = self.features.list.with_untracked(|list| list.rows().len());
        let is_at_end = if is_up { place == 0 } else { place + 1 == count };
        focus(&at_end.filter(|_| is_at_end).unwrap_or(focused));
        let name = self.name(id);
        self.said.set(Some(Said::new(move |words| {
            let words = &words.features;
            words.moved(words.named(&name), place + 1, count)
        })));
    }

    /// What the keys do in a row: Alt with an arrow moves it.
    pub fn move_by_key(&self, id: u32, event: &KeyboardEvent) {
        let is_select = event
            .target()
            .is_some_and(|target| target.dyn_ref::<web_sys::Element>().is_some_and(is_select));
        let is_up = match event.key().as_str() {
            "ArrowUp" => true,
            "ArrowDown" => false,
            _ => return,
        };
        // In a select the same keys unfold it.
        if event.alt_key() && !event.ctrl_key() && !event.meta_key() && !is_select {
            event.prevent_default();
            self.shift(id, is_up, None);
        }
    }

    fn name(&self, id: u32) -> String {
        self.features.list.with_untracked(|list| {
            list.row(id).map(|row| row.name.trim().to_owned()).unwrap_or_default()
        })
    }
}

/// The rows, and the button that adds one.
#[component]
pub fn FeatureRows() -> impl IntoView {
    let state = expect_context::<State>();
    let said = RwSignal::new(None::<Said>);
    let actions = RowActions { features: state.features, input_error: state.input_error, said };
    let list = state.features.list;
    let ids = move || list.with(|list| list.rows().iter().map(|row| row.id).collect::<Vec<_>>());
    let faults = Memo::new(move |_| list.with(FeatureList::faults));
    view! {
        <ol class="feature-rows" id="features" tabindex="-1" role="list" aria-labelledby="features-title">
            <For each=ids key=|id| *id let(id)>
                <FeatureRowEditor id actions faults />
            </For>
        </ol>
        <div class="chips">
            <button
                type="button"
                class="small"
                id="feature-add"
                data-testid="feature-add"
                on:click=move |_| actions.add(None)
            >
                {say(|words| words.features.add)}
            </button>
            <span class="hint keys-hint" id="features-keys">{say(|words| words.features.keys)}</span>
        </div>
        <p class="visually-hidden" role="status" data-testid="features-said">
            {move || said.get().map(|said| said.with(state.speech.get()))}
        </p>
    }
}

/// Puts the cursor on the name of a row, once it is in the document.
pub fn focus_name(id: u32) {
    focus(&format!("feature-{id}"));
}

fn focus(id: &str) {
    let id = id.to_owned();
    request_animation_frame(move || {
        if let Some(element) = document().get_element_by_id(&id) {
            let _ = element.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}

fn is_select(element: &web_sys::Element) -> bool {
    element.tag_name() == "SELECT"
}
