//! The choice of a model: a file, a folder, a path on this site, or one that is kept in this browser.

use hangtag_web::protocol::{KeptModel, Place, Shelf};
use hangtag_web::units::bytes;
use hangtag_web::words::Messages;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;

use super::bundle::is_bundle;
use super::choice_client::default_place;
use super::choice_state::Chosen;
use super::client::Client;
use super::drop_zone::{DropZone, chosen};
use super::speech::{say, speech};
use super::state::State;

/// The choice, folded away where there is a model already.
#[component]
pub fn ModelChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let choice = state.choice;
    let has_none = Memo::new(move |_| state.package.with(Option::is_none));
    let title = move || {
        let words = &state.speech.get().model_choice;
        if has_none.get() { words.choose } else { words.use_another }
    };
    let problem = move || {
        choice.problem.get().map(|problem| {
            let words = move || problem.with(state.speech.get());
            view! { <p class="field-error" data-testid="model-problem">{words}</p> }
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
    let State { choice, speech, .. } = expect_context();
    let client = expect_context::<Client>();
    let choose = move |files| client.choose_files(files);
    let title = move || {
        let words = &speech.get().model_choice;
        if choice.is_opening.get() { words.opening } else { words.drop }
    };
    view! {
        <DropZone
            name="model-drop"
            input_name="model-file"
            accept=".gguf,.json"
            multiple=true
            title
            hint=say(|words| words.model_choice.drop_hint)
            on_files=Callback::new(choose)
        />
        <label class="pick-folder">
            <input
                type="file"
                prop:webkitdirectory=true
                class="visually-hidden"
                data-testid="model-folder"
                on:change=move |event| choose(chosen(&event))
            />
            <span>{say(|words| words.model_choice.choose_folder)}</span>
        </label>
    }
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
            <label for="model-path">{say(|words| words.model_choice.on_site)}</label>
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
                <button type="submit" class="small" data-testid="model-open">{say(|words| words.model_choice.open)}</button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="model-default"
                    on:click=move |_| client.choose(Chosen::at(default_place()))
                >
                    {say(|words| words.model_choice.sites_own)}
                </button>
            </div>
            <p class="hint">{say(|words| words.model_choice.others_refused)}</p>
        </form>
    }
}

/// What is kept in this browser, and how much room that takes.
#[component]
fn KeptModels(shelf: Shelf) -> impl IntoView {
    let speech = speech();
    let (refused, used, quota) = (shelf.refused, shelf.used_bytes, shelf.quota_bytes);
    let room = move || {
        let Messages { language, model_choice: words, .. } = speech.get();
        match (&refused, used, quota) {
            (Some(reason), ..) => words.keeps_nothing(reason),
            (None, Some(used), Some(quota)) => {
                words.keeps(&bytes(*language, used), &bytes(*language, quota))
            }
            _ => words.room_unknown.to_owned(),
        }
    };
    let title = (!shelf.models.is_empty())
        .then(|| view! { <h3>{say(|words| words.model_choice.kept)}</h3> });
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
            <span class="hint">{move || bytes(state.speech.get().language, size_bytes)}</span>
            <span class="chips">
                <button
                    type="button"
                    class="small"
                    data-testid="kept-use"
                    disabled=is_open
                    on:click=take
                >
                    {say(|words| words.model_choice.take)}
                </button>
                <button
                    type="button"
                    class="quiet"
                    data-testid="kept-delete"
                    on:click=move |_| client.remove_kept(id.clone())
                >
                    {say(|words| words.model_choice.delete)}
                </button>
            </span>
        </li>
    }
}
