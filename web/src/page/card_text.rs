//! The package's model card, which says how good the model was found to be.

use hangtag_web::markdown::{Block, Run, blocks};
use leptos::prelude::*;

use super::rich::show;
use super::speech::say;
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
                    <summary>{say(|words| words.model.how_good)}</summary>
                    <div class="card-text" data-testid="card" lang="en">
                        {blocks(&card).into_iter().map(block).collect_view()}
                    </div>
                </details>
            }
        })
    }
}

fn block(block: Block) -> AnyView {
    match block {
        Block::Heading(words) => view! { <h3>{show(words)}</h3> }.into_any(),
        Block::Paragraph(words) => view! { <p>{show(words)}</p> }.into_any(),
        Block::Item(words) => view! { <p class="item">"• "{show(words)}</p> }.into_any(),
        Block::Table(head, rows) => {
            let head = head.into_iter().map(|cell| view! { <th scope="col">{show(cell)}</th> });
            let row = |row: Vec<Vec<Run>>| {
                let cells = row.into_iter().map(|cell| view! { <td>{show(cell)}</td> });
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
