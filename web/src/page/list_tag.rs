//! The tag of the selected product: its text and its values, as for a single text.

use hangtag_web::list::{Entry, Setup};
use hangtag_web::protocol::RunStats;
use leptos::prelude::*;

use super::results_table::ResultsTable;
use super::source_view::SourceView;
use super::state::{Phase, Row, Run, State};

/// The selected product, if any.
#[component]
pub fn ListTag() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let answers = Memo::new(move |_| {
        let index = list.selected.get()?;
        let answers = list.entries.with(|entries| match entries.get(index)?.answer.clone() {
            Some(Ok(answers)) => Some(answers),
            _ => None,
        });
        Some((index, answers.unwrap_or_default()))
    });
    move || {
        answers.get().map(|(index, _)| {
            let line = list
                .open
                .with_untracked(|open| Some(open.as_ref()?.products.rows.get(index)?.line));
            let title = move || {
                let number = line.map(|line| line.to_string())?;
                Some(speech.get().list.line(&number))
            };
            match list.text(index) {
                Err(problem) => view! {
                    <div class="tag" data-testid="list-tag">
                        <h3>{title}</h3>
                        <p class="note">{move || speech.get().list.not_read(&speech.get().row_error(&problem))}</p>
                    </div>
                }
                .into_any(),
                Ok(text) => {
                    let entry = list.entries.with_untracked(|entries| entries.get(index).cloned());
                    let setup = list.setup.get_untracked().as_deref().cloned();
                    let setup = setup.unwrap_or_default();
                    let run = run(index, text, &entry.unwrap_or_default(), &setup);
                    view! {
                        <div class="tag" data-testid="list-tag">
                            <h3>{title}</h3>
                            <SourceView run=run.clone() />
                            <ResultsTable run />
                        </div>
                    }
                    .into_any()
                }
            }
        })
    }
}

fn run(index: usize, text: String, entry: &Entry, setup: &Setup) -> Run {
    let rows = entry.answers().iter().enumerate().map(|(feature, answer)| Row {
        name: answer.name.clone(),
        value: ArcRwSignal::new(Some(answer.clone())),
        correction: ArcRwSignal::new(entry.corrections.get(&feature).cloned()),
    });
    // Only how a text run ended is shown of it, and this is none.
    let stats = RunStats {
        prefix_tokens: 0,
        cached_prefix_tokens: 0,
        windows: 1,
        generated_tokens: 0,
        seconds: 0.0,
    };
    Run {
        id: index as u32,
        text: text.into(),
        rows: rows.collect(),
        phase: ArcRwSignal::new(Phase::Finished(stats)),
        part: ArcRwSignal::new(None),
        began_ms: 0.0,
        features: setup.features.as_slice().into(),
        category: setup.category.clone(),
        product: Some(index),
    }
}
