//! Choosing a template, and saving the feature list as one.

use hangtag_task::presets;
use hangtag_web::ask::Field;
use hangtag_web::templates::Chosen;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::client::focus_first_invalid;
use super::state::State;

/// The templates, own ones first.
#[component]
pub fn TemplateChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let option = move |chosen: Chosen, name: &str| {
        let value = chosen.to_value();
        let is_chosen = move || state.template.get().as_ref() == Some(&chosen);
        view! { <option value=value prop:selected=is_chosen>{name.to_owned()}</option> }
    };
    let own = move || {
        let own = state.own_templates.get();
        let options = own
            .all()
            .iter()
            .map(|template| option(Chosen::Own(template.name.clone()), &template.name));
        let options = options.collect_view();
        (!own.all().is_empty()).then(|| view! { <optgroup label="Your own">{options}</optgroup> })
    };
    let ready = presets()
        .iter()
        .enumerate()
        .map(|(index, template)| option(Chosen::Ready(index), &template.name));
    view! {
        <label class="hint" for="template">"Template"</label>
        <select
            id="template"
            data-testid="template"
            on:change=move |event| state.choose_template(Chosen::from_value(&event_target_value(&event)))
        >
            <option value="" prop:selected=move || state.template.with(Option::is_none)>"None"</option>
            {own}
            <optgroup label="Ready">{ready.collect_view()}</optgroup>
        </select>
    }
}

/// Saves the list in the field under a name.
#[component]
pub fn SaveTemplate() -> impl IntoView {
    let state = expect_context::<State>();
    let is_naming = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let field = NodeRef::<Input>::new();
    field.on_load(|field| {
        request_animation_frame(move || drop(field.focus()));
    });
    let start = move |_| {
        let asked = state.features.asked();
        state.input_error.set(asked.as_ref().err().cloned());
        match asked {
            Ok(_) => is_naming.set(true),
            Err(_) => focus_first_invalid(),
        }
    };
    let save = move |event: SubmitEvent| {
        event.prevent_default();
        let name = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        let category = state.template_category();
        let saved = state.features.asked().map_err(|error| error.message).and_then(|features| {
            state.change_templates(|own| own.save(&name, &category, features))
        });
        match saved {
            Ok(name) => {
                problem.set(None);
                is_naming.set(false);
                state.template.set(Some(Chosen::Own(name)));
            }
            Err(message) => problem.set(Some(message)),
        }
    };
    // A list that was saved before is saved under its name again.
    let name = move || match state.template.get_untracked() {
        Some(Chosen::Own(name)) => name,
        _ => String::new(),
    };
    let has_error = move || {
        state
            .input_error
            .with(|error| error.as_ref().is_some_and(|error| error.field == Field::Features))
    };
    view! {
        <Show
            when=move || is_naming.get()
            fallback=move || view! {
                <button type="button" class="quiet" data-testid="template-save" disabled=has_error on:click=start>
                    "Save as template"
                </button>
            }
        >
            <form class="name-form" on:submit=save>
                <input
                    type="text"
                    node_ref=field
                    data-testid="template-name"
                    aria-label="Name of the template"
                    placeholder="Name"
                    maxlength="60"
                    value=name
                    on:keydown=move |event| if event.key() == "Escape" { is_naming.set(false) }
                />
                <button type="submit" class="small" data-testid="template-save-name">"Save"</button>
                <button type="button" class="quiet" on:click=move |_| is_naming.set(false)>"Cancel"</button>
            </form>
        </Show>
        {move || problem.get().map(|problem| view! { <p class="field-error" role="alert">{problem}</p> })}
    }
}
