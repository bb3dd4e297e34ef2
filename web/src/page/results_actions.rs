//! What can be done with results, and what they took.

use hangtag_web::correction::TrainingRows;
use hangtag_web::export::{to_csv, to_json, to_tsv};
use hangtag_web::protocol::RunStats;
use hangtag_web::units::seconds;
use hangtag_web::words::{Messages, Said};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::device;
use super::speech::{say, speech};
use super::state::{Phase, Run};

/// Copy, download, and the figures of the run.
#[component]
pub fn ResultsActions(run: Run) -> impl IntoView {
    let (said, speech) = (RwSignal::new(None::<Said>), speech());
    let stats = {
        let phase = run.phase.clone();
        move || match phase.get() {
            Phase::Finished(stats) => Some(stats),
            _ => None,
        }
    };
    let empty = {
        let run = run.clone();
        Memo::new(move |_| run.values().is_empty())
    };
    let json = {
        let (run, stats) = (run.clone(), stats.clone());
        move || untrack(|| to_json(&run.values(), stats()))
    };
    let copy = move |text: String, copied: fn(&Messages) -> &'static str| {
        spawn_local(async move {
            let is_copied = device::copy(text).await;
            said.set(Some(Said::new(move |words| match is_copied {
                true => copied(words).to_owned(),
                false => words.results.copy_refused.to_owned(),
            })));
        });
    };
    let save_as = move |name: &str, mime_type: &str, text: String| {
        said.set(Some(save(name, mime_type, &text)));
    };
    let is_corrected = {
        let run = run.clone();
        Memo::new(move |_| run.is_corrected())
    };
    let corrected = StoredValue::new(run.clone());
    let save_training = move || {
        let rows =
            untrack(|| corrected.with_value(|run| run.training_rows(device::new_id("text"))));
        said.set(Some(save_training_rows("corrections.jsonl", &rows)));
    };
    let (values, csv_values, json_text) = (run.clone(), run, json.clone());
    view! {
        <div class="results-foot">
            <div class="chips">
                <button
                    type="button"
                    class="small"
                    data-testid="copy-table"
                    disabled=empty
                    on:click=move |_| copy(to_tsv(&untrack(|| values.values())), |words| words.results.table_copied)
                >
                    {say(|words| words.results.copy_table)}
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="copy-json"
                    disabled=empty
                    on:click=move |_| copy(json_text(), |words| words.results.json_copied)
                >
                    {say(|words| words.results.copy_json)}
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="download-csv"
                    disabled=empty
                    on:click=move |_| {
                        save_as("features.csv", "text/csv", to_csv(&untrack(|| csv_values.values())));
                    }
                >
                    {say(|words| words.results.download_csv)}
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="download-json"
                    disabled=empty
                    on:click=move |_| save_as("features.json", "application/json", json())
                >
                    {say(|words| words.results.download_json)}
                </button>
                <Show when=move || is_corrected.get()>
                    <button
                        type="button"
                        class="small"
                        data-testid="download-training"
                        title=say(|words| words.results.training_row_title)
                        on:click=move |_| save_training()
                    >
                        {say(|words| words.results.training_row)}
                    </button>
                </Show>
                <span class="hint" role="status" data-testid="copied">
                    {move || said.get().map(|said| said.with(speech.get()))}
                </span>
            </div>
            {move || stats().map(|stats| view! { <Figures stats /> })}
        </div>
    }
}

/// Saves a text as a file, and says what came of it.
pub fn save(name: &str, mime_type: &str, text: &str) -> Said {
    let name = name.to_owned();
    match device::download(&name, mime_type, text) {
        Ok(()) => Said::new(move |words| words.frame.saved(&name)),
        Err(_) => Said::new(|words| words.frame.download_refused.to_owned()),
    }
}

/// Saves rows to train on, and says what came of it.
pub fn save_training_rows(name: &str, rows: &TrainingRows) -> Said {
    let (name, products, left_out) = (name.to_owned(), rows.products, rows.left_out);
    if products > 0 && device::download(&name, "application/jsonl", &rows.jsonl).is_err() {
        return Said::new(|words| words.frame.download_refused.to_owned());
    }
    Said::new(move |words| {
        let words = &words.results;
        let saved = match products {
            0 => words.nothing_to_train_on.to_owned(),
            products => words.training_saved(&name, products),
        };
        match left_out {
            0 => saved,
            count => format!("{saved}; {}", words.left_out(count)),
        }
    })
}

#[component]
fn Figures(stats: RunStats) -> impl IntoView {
    let speech = speech();
    let figures = move || {
        let Messages { language, results: words, .. } = speech.get();
        let mut figures =
            vec![seconds(*language, stats.seconds), words.tokens_read(stats.prefix_tokens)];
        if stats.cached_prefix_tokens > 0 {
            figures.push(words.remembered(stats.cached_prefix_tokens));
        }
        if stats.windows > 1 {
            figures.push(words.in_parts(stats.windows));
        }
        figures.push(words.tokens_written(stats.generated_tokens));
        figures.join(" · ")
    };
    view! {
        <p class="figures" data-testid="stats" data-seconds=stats.seconds.to_string()>{figures}</p>
    }
}
