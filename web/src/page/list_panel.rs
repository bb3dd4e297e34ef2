//! The file of a list: where it is dropped, what is in it, which of its columns are read.

use leptos::prelude::*;
use web_sys::File;

use super::client::Client;
use super::drop_zone::DropZone;
use super::list_state::{ListPhase, OpenList};
use super::speech::say;
use super::state::State;

/// The drop zone, or the open file.
#[component]
pub fn ListPanel() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let problem = move || {
        list.problem.get().map(|problem| {
            let words = move || problem.with(speech.get());
            view! { <p class="field-error" data-testid="list-problem">{words}</p> }
        })
    };
    view! {
        <section class="field" aria-labelledby="list-title">
            <div class="field-head">
                <h2 id="list-title">{say(|words| words.list.title)}</h2>
            </div>
            {move || match list.open.get() {
                Some(open) => view! { <OpenFile open=open.as_ref() /> }.into_any(),
                None => view! { <DropList /> }.into_any(),
            }}
            <div role="alert">{problem}</div>
        </section>
    }
}

#[component]
fn DropList() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let client = expect_context::<Client>();
    let title = move || {
        let words = &speech.get().list;
        if list.phase.get() == ListPhase::Opening { words.reading_short } else { words.drop }
    };
    let open = move |files: Vec<File>| {
        if let Some(file) = files.into_iter().next() {
            client.open_list(file);
        }
    };
    view! {
        <DropZone
            name="list-drop"
            input_name="list-file"
            accept=".csv,.tsv,.txt,.jsonl,.ndjson,.xlsx,.xlsm,text/csv"
            title
            hint=say(|words| words.list.drop_hint)
            on_files=Callback::new(open)
        />
    }
}

#[component]
fn OpenFile<'a>(open: &'a OpenList) -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let products = &open.products;
    let (rows, width, encoding) = (products.rows.len(), products.columns.len(), products.encoding);
    let facts = move || {
        let words = &speech.get().list;
        [words.products(rows), words.columns(width), words.encoding(encoding).to_owned()]
            .join(" · ")
    };
    let columns = products.columns.clone();
    let order = columns.clone();
    let column = move |name: String| {
        let (order, own, named) = (order.clone(), name.clone(), name.clone());
        let is_read = move || list.text_columns.with(|read| read.contains(&own));
        let change = move |event| {
            list.problem.set(None);
            list.text_columns.update(|read| match event_target_checked(&event) {
                // Texts are joined in the order of the file.
                true => {
                    read.push(named.clone());
                    read.sort_by_key(|name| order.iter().position(|other| other == name));
                }
                false => read.retain(|name| *name != named),
            });
        };
        view! {
            <label class="check">
                <input
                    type="checkbox"
                    data-testid="list-column"
                    data-name=name.clone()
                    prop:checked=is_read
                    disabled=move || list.phase.get() == ListPhase::Running
                    on:change=change
                />
                <span dir="auto">{name.clone()}</span>
            </label>
        }
    };
    view! {
        <div class="file" data-testid="list-open">
            <div>
                <p class="file-name" data-testid="list-name" dir="auto">{open.name.clone()}</p>
                <p class="hint" data-testid="list-facts">{facts}</p>
            </div>
            <Remove />
            <fieldset class="columns-read">
                <legend class="hint">{say(|words| words.list.columns_read)}</legend>
                {columns.into_iter().map(column).collect_view()}
            </fieldset>
        </div>
    }
}

/// Removes the list; asks once more where rows are filled in.
#[component]
fn Remove() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let client = expect_context::<Client>();
    let is_asking = RwSignal::new(false);
    let press = move |_| {
        if list.setup.with_untracked(Option::is_some) && !is_asking.get_untracked() {
            is_asking.set(true);
        } else {
            client.remove_list();
        }
    };
    view! {
        <div class="chips">
            <button type="button" class="quiet" class:danger=is_asking data-testid="list-remove" on:click=press>
                {move || {
                    let words = &speech.get().list;
                    if is_asking.get() { words.remove_with_results } else { words.remove }
                }}
            </button>
            <Show when=move || is_asking.get()>
                <button type="button" class="quiet" on:click=move |_| is_asking.set(false)>
                    {say(|words| words.list.keep)}
                </button>
            </Show>
        </div>
    }
}
