//! The features to look for.

use hangtag_web::ask::{Field, count_features};
use leptos::prelude::*;

use super::feature_rows::FeatureRows;
use super::own_templates::OwnTemplates;
use super::speech::{Pick, say};
use super::state::State;
use super::suggestion::Suggestion;
use super::template_choice::{SaveTemplate, TemplateChoice};
use super::text_panel::{FieldError, invalid};

/// Names whose kinds are told beside the plain field.
const NAMES_TOLD: usize = 4;

/// The feature list, as a field or as rows, with templates.
#[component]
pub fn FeaturePanel() -> impl IntoView {
    let state = expect_context::<State>();
    let features = state.features;
    let count = move || {
        state.speech.get().ask.feature_count(features.text.with(|list| count_features(list)))
    };
    let title = say(|words| words.ask.features);
    let title = move || match features.as_rows.get() {
        true => view! { <h2 class="field-title" id="features-title">{title}</h2> }.into_any(),
        false => view! { <label for="features">{title}</label> }.into_any(),
    };
    let editor = move || match features.as_rows.get() {
        true => view! { <FeatureRows /> }.into_any(),
        false => view! { <FeatureField /> }.into_any(),
    };
    view! {
        <section class="field">
            <div class="field-head">
                {title}
                <span class="count" data-testid="features-count">{count}</span>
                <ListOrRows />
            </div>
            {editor}
            <FieldError field=Field::Features id="features-error" />
            <div class="chips">
                <TemplateChoice />
                <SaveTemplate />
            </div>
            <Suggestion />
            <OwnTemplates />
        </section>
    }
}

/// The plain field, and which of its features have a kind.
#[component]
fn FeatureField() -> impl IntoView {
    let state = expect_context::<State>();
    let features = state.features;
    let with_kinds = move || {
        let words = &state.speech.get().features;
        let told = features.list.with(|list| words.with_kinds(&list.names_with_kind(), NAMES_TOLD));
        told.map(|told| format!(" · {told}"))
    };
    view! {
        <textarea
            id="features"
            data-testid="features"
            dir="auto"
            rows="3"
            spellcheck="false"
            autocomplete="off"
            placeholder="Brand, Color, Material"
            aria-describedby="features-hint features-error"
            aria-invalid=move || invalid(state, Field::Features)
            prop:value=features.text
            on:input=move |event| {
                state.input_error.set(None);
                features.write(event_target_value(&event));
            }
        ></textarea>
        <p class="hint" id="features-hint">
            {say(|words| words.ask.features_hint)}
            {with_kinds}
        </p>
    }
}

/// The plain field is quick, the rows have kinds.
#[component]
fn ListOrRows() -> impl IntoView {
    let as_rows = expect_context::<State>().features.as_rows;
    let button = move |rows: bool, test_id: &'static str, words: Pick| {
        view! {
            <button
                type="button"
                data-testid=test_id
                aria-pressed=move || if as_rows.get() == rows { "true" } else { "false" }
                on:click=move |_| as_rows.set(rows)
            >
                {say(words)}
            </button>
        }
    };
    view! {
        <div class="switch narrow" role="group" aria-label=say(|words| words.features.how_written)>
            {button(false, "features-as-text", |words| words.features.as_text)}
            {button(true, "features-as-rows", |words| words.features.as_rows)}
        </div>
    }
}
