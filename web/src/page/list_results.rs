//! The list as it fills in: how far it is, what is shown, the table, the tag of one product, downloads.

use hangtag_web::ask::sentence;
use hangtag_web::list::{Counts, Filled, Filter};
use hangtag_web::units::{count, pace, percent, plural, rough_duration};
use leptos::prelude::*;

use super::client::Client;
use super::device;
use super::list_state::ListPhase;
use super::list_table::ListTable;
use super::list_tag::ListTag;
use super::list_workbook::WorkbookButton;
use super::results_actions::save_training_rows;
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
                <h2 id="rows-title">"Products"</h2>
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
        match list.phase.get() {
            ListPhase::Empty => String::new(),
            ListPhase::Opening => "Reading the file".to_owned(),
            ListPhase::Chosen => plural(all, "product", "products"),
            ListPhase::Running if state.model.with(|model| !matches!(model, Model::Ready(_))) => {
                "Waiting for the model".to_owned()
            }
            ListPhase::Running => "Filling in".to_owned(),
            ListPhase::Paused => "Paused".to_owned(),
            ListPhase::Finished => "All filled in".to_owned(),
        }
    };
    view! { <p role="status" data-testid="list-status">{words}</p> }
}

/// A bar with the numbers beside it, from the start on.
#[component]
fn Progress() -> impl IntoView {
    let list = expect_context::<State>().products;
    let counts = Memo::new(move |_| list.counts());
    let numbers = move || {
        let Counts { all, done, .. } = counts.get();
        format!("{} of {}", count(done), count(all))
    };
    let speed = move || {
        let Counts { all, done, .. } = counts.get();
        let is_running = list.phase.get() == ListPhase::Running;
        list.pace.with(|measured| {
            let per_second = measured.per_second().filter(|_| is_running)?;
            let left = measured.seconds_for(all - done).map(rough_duration)?;
            Some(format!("{} · {left} left", pace(per_second)))
        })
    };
    let value = move || {
        let Counts { all, done, .. } = counts.get();
        percent(done as f64, all as f64).to_string()
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="progress">
                <progress max="100" value=value aria-label="Products filled in"></progress>
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
    let list = expect_context::<State>().products;
    let failure = move || {
        list.failure.get().map(|failure| {
            let advice = failure.advice();
            view! {
                <div class="error" role="alert" data-testid="list-error">
                    <p>{sentence(&failure.message)}</p>
                    <p>{advice}" Go on then continues where it stopped."</p>
                </div>
            }
        })
    };
    let not_kept = move || {
        let reason = list.not_kept.get()?;
        Some(view! {
            <p class="note" data-testid="list-not-kept">
                {format!("A list is held in memory only here, and a reload loses it: {reason}.")}
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
            <p>"Drop a file of products, say which features you want, and press Start."</p>
            <p class="quiet-text">
                "Rows fill in as they are read. You may pause, close the page and go on another day: file and results are \
                kept in this browser and nowhere else."
            </p>
        </div>
    }
}

/// Which products are shown, with their numbers.
#[component]
fn Filters() -> impl IntoView {
    let list = expect_context::<State>().products;
    let counts = Memo::new(move |_| list.counts());
    let filter = move |filter: Filter| {
        let (label, test_id) = match filter {
            Filter::All => ("All", "filter-all"),
            Filter::Review => ("To review", "filter-review"),
            Filter::Failed => ("Not read", "filter-failed"),
            Filter::Corrected => ("Corrected", "filter-corrected"),
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
                {label}
                <span class="number">{move || count(number())}</span>
            </button>
        }
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="chips" role="group" aria-label="Products shown">
                {Filter::EACH.map(filter).collect_view()}
            </div>
        </Show>
    }
}

#[component]
fn Downloads() -> impl IntoView {
    let list = expect_context::<State>().products;
    let client = expect_context::<Client>();
    let said = RwSignal::new(String::new());
    let save =
        move |ending: &'static str, mime_type: &'static str, write: fn(&Filled<'_>) -> String| {
            let Some(text) = client.write_list(write) else { return };
            let name = file_name(
                list.open.with_untracked(|open| open.as_ref().map(|open| open.name.clone())),
                ending,
            );
            said.set(match device::download(&name, mime_type, &text) {
                Ok(()) => format!("{name} saved"),
                Err(_) => "The browser did not allow the download".to_owned(),
            });
        };
    let is_corrected = Memo::new(move |_| {
        list.entries.with(|entries| entries.iter().any(|entry| !entry.corrections.is_empty()))
    });
    let save_training = move || {
        let Some(rows) = client.write_list(|filled| filled.training_rows()) else { return };
        said.set(save_training_rows("corrections.jsonl", &rows));
    };
    view! {
        <Show when=move || list.setup.with(Option::is_some)>
            <div class="chips">
                <button
                    type="button"
                    class="small"
                    data-testid="list-csv"
                    title="The file's columns, then value, confidence and place of each feature; place counts the characters of the columns read"
                    on:click=move |_| save(".csv", "text/csv", |filled| filled.to_csv())
                >
                    "Download CSV"
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="list-jsonl"
                    on:click=move |_| save(".jsonl", "application/jsonl", |filled| filled.to_jsonl())
                >
                    "Download JSONL"
                </button>
                <WorkbookButton said />
                <Show when=move || is_corrected.get()>
                    <button
                        type="button"
                        class="small"
                        data-testid="list-training"
                        title="What you have accepted or corrected, as rows to train a model on"
                        on:click=move |_| save_training()
                    >
                        "Training rows"
                    </button>
                </Show>
                <span class="hint" role="status" data-testid="list-saved">{said}</span>
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
