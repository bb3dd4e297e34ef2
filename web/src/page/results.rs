//! The filled-in tag: state of the run, its text, its table.

use hangtag_web::protocol::RunStep;
use hangtag_web::units::{percent, seconds};
use hangtag_web::words::Messages;
use leptos::prelude::*;

use super::client::Client;
use super::device;
use super::failure_words::FailureWords;
use super::logo::Logo;
use super::results_actions::ResultsActions;
use super::results_table::ResultsTable;
use super::source_view::SourceView;
use super::speech::say;
use super::state::{Phase, Run, State};

/// Results of the shown run.
#[component]
pub fn Results() -> impl IntoView {
    let state = expect_context::<State>();
    let shown = Memo::new(move |_| state.shown_run().map(Shown));
    let phase = move || shown.get().map_or("empty", |Shown(run)| run.phase.get().name());
    view! {
        <section
            class="card results"
            aria-labelledby="results-title"
            data-testid="results"
            data-phase=phase
        >
            <div class="results-head">
                <h2 id="results-title">{say(|words| words.results.title)}</h2>
                <p role="status" data-testid="status">
                    {move || shown.get().map(|Shown(run)| status(state.speech.get(), &run))}
                </p>
            </div>
            {move || shown.get().map(|Shown(run)| view! { <RunProgress run /> })}
            <RunError />
            {move || match shown.get() {
                None => view! { <Empty /> }.into_any(),
                Some(Shown(run)) => view! {
                    <SourceView run=run.clone() />
                    <ResultsTable run=run.clone() />
                    <ResultsActions run />
                }.into_any(),
            }}
            <Earlier />
        </section>
    }
}

/// A run that is equal to another if it is the same one, so that the table is built once a run.
#[derive(Clone)]
struct Shown(Run);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

/// The state of a run in words, without figures that change too fast to be read out.
fn status(messages: &Messages, run: &Run) -> String {
    let words = &messages.results;
    let values = run.values();
    let found = values.iter().filter(|value| value.value.is_some()).count();
    match run.phase.get() {
        Phase::Waiting => words.waiting.to_owned(),
        Phase::Running(_) if !values.is_empty() => words.some_of(values.len(), run.rows.len()),
        Phase::Running(RunStep::Writing { .. }) => words.writing.to_owned(),
        Phase::Running(_) => match run.part.get() {
            Some((part, count)) => words.reading_part(part, count),
            None => words.reading.to_owned(),
        },
        Phase::Finished(stats) => {
            let time = seconds(messages.language, stats.seconds);
            words.finished(found, values.len() - found, &time)
        }
        Phase::Stopped => words.stopped(values.len()),
        Phase::Failed => words.failed(values.len()),
    }
}

/// A bar while the run is open.
#[component]
fn RunProgress(run: Run) -> impl IntoView {
    let phase = run.phase.clone();
    let value = move || {
        let answered = run.rows.iter().filter(|row| row.value.with(Option::is_some)).count();
        match run.phase.get() {
            Phase::Running(_) if answered > 0 => {
                Some(percent(answered as f64, run.rows.len() as f64))
            }
            Phase::Running(RunStep::Reading { done, total }) => {
                Some(percent(done as f64, total as f64))
            }
            _ => None,
        }
        .map(|percent| percent.to_string())
    };
    view! {
        <div class="run-bar">
            <Show when=move || phase.get().is_open()>
                <progress max="100" value=value.clone() aria-label=say(|words| words.results.progress)></progress>
            </Show>
        </div>
    }
}

#[component]
fn RunError() -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let dismiss = move |_| state.failure.set(None);
    move || {
        state.failure.get().map(|failure| {
            let restart = failure.needs_restart().then(|| {
                let label = say(|words| words.model.restart);
                view! { <button type="button" on:click=move |_| client.restart()>{label}</button> }
            });
            view! {
                <div class="error" role="alert" data-testid="run-error">
                    <FailureWords failure />
                    <div class="chips">
                        {restart}
                        <button type="button" class="quiet" on:click=dismiss>{say(|words| words.results.dismiss)}</button>
                    </div>
                </div>
            }
        })
    }
}

#[component]
fn Empty() -> impl IntoView {
    view! {
        <div class="empty">
            <Logo />
            <p>{say(|words| words.results.empty)}</p>
            <p class="quiet-text">{say(|words| words.results.empty_more)}</p>
        </div>
    }
}

/// Earlier runs, to look at again.
#[component]
fn Earlier() -> impl IntoView {
    let state = expect_context::<State>();
    let entry = move |run: Run| {
        let id = run.id;
        let start: String = run.text.trim().chars().take(48).collect();
        let current = move || (state.shown.get() == Some(id)).then_some("true");
        let show = move |_| {
            state.active.set(None);
            state.shown.set(Some(id));
        };
        view! {
            <li>
                <button
                    type="button"
                    class="earlier"
                    data-testid=format!("earlier-{id}")
                    aria-current=current
                    on:click=show
                >
                    <span class="time">{move || device::time_of_day(state.speech.get().language, run.began_ms)}</span>
                    <span class="start" dir="auto">{start}</span>
                </button>
            </li>
        }
    };
    view! {
        <Show when=move || { state.runs.with(Vec::len) > 1 }>
            <nav class="history" aria-labelledby="earlier-title" data-testid="earlier">
                <h3 id="earlier-title">{say(|words| words.results.this_visit)}</h3>
                <ol>
                    <For each=move || state.runs.get() key=|run| run.id children=entry />
                </ol>
            </nav>
        </Show>
    }
}
