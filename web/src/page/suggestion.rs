//! A quiet word that a ready template seems to suit the text. The list changes only when its button is pressed.

use hangtag_task::presets;
use hangtag_web::guess::guess;
use hangtag_web::templates::Chosen;
use hangtag_web::words::ready_name;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::state::{State, View};

/// The word and the button; nothing where the text is unclear, or the template or one of the person's own is chosen.
#[component]
pub fn Suggestion() -> impl IntoView {
    let state = expect_context::<State>();
    let guess = Memo::new(move |_| match state.view.get() {
        View::Text => state.text.with(|text| guess(text)),
        View::List => None,
    });
    let suggested = move || {
        let guess = guess.get()?;
        let is_settled = state.template.with(|chosen| match chosen {
            Some(Chosen::Ready(preset)) => *preset == guess.preset,
            Some(Chosen::Own(_)) => true,
            None => false,
        });
        (!is_settled).then_some(guess)
    };
    let word = move || {
        let template = presets().get(suggested()?.preset)?;
        Some(state.speech.get().looks_like(template))
    };
    let rest = move || {
        let guess = suggested()?;
        let template = presets().get(guess.preset)?;
        let label = move || {
            let words = state.speech.get();
            words.templates.use_template(ready_name(words.language, template))
        };
        let choose = move |_| {
            state.choose_template(Some(Chosen::Ready(guess.preset)));
            focus_features();
        };
        Some(view! {
            <span>{format!(": {}", guess.reasons.join(", "))}</span>
            <button type="button" class="quiet" data-testid="suggestion-use" on:click=choose>
                {label}
            </button>
        })
    };
    // Told once: the words that it is told by change while a person types.
    view! {
        <p class="hint suggestion" data-testid="suggestion">
            <span role="status">{word}</span>
            {rest}
        </p>
    }
}

/// The button is gone once it is pressed.
fn focus_features() {
    request_animation_frame(|| {
        if let Some(features) = document().get_element_by_id("features") {
            let _ = features.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}
