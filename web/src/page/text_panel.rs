//! The product text.

use hangtag_web::ask::Field;
use leptos::prelude::*;

use super::samples::SAMPLES;
use super::speech::say;
use super::state::State;

/// Field for the product text, with texts to try.
#[component]
pub fn TextPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let count =
        move || state.speech.get().ask.characters(state.text.with(|text| text.chars().count()));
    let samples = SAMPLES.iter().enumerate().map(|(index, sample)| {
        let use_sample = move |_| {
            state.input_error.set(None);
            state.template.set(None);
            state.text.set(sample.text.to_owned());
            state.features.begin(sample.features);
        };
        let test_id = format!("sample-{index}");
        view! {
            <button type="button" class="chip" data-testid=test_id on:click=use_sample>
                {say(sample.label)}
            </button>
        }
    });
    view! {
        <section class="field">
            <div class="field-head">
                <label for="text">{say(|words| words.ask.text)}</label>
                <span class="count" data-testid="text-count">{count}</span>
            </div>
            <textarea
                id="text"
                data-testid="text"
                dir="auto"
                rows="8"
                spellcheck="false"
                autocomplete="off"
                placeholder=say(|words| words.ask.text_placeholder)
                aria-describedby="text-error"
                aria-invalid=move || invalid(state, Field::Text)
                prop:value=state.text
                on:input=move |event| {
                    state.input_error.set(None);
                    state.text.set(event_target_value(&event));
                }
            ></textarea>
            <FieldError field=Field::Text id="text-error" />
            <div class="chips">
                <span class="hint">{say(|words| words.ask.try_one)}</span>
                {samples.collect_view()}
                <button
                    type="button"
                    class="quiet"
                    data-testid="text-clear"
                    disabled=move || state.text.with(String::is_empty)
                    on:click=move |_| state.text.set(String::new())
                >
                    {say(|words| words.ask.clear)}
                </button>
            </div>
        </section>
    }
}

/// What is wrong with a field, read out when it appears.
#[component]
pub fn FieldError(field: Field, id: &'static str) -> impl IntoView {
    let state = expect_context::<State>();
    let message = move || {
        state.input_error.get().filter(|error| error.field == field).map(|error| {
            let words = move || state.speech.get().ask_error(&error);
            view! { <p class="field-error" data-testid=id>{words}</p> }
        })
    };
    view! { <div id=id role="alert">{message}</div> }
}

/// Value of `aria-invalid` for a field.
pub fn invalid(state: State, field: Field) -> &'static str {
    let wrong =
        state.input_error.with(|error| error.as_ref().is_some_and(|error| error.field == field));
    if wrong { "true" } else { "false" }
}
