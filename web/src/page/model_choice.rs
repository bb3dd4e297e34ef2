//! The choice of a model: a file, a folder, a path on this site, or one that is kept in this browser.

use hangtag_web::ask::sentence;
use hangtag_web::protocol::{KeptModel, Place, Shelf};
use hangtag_web::units::bytes;
use leptos::ev::{DragEvent, Event, SubmitEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{File, FileList, HtmlInputElement};

use super::bundle::is_bundle;
use super::choice_client::default_place;
use super::choice_state::Chosen;
use super::client::Client;
use super::state::State;

/// The choice, folded away where there is a model already.
#[component]
pub fn ModelChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let choice = state.choice;
    let has_none = Memo::new(move |_| state.package.with(Option::is_none));
    let title = move || if has_none.get() { "Choose a model" } else { "Use another model" };
    let problem = move || {
        choice.problem.get().map(|words| {
            view! { <p class="field-error" data-testid="model-problem">{sentence(&words)}</p> }
        })
    };
    view! {
        <div role="alert">{problem}</div>
        <details class="model-choice" data-testid="model-choice" open=move || has_none.get()>
            <summary>{title}</summary>
            <DropModel />
            {(!is_bundle()).then(|| view! { <OnSite /> })}
            {move || choice.shelf.get().map(|shelf| view! { <KeptModels shelf /> })}
        </details>
    }
}

#[component]
fn DropModel() -> impl IntoView {
    let choice = expect_context::<State>().choice;
    let client = expect_context::<Client>();
    let is_over = RwSignal::new(false);
    let over = move |event: DragEvent| {
        event.prevent_default();
        is_over.set(true);
    };
    let drop = move |event: DragEvent| {
        event.prevent_default();
        is_over.set(false);
        client.choose_files(all(event.data_transfer().and_then(|data| data.files())));
    };
    let chosen = move |event: Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let Some(input) = input else { return };
        client.choose_files(all(input.files()));
        // Else the same file could not be chosen again after it was changed.
        input.set_value("");
    };
    let title = move || match choice.is_opening.get() {
        true => "Looking into it …",
        false => "Drop a GGUF file, or choose one",
    };
    view! {
        <label
            class="drop"
            class:over=is_over
            data-testid="model-drop"
            on:dragover=over
            on:dragleave=move |_| is_over.set(false)
            on:drop=drop
        >
            <input
                type="file"
                multiple
                class="visually-hidden"
                data-testid="model-file"
                accept=".gguf,.json"
                on:change=chosen
            />
            <span class="drop-title">{title}</span>
            <span class="hint">"A model of the llama or phi-2 family; all parts of one in several. It stays on this device."</span>
        </label>
        <label class="pick-folder">
            <input
                type="file"
                prop:webkitdirectory=true
                class="visually-hidden"
                data-testid="model-folder"
                on:change=chosen
            />
            <span>"Choose the folder of a package"</span>
        </label>
    }
}

fn all(files: Option<FileList>) -> Vec<File> {
    let Some(files) = files else { return Vec::new() };
    (0..files.length()).filter_map(|index| files.get(index)).collect()
}

/// A package of the page's own site, by its path.
#[component]
fn OnSite() -> impl IntoView {
    let client = expect_context::<Client>();
    let path = RwSignal::new(String::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        client.choose_path(path.get_untracked().trim());
    };
    view! {
        <form class="on-site" on:submit=submit>
            <label for="model-path">"Or the path of a package on this site"</label>
            <div class="chips">
                <input
                    type="text"
                    id="model-path"
                    data-testid="model-path"
                    placeholder="models/my-model"
                    spellcheck="false"
                    autocomplete="off"
                    prop:value=path
                    on:input=move |event| path.set(event_target_value(&event))
                />
                <button type="submit" class="small" data-testid="model-open">"Open"</button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="model-default"
                    on:click=move |_| client.choose(Chosen::at(default_place()))
                >
                    "The site's own"
                </button>
            </div>
            <p class="hint">
                "Other sites are refused: this page may talk to its own only, which is what keeps your texts here."
            </p>
        </form>
    }
}

/// What is kept in this browser, and how much room that takes.
#[component]
fn KeptModels(shelf: Shelf) -> impl IntoView {
    let room = match (&shelf.refused, shelf.used_bytes, shelf.quota_bytes) {
        (Some(reason), ..) => {
            format!(
                "This browser keeps nothing for this page, so a model is chosen at every visit ({reason})."
            )
        }
        (None, Some(used), Some(quota)) => {
            format!("This browser keeps {} for this page, and up to {}.", bytes(used), bytes(quota))
        }
        _ => "This browser does not say how much it would keep.".to_owned(),
    };
    let title = (!shelf.models.is_empty()).then(|| view! { <h3>"Kept in this browser"</h3> });
    view! {
        {title}
        <ul class="kept-models">
            {shelf.models.into_iter().map(|model| view! { <Kept model /> }).collect_view()}
        </ul>
        <p class="hint" data-testid="model-room">{room}</p>
    }
}

#[component]
fn Kept(model: KeptModel) -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let KeptModel { id, name, size_bytes } = model;
    let (own, used, shown) = (id.clone(), id.clone(), name.clone());
    let is_open = move || {
        state.package.with(|open| open.as_ref().is_some_and(|open| open.id.as_ref() == Some(&own)))
    };
    let take = move |_| client.choose(Chosen::at(Place::Kept { id: used.clone() }));
    view! {
        <li data-testid="kept-model" data-name=name>
            <span class="kept-name" dir="auto">{shown}</span>
            <span class="hint">{bytes(size_bytes)}</span>
            <span class="chips">
                <button
                    type="button"
                    class="small"
                    data-testid="kept-use"
                    disabled=is_open
                    on:click=take
                >
                    "Use"
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="kept-delete"
                    on:click=move |_| client.remove_kept(id.clone())
                >
                    "Delete"
                </button>
            </span>
        </li>
    }
}
