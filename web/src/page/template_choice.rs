//! Choosing a template, and saving the feature list as one.

use hangtag_task::{Template, presets};
use hangtag_web::ask::Field;
use hangtag_web::templates::{Chosen, TemplateError};
use hangtag_web::words::ready_name;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::client::focus_first_invalid;
use super::speech::say;
use super::state::State;

/// The templates, own ones first.
#[component]
pub fn TemplateChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let option = move |chosen: Chosen, template: &Template| {
        let value = chosen.to_value();
        let is_ready = matches!(chosen, Chosen::Ready(_));
        let is_chosen = move || state.template.get().as_ref() == Some(&chosen);
        let template = template.clone();
        let name = move || match is_ready {
            true => ready_name(state.speech.get().language, &template).to_owned(),
            false => template.name.clone(),
        };
        view! { <option value=value prop:selected=is_chosen>{name}</option> }
    };
    let own = move || {
        let own = state.own_templates.get();
        let options =
            own.all().iter().map(|template| option(Chosen::Own(template.name.clone()), template));
        let options = options.collect_view();
        (!own.all().is_empty()).then(
            || view! { <optgroup label=say(|words| words.templates.own)>{options}</optgroup> },
        )
    };
    let ready = presets()
        .iter()
        .enumerate()
        .map(|(index, template)| option(Chosen::Ready(index), template));
    view! {
        <label class="hint" for="template">{say(|words| words.templates.template)}</label>
        <select
            id="template"
            data-testid="template"
            on:change=move |event| state.choose_template(Chosen::from_value(&event_target_value(&event)))
        >
            <option value="" prop:selected=move || state.template.with(Option::is_none)>{say(|words| words.templates.none)}</option>
            {own}
            <optgroup label=say(|words| words.templates.ready)>{ready.collect_view()}</optgroup>
        </select>
    }
}

/// Saves the list in the field under a name.
#[component]
pub fn SaveTemplate() -> impl IntoView {
    let state = expect_context::<State>();
    let is_naming = RwSignal::new(false);
    let problem = RwSignal::new(None::<TemplateError>);
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
        let saved = state.features.asked().map_err(TemplateError::Asked).and_then(|features| {
            state.change_templates(|own| own.save(&name, &category, features))
        });
        match saved {
            Ok(name) => {
                problem.set(None);
                is_naming.set(false);
                state.template.set(Some(Chosen::Own(name)));
            }
            Err(error) => problem.set(Some(error)),
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
                    {say(|words| words.templates.save_as)}
                </button>
            }
        >
            <form class="name-form" on:submit=save>
                <input
                    type="text"
                    node_ref=field
                    data-testid="template-name"
                    aria-label=say(|words| words.templates.name_of)
                    placeholder=say(|words| words.templates.name)
                    maxlength="60"
                    value=name
                    on:keydown=move |event| if event.key() == "Escape" { is_naming.set(false) }
                />
                <button type="submit" class="small" data-testid="template-save-name">{say(|words| words.templates.save)}</button>
                <button type="button" class="quiet" on:click=move |_| is_naming.set(false)>{say(|words| words.templates.cancel)}</button>
            </form>
        </Show>
        {move || problem.get().map(|problem| {
            let words = move || state.speech.get().template_error(&problem);
            view! { <p class="field-error" role="alert">{words}</p> }
        })}
    }
}
