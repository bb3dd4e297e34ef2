//! The package's model card, which says how good the model was found to be.

use hangtag_web::markdown::{Block, Run, blocks};
use leptos::prelude::*;

use super::state::State;

/// The card, folded away; nothing where the package has none.
#[component]
pub fn CardText() -> impl IntoView {
    let state = expect_context::<State>();
    let card = Memo::new(move |_| state.package.get().and_then(|package| package.card));
    move || {
        card.get().map(|card| {
            view! {
                <details>
                    <summary>"How good it is"</summary>
                    <div class="card-text" data-testid="card">
                        {blocks(&card).into_iter().map(block).collect_view()}
                    </div>
                </details>
            }
        })
    }
}

fn block(block: Block) -> AnyView {
    match block {
        Block::Heading(words) => view! { <h3>{runs(words)}</h3> }.into_any(),
        Block::Paragraph(words) => view! { <p>{runs(words)}</p> }.into_any(),
        Block::Item(words) => view! { <p class="item">"• "{runs(words)}</p> }.into_any(),
        Block::Table(head, rows) => {
            let head = head.into_iter().map(|cell| view! { <th scope="col">{runs(cell)}</th> });
            let row = |row: Vec<Vec<Run>>| {
                let cells = row.into_iter().map(|cell| view! { <td>{runs(cell)}</td> });
                view! { <tr>{cells.collect_view()}</tr> }
            };
            view! {
                <table>
                    <thead><tr>{head.collect_view()}</tr></thead>
                    <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
                </table>
            }
            .into_any()
        }
    }
}

fn runs(runs: Vec<Run>) -> impl IntoView {
    let run = |run| match run {
        Run::Plain(words) => words.into_any(),
        Run::Strong(words) => view! { <strong>{words}</strong> }.into_any(),
        Run::Code(words) => view! { <code>{words}</code> }.into_any(),
    };
    runs.into_iter().map(run).collect_view()
}
