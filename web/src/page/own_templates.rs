//! The person's own templates: renamed, copied, moved, deleted, exchanged as files.

use hangtag_web::templates::{Chosen, TemplateError, to_json};
use hangtag_web::words::Said;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::results_actions::save;
use super::speech::say;
use super::state::State;
use super::template_order::MoveButtons;

/// The list of them, folded away.
#[component]
pub fn OwnTemplates() -> impl IntoView {
    let state = expect_context::<State>();
    let said = RwSignal::new(None::<Said>);
    let names = move || {
        let own = state.own_templates.get();
        own.all().iter().map(|template| template.name.clone()).collect::<Vec<_>>()
    };
    let is_empty = move || state.own_templates.with(|own| own.all().is_empty());
    let export = move |_| {
        let json = state.own_templates.with_untracked(|own| to_json(own.all()));
        said.set(Some(save("templates.json", "application/json", &json)));
    };
    view! {
        <details class="own-templates" data-testid="own-templates">
            <summary>{say(|words| words.templates.own_title)}</summary>
            <ul>
                <For each=names key=|name| name.clone() let(name)>
                    <Entry name said />
                </For>
            </ul>
            <div class="chips">
                <Import said />
                <button type="button" class="small" data-testid="templates-export" disabled=is_empty on:click=export>
                    {say(|words| words.templates.export_all)}
                </button>
                <span class="hint" role="status" data-testid="templates-said">
                    {move || said.get().map(|said| said.with(state.speech.get()))}
                </span>
            </div>
        </details>
    }
}

#[component]
fn Import(said: RwSignal<Option<Said>>) -> impl IntoView {
    let state = expect_context::<State>();
    let import = move |event: leptos::ev::Event| {
        let input =
            event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
        // The same file may be chosen again once it is mended.
        input.set_value("");
        spawn_local(async move {
            let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
            let imported = state.change_templates(|own| own.import(&text.unwrap_or_default()));
            let name = file.name();
            said.set(Some(match imported {
                Ok(names) => Said::new(move |words| words.templates.imported(names.len())),
                Err(error) => Said::new(move |words| {
                    words.problems.in_file(&name, &words.template_error(&error))
                }),
            }));
        });
    };
    view! {
        <label class="small file-button">
            <input
                type="file"
                class="visually-hidden"
                data-testid="templates-import"
                accept=".json,application/json"
                on:change=import
            />
            {say(|words| words.templates.import)}
        </label>
    }
}

/// One template with its buttons.
#[component]
fn Entry(name: String, said: RwSignal<Option<Said>>) -> impl IntoView {
    let state = expect_context::<State>();
    let is_renaming = RwSignal::new(false);
    let is_asking = RwSignal::new(false);
    let count = {
        let name = name.clone();
        move || {
            let features =
                state.own_templates.with(|own| own.get(&name).map_or(0, |own| own.features.len()));
            state.speech.get().ask.feature_count(features)
        }
    };
    let with_name = |act: fn(State, &str, RwSignal<Option<Said>>)| {
        let name = name.clone();
        move |_| act(state, &name, said)
    };
    let (choose, copy, export) = (with_name(choose), with_name(copy), with_name(export));
    let delete = with_name(delete);
    let press_delete = move |event| {
        let is_sure = is_asking.get_untracked();
        is_asking.set(!is_sure);
        if is_sure {
            delete(event);
        }
    };
    let shown = name.clone();
    let row = move || match is_renaming.get() {
        true => view! { <Rename name=shown.clone() is_renaming said /> }.into_any(),
        false => view! { <span class="template-name" dir="auto">{shown.clone()}</span> }.into_any(),
    };
    view! {
        <li data-testid="own-template" data-name=name.clone()>
            {row}
            <span class="count">{count}</span>
            <span class="chips">
                <button type="button" class="quiet" data-testid="template-use" on:click=choose>{say(|words| words.templates.choose)}</button>
                <button type="button" class="quiet" data-testid="template-rename" on:click=move |_| is_renaming.set(true)>
                    {say(|words| words.templates.rename)}
                </button>
                <button type="button" class="quiet" data-testid="template-copy" on:click=copy>{say(|words| words.templates.duplicate)}</button>
                <button type="button" class="quiet" data-testid="template-export" on:click=export>{say(|words| words.templates.export)}</button>
                <MoveButtons name=name.clone() said />
                <button
                    type="button"
                    class="quiet"
                    class:danger=is_asking
                    data-testid="template-delete"
                    on:blur=move |_| is_asking.set(false)
                    on:click=press_delete
                >
                    {move || {
                        let words = &state.speech.get().templates;
                        if is_asking.get() { words.delete_for_good } else { words.delete }
                    }}
                </button>
            </span>
        </li>
    }
}

fn choose(state: State, name: &str, _: RwSignal<Option<Said>>) {
    state.choose_template(Some(Chosen::Own(name.to_owned())));
}

fn failed(error: TemplateError) -> Said {
    Said::new(move |words| words.template_error(&error))
}

fn copy(state: State, name: &str, said: RwSignal<Option<Said>>) {
    let wish = state.speech.now().templates.copy_of(name);
    let copied =
        state.change_templates(|own| own.duplicate(name, &wish).ok_or(TemplateError::Gone));
    said.set(Some(match copied {
        Ok(copy) => Said::new(move |words| words.templates.added(&copy)),
        Err(error) => failed(error),
    }));
}

fn export(state: State, name: &str, said: RwSignal<Option<Said>>) {
    let json = state
        .own_templates
        .with_untracked(|own| own.get(name).map(|own| to_json(std::slice::from_ref(own))));
    if let Some(json) = json {
        said.set(Some(save(&format!("{name}.json"), "application/json", &json)));
    }
}

fn delete(state: State, name: &str, said: RwSignal<Option<Said>>) {
    if state.template.get_untracked() == Some(Chosen::Own(name.to_owned())) {
        state.template.set(None);
    }
    let deleted = state.change_templates(|own| {
        own.delete(name);
        Ok(())
    });
    let name = name.to_owned();
    said.set(Some(match deleted {
        Ok(()) => Said::new(move |words| words.templates.deleted(&name)),
        Err(error) => failed(error),
    }));
}

#[component]
fn Rename(
    name: String,
    is_renaming: RwSignal<bool>,
    said: RwSignal<Option<Said>>,
) -> impl IntoView {
    let state = expect_context::<State>();
    let field = NodeRef::<Input>::new();
    field.on_load(|field| {
        request_animation_frame(move || {
            let _ = field.focus();
            field.select();
        });
    });
    let old = name.clone();
    let rename = move |event: SubmitEvent| {
        event.prevent_default();
        let new = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        let was_chosen = state.template.get_untracked() == Some(Chosen::Own(old.clone()));
        match state.change_templates(|own| own.rename(&old, &new)) {
            Ok(new) => {
                if was_chosen {
                    state.template.set(Some(Chosen::Own(new)));
                }
                said.set(None);
                is_renaming.set(false);
            }
            Err(error) => said.set(Some(failed(error))),
        }
    };
    view! {
        <form class="name-form" on:submit=rename>
            <input
                type="text"
                node_ref=field
                data-testid="template-new-name"
                aria-label=say(|words| words.templates.new_name)
                maxlength="60"
                value=name
                on:keydown=move |event| if event.key() == "Escape" { is_renaming.set(false) }
            />
            <button type="submit" class="small" data-testid="template-rename-save">{say(|words| words.templates.save)}</button>
        </form>
    }
}
