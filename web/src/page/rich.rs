//! Text with code and strong words in it.

use hangtag_web::markdown::{Run, runs};
use leptos::prelude::*;

/// The runs of a line of Markdown.
pub fn rich(line: &str) -> impl IntoView + use<> {
    show(runs(line))
}

/// Runs as elements.
pub fn show(runs: Vec<Run>) -> impl IntoView {
    let run = |run| match run {
        Run::Plain(words) => words.into_any(),
        Run::Strong(words) => view! { <strong>{words}</strong> }.into_any(),
        Run::Code(words) => view! { <code>{words}</code> }.into_any(),
    };
    runs.into_iter().map(run).collect_view()
}
