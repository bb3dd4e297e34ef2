//! What can be done with results, and what they took.

use hangtag_web::correction::TrainingRows;
use hangtag_web::export::{to_csv, to_json, to_tsv};
use hangtag_web::protocol::RunStats;
use hangtag_web::units::{plural, seconds};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::device;
use super::state::{Phase, Run};

/// Copy, download, and the figures of the run.
#[component]
pub fn ResultsActions(run: Run) -> impl IntoView {
    let said = RwSignal::new(String::new());
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
    let copy = move |text: String, what: &'static str| {
        spawn_local(async move {
            said.set(match device::copy(text).await {
                true => format!("{what} copied"),
                false => "The browser did not allow copying; use a download".to_owned(),
            });
        });
    };
    let save = move |name: &str, mime_type: &str, text: String| {
        said.set(match device::download(name, mime_type, &text) {
            Ok(()) => format!("{name} saved"),
            Err(_) => "The browser did not allow the download".to_owned(),
        });
    };
    let is_corrected = {
        let run = run.clone();
        Memo::new(move |_| run.is_corrected())
    };
    let corrected = StoredValue::new(run.clone());
    let save_training = move || {
        let rows =
            untrack(|| corrected.with_value(|run| run.training_rows(device::new_id("text"))));
        said.set(save_training_rows("corrections.jsonl", &rows));
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
                    on:click=move |_| copy(to_tsv(&untrack(|| values.values())), "Table")
                >
                    "Copy table"
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="copy-json"
                    disabled=empty
                    on:click=move |_| copy(json_text(), "JSON")
                >
                    "Copy JSON"
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="download-csv"
                    disabled=empty
                    on:click=move |_| {
                        save("features.csv", "text/csv", to_csv(&untrack(|| csv_values.values())));
                    }
                >
                    "Download CSV"
                </button>
                <button
                    type="button"
                    class="small"
                    data-testid="download-json"
                    disabled=empty
                    on:click=move |_| save("features.json", "application/json", json())
                >
                    "Download JSON"
                </button>
                <Show when=move || is_corrected.get()>
                    <button
                        type="button"
                        class="small"
                        data-testid="download-training"
                        title="What you have accepted or corrected, as a row to train a model on"
                        on:click=move |_| save_training()
                    >
                        "Training row"
                    </button>
                </Show>
                <span class="hint" role="status" data-testid="copied">{said}</span>
            </div>
            {move || stats().map(|stats| view! { <Figures stats /> })}
        </div>
    }
}

/// Saves rows to train on, and says what came of it.
pub fn save_training_rows(name: &str, rows: &TrainingRows) -> String {
    let left_out = match rows.left_out {
        0 => String::new(),
        count => format!(
            "; left out because they are not in the text: {}",
            plural(count, "value", "values")
        ),
    };
    match rows.products {
        0 => format!("Nothing to train on{left_out}"),
        count => match device::download(name, "application/jsonl", &rows.jsonl) {
            Ok(()) => format!("{name} saved: {}{left_out}", plural(count, "product", "products")),
            Err(_) => "The browser did not allow the download".to_owned(),
        },
    }
}

#[component]
fn Figures(stats: RunStats) -> impl IntoView {
    let mut words =
        vec![seconds(stats.seconds), plural(stats.prefix_tokens, "token read", "tokens read")];
    if stats.cached_prefix_tokens > 0 {
        words.push(format!("{} of them remembered", stats.cached_prefix_tokens));
    }
    if stats.windows > 1 {
        words.push(format!("in {} parts", stats.windows));
    }
    words.push(plural(stats.generated_tokens, "token written", "tokens written"));
    view! {
        <p class="figures" data-testid="stats" data-seconds=stats.seconds.to_string()>{words.join(" · ")}</p>
    }
}
