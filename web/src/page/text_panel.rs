//! The product text.

use hangtag_web::ask::Field;
use hangtag_web::units::plural;
use leptos::prelude::*;

use super::samples::SAMPLES;
use super::state::State;

/// Field for the product text, with texts to try.
#[component]
pub fn TextPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let count =
        move || plural(state.text.with(|text| text.chars().count()), "character", "characters");
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
                {sample.label}
            </button>
        }
    });
    view! {
        <section class="field">
            <div class="field-head">
                <label for="text">"Product text"</label>
                <span class="count" data-testid="text-count">{count}</span>
            </div>
            <textarea
                id="text"
                data-testid="text"
                dir="auto"
                rows="8"
                spellcheck="false"
                autocomplete="off"
                placeholder="Paste a title, a description or a whole product page."
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
                <span class="hint">"Try"</span>
                {samples.collect_view()}
                <button
                    type="button"
                    class="quiet"
                    data-testid="text-clear"
                    disabled=move || state.text.with(String::is_empty)
                    on:click=move |_| state.text.set(String::new())
                >
                    "Clear"
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
            view! { <p class="field-error" data-testid=id>{error.message}</p> }
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
