//! The table of features. Rows are there from the start and fill in as answers come.

use hangtag_web::correction::{Correction, needs_review};
use leptos::prelude::*;

use super::client::Client;
use super::speech::{say, speech};
use super::state::{Phase, Run, State};
use super::value_cell::ValueCell;

/// Table of one run.
#[component]
pub fn ResultsTable(run: Run) -> impl IntoView {
    let rows = (0..run.rows.len())
        .map(|index| view! { <TableRow run=run.clone() index /> })
        .collect_view();
    view! {
        <table class="values">
            <caption class="visually-hidden">{say(|words| words.results.caption)}</caption>
            <thead>
                <tr>
                    <th scope="col">{say(|words| words.results.feature)}</th>
                    <th scope="col">{say(|words| words.results.value)}</th>
                    <th scope="col">{say(|words| words.results.confidence)}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <Review run />
    }
}

/// What the keys do, and one button for all that is right.
#[component]
fn Review(run: Run) -> impl IntoView {
    let client = expect_context::<Client>();
    let open = {
        let rows = run.rows.clone();
        Memo::new(move |_| {
            let is_open = |row: &super::state::Row| {
                row.value.with(Option::is_some) && row.correction.with(Option::is_none)
            };
            rows.iter().filter(|row| is_open(row)).count()
        })
    };
    let accept_all = move |_| {
        for (index, row) in run.rows.iter().enumerate() {
            let is_open =
                untrack(|| row.value.with(Option::is_some) && row.correction.with(Option::is_none));
            if is_open {
                client.correct(&run, index, Some(Correction::Accepted));
            }
        }
    };
    view! {
        <div class="chips review">
            <button
                type="button"
                class="small"
                data-testid="accept-all"
                disabled=move || open.get() == 0
                on:click=accept_all
            >
                {say(|words| words.results.accept_all)}
            </button>
            <span class="hint keys">
                <kbd>"Enter"</kbd>{say(|words| words.results.key_correct)}
                <kbd>"A"</kbd>{say(|words| words.results.key_accept)}
                <kbd>"Del"</kbd>{say(|words| words.results.key_none)}
                <kbd>"U"</kbd>{say(|words| words.results.key_undo)}
                <kbd>"↑"</kbd><kbd>"↓"</kbd>{say(|words| words.results.key_move)}
            </span>
        </div>
    }
}

#[component]
fn TableRow(run: Run, index: usize) -> impl IntoView {
    let state = expect_context::<State>();
    let name = run.rows[index].name.clone();
    let settled = {
        let run = run.clone();
        Memo::new(move |_| run.rows[index].settled(&run.text))
    };
    let point = move || {
        let is_found = settled
            .with_untracked(|value| value.as_ref().is_some_and(|value| value.span.is_some()));
        state.active.set(is_found.then_some(index));
    };
    let row_state = move || {
        settled.with(|value| match value {
            None => "pending",
            Some(value) if value.value.is_none() => "none",
            Some(_) => "value",
        })
    };
    let by_hand = move || settled.with(|value| value.as_ref()?.by_hand);
    let phase = run.phase.clone();
    let is_answered = Memo::new(move |_| settled.with(Option::is_some));
    let cells = move || match is_answered.get() {
        false => view! { <Pending phase=phase.clone() /> }.into_any(),
        true => view! {
            <ValueCell run=run.clone() index />
            <ConfidenceCell run=run.clone() index />
        }
        .into_any(),
    };
    view! {
        <tr
            data-testid="row"
            data-index=index.to_string()
            data-state=row_state
            data-by-hand=by_hand
            class:active=move || state.active.get() == Some(index)
            on:mouseenter=move |_| point()
            on:mouseleave=move |_| state.active.set(None)
        >
            <th scope="row" dir="auto" data-testid="feature-name">{name}</th>
            {cells}
        </tr>
    }
}

#[component]
fn Pending(phase: ArcRwSignal<Phase>) -> impl IntoView {
    let not_answered = say(|words| words.results.not_answered);
    let words = move || if phase.get().is_open() { "…" } else { not_answered() };
    view! {
        <td class="pending" data-testid="value">{words}</td>
        <td></td>
    }
}

/// How sure the model is; or what a person made of the answer, with the way back.
#[component]
fn ConfidenceCell(run: Run, index: usize) -> impl IntoView {
    let client = expect_context::<Client>();
    let speech = speech();
    let row_run = run.clone();
    let answer = move || row_run.rows[index].value.get();
    let correction = {
        let run = run.clone();
        move || run.rows[index].correction.get()
    };
    let content = {
        let answer = answer.clone();
        move || {
            let Some(answer) = answer() else { return ().into_any() };
            match correction() {
                Some(correction) => {
                    let run = run.clone();
                    view! {
                        <span class="by-hand" data-testid="by-hand">{move || speech.get().results.by_hand(&correction)}</span>
                        <button
                            type="button"
                            class="quiet"
                            data-testid="undo"
                            on:click=move |_| client.correct(&run, index, None)
                        >
                            {say(|words| words.results.undo)}
                        </button>
                    }
                    .into_any()
                }
                None => view! {
                    <meter min="0" max="1" value=answer.confidence.to_string() aria-hidden="true"></meter>
                    <span class:unsure=needs_review(&answer)>{percent_words(answer.confidence)}</span>
                }
                .into_any(),
            }
        }
    };
    let confidence = move || answer().map(|answer| answer.confidence.to_string());
    view! {
        <td class="confidence" data-testid="confidence" data-confidence=confidence>{content}</td>
    }
}

/// A confidence as people read it.
pub fn percent_words(confidence: f32) -> String {
    match (100.0 * confidence).round() {
        0.0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    }
}
