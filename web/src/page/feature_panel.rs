//! The features to look for.

use hangtag_task::presets;
use hangtag_web::ask::{Field, count_features};
use hangtag_web::units::plural;
use leptos::prelude::*;

use super::state::State;
use super::text_panel::{FieldError, invalid};

/// Field for the feature list, with ready templates.
#[component]
pub fn FeaturePanel() -> impl IntoView {
    let state = expect_context::<State>();
    let count = move || plural(state.list.with(|list| count_features(list)), "feature", "features");
    let choose = move |event| {
        let chosen = event_target_value(&event).parse::<usize>().ok();
        state.template.set(chosen);
        if let Some(template) = chosen.and_then(|index| presets().get(index)) {
            let names: Vec<&str> =
                template.features.iter().map(|feature| feature.name.as_str()).collect();
            state.input_error.set(None);
            state.list.set(names.join(", "));
        }
    };
    let options = presets().iter().enumerate().map(|(index, template)| {
        view! { <option value=index.to_string()>{template.name.clone()}</option> }
    });
    view! {
        <section class="field">
            <div class="field-head">
                <label for="features">"Features"</label>
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
                <label class="hint" for="template">"Template"</label>
                <select
                    id="template"
                    data-testid="template"
                    prop:value=move || state.template.get().map_or(String::new(), |index| index.to_string())
                    on:change=choose
                >
                    <option value="">"Own list"</option>
                    {options.collect_view()}
                </select>
                <span class="hint" id="features-hint">"Separate with commas or lines"</span>
            </div>
        </section>
    }
}
