//! The table of features. Rows are there from the start and fill in as answers come.

use hangtag_task::FeatureValue;
use leptos::prelude::*;

use super::source_view::scroll_to_mark;
use super::state::{Phase, Run, State};

/// Table of one run.
#[component]
pub fn ResultsTable(run: Run) -> impl IntoView {
    let rows = (0..run.rows.len())
        .map(|index| view! { <TableRow run=run.clone() index /> })
        .collect_view();
    view! {
        <table>
            <caption class="visually-hidden">"Features of the product text, with value and confidence"</caption>
            <thead>
                <tr>
                    <th scope="col">"Feature"</th>
                    <th scope="col">"Value"</th>
                    <th scope="col">"Confidence"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

#[component]
fn TableRow(run: Run, index: usize) -> impl IntoView {
    let state = expect_context::<State>();
    let Run { rows, phase, .. } = run;
    let answer = rows[index].value.clone();
    let point = {
        let answer = answer.clone();
        move || {
            let is_found = answer
                .with_untracked(|value| value.as_ref().is_some_and(|value| value.span.is_some()));
            state.active.set(is_found.then_some(index));
        }
    };
    let row_state = {
        let answer = answer.clone();
        move || {
            answer.with(|value| match value {
                None => "pending",
                Some(FeatureValue { value: None, .. }) => "none",
                Some(_) => "value",
            })
        }
    };
    let cells = {
        let point = point.clone();
        move || match answer.get() {
            None => view! { <Pending phase=phase.clone() /> }.into_any(),
            Some(value) => {
                let confidence = value.confidence;
                view! {
                    <ValueCell value index point=point.clone() />
                    <ConfidenceCell confidence />
                }
                .into_any()
            }
        }
    };
    view! {
        <tr
            data-testid="row"
            data-index=index.to_string()
            data-state=row_state
            class:active=move || state.active.get() == Some(index)
            on:mouseenter=move |_| point()
            on:mouseleave=move |_| state.active.set(None)
        >
            <th scope="row" dir="auto" data-testid="feature-name">{rows[index].name.clone()}</th>
            {cells}
        </tr>
    }
}

#[component]
fn Pending(phase: ArcRwSignal<Phase>) -> impl IntoView {
    let words = move || if phase.get().is_open() { "…" } else { "not answered" };
    view! {
        <td class="pending" data-testid="value">{words}</td>
        <td></td>
    }
}

#[component]
fn ValueCell(
    value: FeatureValue,
    index: usize,
    point: impl Fn() + Clone + 'static,
) -> impl IntoView {
    let state = expect_context::<State>();
    let (start, end) = match value.span {
        Some(span) => (Some(span.start.to_string()), Some(span.end.to_string())),
        None => (None, None),
    };
    let content = match value.value {
        None => view! { <span class="none">"none"</span> }.into_any(),
        Some(text) if value.span.is_some() => view! {
            <button
                type="button"
                class="found"
                dir="auto"
                title="Show in the text"
                on:focus=move |_| point()
                on:blur=move |_| state.active.set(None)
                on:click=move |_| {
                    state.active.set(Some(index));
                    scroll_to_mark(index);
                }
            >
                {text}
            </button>
        }
        .into_any(),
        Some(text) => view! {
            <span dir="auto">{text}</span>
            <span class="tag-note" title="The model's own words: this value is not in the text">"not in the text"</span>
        }
        .into_any(),
    };
    view! { <td data-testid="value" data-start=start data-end=end>{content}</td> }
}

#[component]
fn ConfidenceCell(confidence: f32) -> impl IntoView {
    let words = match (100.0 * confidence).round() {
        0.0 => "<1%".to_owned(),
        percent => format!("{percent}%"),
    };
    view! {
        <td class="confidence" data-testid="confidence" data-confidence=confidence.to_string()>
            <meter min="0" max="1" value=confidence.to_string() aria-hidden="true"></meter>
            <span>{words}</span>
        </td>
    }
}
