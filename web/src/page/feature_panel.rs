//! The features to look for.

use hangtag_web::ask::{Field, count_features};
use leptos::prelude::*;

use super::own_templates::OwnTemplates;
use super::speech::say;
use super::state::State;
use super::template_choice::{SaveTemplate, TemplateChoice};
use super::text_panel::{FieldError, invalid};

/// Field for the feature list, with ready templates.
#[component]
pub fn FeaturePanel() -> impl IntoView {
    let state = expect_context::<State>();
    let count =
        move || state.speech.get().ask.feature_count(state.list.with(|list| count_features(list)));
    view! {
        <section class="field">
            <div class="field-head">
                <label for="features">{say(|words| words.ask.features)}</label>
                <span class="count" data-testid="features-count">{count}</span>
            </div>
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
                prop:value=state.list
                on:input=move |event| {
                    state.input_error.set(None);
                    state.list.set(event_target_value(&event));
                }
            ></textarea>
            <FieldError field=Field::Features id="features-error" />
            <div class="chips">
                <TemplateChoice />
                <SaveTemplate />
                <span class="hint" id="features-hint">{say(|words| words.ask.features_hint)}</span>
            </div>
            <OwnTemplates />
        </section>
    }
}
