//! The text of a run, with the found values marked in it.

use gloo::utils::document;
use hangtag_web::highlight::{Piece, pieces, tint};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::speech::say;
use super::state::{Run, State};

/// The text that was read. It scrolls by itself, never the page.
#[component]
pub fn SourceView(run: Run) -> impl IntoView {
    let state = expect_context::<State>();
    let Run { text, rows, .. } = run;
    let parts = Memo::new(move |_| {
        let span = |row: &super::state::Row| row.settled(&text)?.span;
        let spans: Vec<_> =
            rows.iter().enumerate().filter_map(|(index, row)| Some((index, span(row)?))).collect();
        pieces(&text, &spans)
    });
    Effect::new(move |_| {
        if let Some(index) = state.active.get() {
            scroll_to_mark(index);
        }
    });
    view! {
        <div
            class="source"
            id="source"
            data-testid="source"
            dir="auto"
            tabindex="0"
            role="region"
            aria-label=say(|words| words.results.source)
        >
            {move || parts.get().into_iter().map(|piece| view! { <Part piece /> }).collect_view()}
        </div>
    }
}

#[component]
fn Part(piece: Piece) -> impl IntoView {
    let state = expect_context::<State>();
    let Piece { text, features } = piece;
    let Some(&first) = features.first() else {
        return text.into_any();
    };
    let listed: Vec<String> = features.iter().map(usize::to_string).collect();
    let is_active = move || state.active.get().is_some_and(|index| features.contains(&index));
    view! {
        <mark
            class=tint(first)
            data-features=listed.join(" ")
            class:active=is_active
            on:mouseenter=move |_| state.active.set(Some(first))
            on:mouseleave=move |_| state.active.set(None)
        >
            {text}
        </mark>
    }
    .into_any()
}

/// Scrolls the text, if it has a scroll bar, until the value of a feature is in sight.
pub fn scroll_to_mark(index: usize) {
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    let Some(mark) = find(&format!("#source mark[data-features~=\"{index}\"]")) else { return };
    let Some(source) = find("#source") else { return };
    let mark: web_sys::HtmlElement = mark.unchecked_into();
    let (top, bottom) = (mark.offset_top(), mark.offset_top() + mark.offset_height());
    let (sight_top, height) = (source.scroll_top(), source.client_height());
    if top < sight_top || bottom > sight_top + height {
        source.set_scroll_top(top - height / 3);
    }
}
