//! The list as it fills in: how far it is, what is shown, the table, the tag of one product, downloads.

use hangtag_web::list::{Counts, Filled, Filter};
use hangtag_web::pace::{pace_words, rough_duration};
use hangtag_web::units::{count, percent};
use hangtag_web::words::Said;
use leptos::prelude::*;

use super::client::Client;
use super::failure_words::FailureWords;
use super::list_state::ListPhase;
use super::list_store::NotKept;
use super::list_table::ListTable;
use super::list_tag::ListTag;
use super::list_workbook::WorkbookButton;
use super::results_actions::{save, save_training_rows};
use super::speech::say;
use super::state::{Model, State};

/// The card of the list.
#[component]
pub fn ListResults() -> impl IntoView {
    let list = expect_context::<State>().products;
    let is_open = move || list.open.with(Option::is_some);
    view! {
        <section
            class="card results list"
            aria-labelledby="rows-title"
            data-testid="list-results"
            data-phase=move || list.phase.get().name()
        >
            <div class="results-head">
                <h2 id="rows-title">{say(|words| words.list.results_title)}</h2>
                <Status />
            </div>
            <Progress />
            <Trouble />
            <Show when=is_open fallback=|| view! { <Empty /> }>
                <Filters />
                <ListTable />
                <Downloads />
                <ListTag />
            </Show>
        </section>
    }
}

/// The state of the work in words, without figures that change too fast to be read out.
#[component]
fn Status() -> impl IntoView {
    let state = expect_context::<State>();
    let list = state.products;
    let done = Memo::new(move |_| list.counts());
    let words = move || {
        let Counts { all, .. } = done.get();
        let words = &state.speech.get().list;
        match list.phase.get() {
            ListPhase::Empty => String::new(),
            ListPhase::Opening => words.reading.to_owned(),
            ListPhase::Chosen => words.products(all),
            ListPhase::Running if state.model.with(|model| !matches!(model, Model::Ready(_))) => {
                words.waiting.to_owned()
            }
            ListPhase::Running => words.filling_in.to_owned(),
            ListPhase::Paused => words.paused.to_owned(),
            ListPhase::Finished => words.finished.to_owned(),
        }
    };
    view! { <p role="status" data-testid="list-status">{words}</p> }
}

/// A bar with the numbers beside it, from the start on.
#[component]
fn Progress() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let counts = Memo::new(move |_| list.counts());
    let numbers = move || {
        let Counts { all, done, .. } = counts.get();
        speech.get().list.done_of(done, all)
    };
    let speed = move || {
        let Counts { all, done, .. } = counts.get();
        let is_running = list.phase.get() == ListPhase::Running;
        list.pace.with(|measured| {
            let per_second = measured.per_second().filter(|_| is_running)?;
            let left_seconds = measured.seconds_for(all - done)?;
            let messages = speech.get();
            let left = rough_duration(messages, left_seconds);
            Some(messages.list.speed(&pace_words(messages, per_second), &left))
        })
    };
    let value = move || {
        let Counts { all, done, .. } = counts.get();
        percent(done as f64, all as f64).to_string()
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="progress">
                <progress max="100" value=value aria-label=say(|words| words.list.filled_in)></progress>
                <div class="progress-words">
                    <span data-testid="list-done" data-done=move || counts.get().done.to_string()>{numbers}</span>
                    <span data-testid="list-pace">{speed}</span>
                </div>
            </div>
        </Show>
    }
}

#[component]
fn Trouble() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let failure = move || {
        list.failure.get().map(|failure| {
            view! {
                <div class="error" role="alert" data-testid="list-error">
                    <FailureWords failure />
                    <p>{say(|words| words.list.then_go_on)}</p>
                </div>
            }
        })
    };
    let not_kept = move || {
        let reason = list.not_kept.get()?;
        Some(view! {
            <p class="note" data-testid="list-not-kept">
                {move || {
                    let words = &speech.get().list;
                    words.held_in_memory(match &reason {
                        NotKept::OtherTab => words.other_tab,
                        NotKept::Refused(reason) => reason,
                    })
                }}
            </p>
        })
    };
    view! {
        {failure}
        {not_kept}
    }
}

#[component]
fn Empty() -> impl IntoView {
    view! {
        <div class="empty">
            <p>{say(|words| words.list.empty)}</p>
            <p class="quiet-text">{say(|words| words.list.empty_more)}</p>
        </div>
    }
}

/// Which products are shown, with their numbers.
#[component]
fn Filters() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let counts = Memo::new(move |_| list.counts());
    let filter = move |filter: Filter| {
        let test_id = match filter {
            Filter::All => "filter-all",
            Filter::Review => "filter-review",
            Filter::Failed => "filter-failed",
            Filter::Corrected => "filter-corrected",
        };
        let number = move || counts.get().shown_by(filter);
        view! {
            <button
                type="button"
                class="chip"
                data-testid=test_id
                aria-pressed=move || if list.filter.get() == filter { "true" } else { "false" }
                disabled=move || number() == 0 && filter != Filter::All
                on:click=move |_| list.filter.set(filter)
            >
                {move || speech.get().list.filter(filter)}
                <span class="number">{move || count(speech.get().language, number())}</span>
            </button>
        }
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="chips" role="group" aria-label=say(|words| words.list.shown)>
                {Filter::EACH.map(filter).collect_view()}
            </div>
        </Show>
    }
}

#[component]
fn Downloads() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let client = expect_context::<Client>();
    let said = RwSignal::new(None::<Said>);
    let save_list =
        move |ending: &'static str, mime_type: &'static str, write: fn(&Filled<'_>) -> String| {
            let Some(text) = client.write_list(write) else { return };
            let name = file_name(
                list.open.with_untracked(|open| open.as_ref().map(|open| open.name.clone())),
                ending,
            );
            said.set(Some(save(&name, mime_type, &text)));
        };
    let is_corrected = Memo::new(move |_| {
        list.entries.with(|entries| entries.iter().any(|entry| !entry.corrections.is_empty()))
    });
    let save_training = move || {
        let Some(rows) = client.write_list(|filled| filled.training_rows()) else { return };
        said.set(Some(save_training_rows("corrections.jsonl", &rows)));
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="chips">
                <button
                    type="button"
                    class="small"
                    data-testid="list-csv"
                    title=say(|words| words.list.csv_title)
                    on:click=move |_| save_list(".csv", "text/csv", |filled| filled.to_csv())
                >
                    {say(|words| words.list.download_csv)}
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="list-jsonl"
                    on:click=move |_| save_list(".jsonl", "application/jsonl", |filled| filled.to_jsonl())
                >
                    {say(|words| words.list.download_jsonl)}
                </button>
                <WorkbookButton said />
                <Show when=move || is_corrected.get()>
                    <button
                        type="button"
                        class="small"
                        data-testid="list-training"
                        title=say(|words| words.list.training_rows_title)
                        on:click=move |_| save_training()
                    >
                        {say(|words| words.list.training_rows)}
                    </button>
                </Show>
                <span class="hint" role="status" data-testid="list-saved">
                    {move || said.get().map(|said| said.with(speech.get()))}
                </span>
            </div>
        </Show>
    }
}

/// "shop.csv" filled in is "shop-filled.csv".
pub(super) fn file_name(name: Option<String>, ending: &str) -> String {
    let name = name.unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    format!("{stem}-filled{ending}")
}
