//! The table of products. Only the rows in view are in the document, so that ten thousand scroll like ten.

use std::ops::Range;
use std::sync::Arc;

use hangtag_task::{Feature, FeatureValue};
use hangtag_web::correction::{needs_review, settled};
use hangtag_web::list::{Entry, Filter};
use hangtag_web::rows_in_view::{rows_in_view, scroll_to};
use hangtag_web::words::Messages;
use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDivElement;

use super::list_state::{ListState, OpenList};
use super::speech::say;
use super::state::State;
use super::value_cell::focus_value;

/// Height of a row in pixels; the style sheet sets the same.
const ROW_HEIGHT: f64 = 56.0;
/// Width of a feature's column, and of the two before them, in rem.
const FEATURE_WIDTH: f64 = 9.0;
const PRODUCT_WIDTH: f64 = 18.0;
/// Characters of a text that its row shows.
const SHOWN_CHARACTERS: usize = 110;

/// The products that the filter shows.
#[component]
pub fn ListTable() -> impl IntoView {
    let list = expect_context::<State>().products;
    let view = NodeRef::<Div>::new();
    let place = RwSignal::new((0.0, 600.0));
    let shown = Memo::new(move |_| shown_products(list));
    let range = Memo::new(move |_| {
        let (scrolled, height) = place.get();
        rows_in_view(scrolled, height, ROW_HEIGHT, shown.with(Vec::len))
    });
    let measure = move || {
        let Some(view) = view.get_untracked() else { return };
        keep_focus(&view);
        place.set((f64::from(view.scroll_top()), f64::from(view.client_height())));
    };
    view.on_load(move |_| request_animation_frame(measure));
    let resized = window_event_listener(leptos::ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    Effect::new(move |_| {
        list.filter.track();
        if let Some(view) = view.get_untracked() {
            view.set_scroll_top(0);
        }
        measure();
    });

    let step = move |event: KeyboardEvent| {
        if let Some(index) = moved(&event, &shown.get_untracked(), list.selected.get_untracked()) {
            event.prevent_default();
            list.selected.set(Some(index));
            bring_into_view(
                view,
                shown.with_untracked(|shown| shown.binary_search(&index).unwrap_or(0)),
            );
            measure();
            focus_row(index);
        }
    };
    view! {
        <div
            class="list-view"
            tabindex="-1"
            node_ref=view
            data-testid="list-view"
            on:scroll=move |_| measure()
            on:keydown=step
        >
            <Rows shown range />
            <Show when=move || shown.with(Vec::is_empty)>
                <p class="quiet-text nothing">{say(|words| words.list.none_left)}</p>
            </Show>
        </div>
    }
}

/// The table itself: its header, the rows in view, and the height of those that are not.
#[component]
fn Rows(shown: Memo<Vec<usize>>, range: Memo<Range<usize>>) -> impl IntoView {
    let list = expect_context::<State>().products;
    let features = Memo::new(move |_| {
        list.setup.get().map(|setup| setup.features.clone()).unwrap_or_default()
    });
    let width =
        move || format!("{}rem", PRODUCT_WIDTH + FEATURE_WIDTH * features.with(Vec::len) as f64);
    let rows = move || {
        let range = range.get();
        shown.with(|shown| shown.get(range).map(<[usize]>::to_vec).unwrap_or_default())
    };
    let above = move || format!("{}px", range.get().start as f64 * ROW_HEIGHT);
    let below =
        move || format!("{}px", (shown.with(Vec::len) - range.get().end) as f64 * ROW_HEIGHT);
    view! {
        <table class="list-table" style:width=width aria-rowcount=move || (shown.with(Vec::len) + 1).to_string()>
            <caption class="visually-hidden">
                {say(|words| words.list.caption)}
            </caption>
            <thead>
                <tr>
                    <th scope="col" class="product">{say(|words| words.list.product)}</th>
                    <For each=move || features.get() key=|feature| feature.name.clone() let(feature)>
                        <th scope="col" dir="auto" title=feature.name.clone()>{feature.name.clone()}</th>
                    </For>
                </tr>
            </thead>
            <tbody>
                <tr class="space" aria-hidden="true"><td style:height=above></td></tr>
                <For each=rows key=|index| *index let(index)>
                    <ProductRow index features />
                </For>
                <tr class="space" aria-hidden="true"><td style:height=below></td></tr>
            </tbody>
        </table>
    }
}

/// The products that the filter shows. A correction takes none away: they stay where the person is at work.
fn shown_products(list: ListState) -> Vec<usize> {
    list.answered.track();
    let rows = |open: &Arc<OpenList>| open.products.rows.len();
    match list.filter.get() {
        Filter::All => (0..list.open.with(|open| open.as_ref().map_or(0, rows))).collect(),
        filter => list.entries.with_untracked(|entries| {
            (0..entries.len()).filter(|&index| filter.shows(&entries[index])).collect()
        }),
    }
}

/// The product that a key leads to from the selected one.
fn moved(event: &KeyboardEvent, shown: &[usize], selected: Option<usize>) -> Option<usize> {
    let at = selected.and_then(|index| shown.binary_search(&index).ok());
    let last = shown.len().checked_sub(1)?;
    let to = match event.key().as_str() {
        "ArrowDown" => at.map_or(0, |at| (at + 1).min(last)),
        "ArrowUp" => at.map_or(0, |at| at.saturating_sub(1)),
        "PageDown" => (at.unwrap_or(0) + 8).min(last),
        "PageUp" => at.unwrap_or(0).saturating_sub(8),
        "Home" => 0,
        "End" => last,
        _ => return None,
    };
    shown.get(to).copied()
}

/// If the row with the cursor is scrolled out of the document, the table has the cursor, so that keys go on from there.
fn keep_focus(view: &HtmlDivElement) {
    if !document().active_element().is_some_and(|active| view.contains(Some(&active))) {
        return;
    }
    let view = view.clone();
    request_animation_frame(move || {
        let active = document().active_element();
        if active.is_none_or(|active| active.tag_name() == "BODY") {
            let _ = view.focus();
        }
    });
}

fn bring_into_view(view: NodeRef<Div>, row: usize) {
    let Some(view) = view.get_untracked() else { return };
    // The header covers the first row's height of the view.
    let height = f64::from(view.client_height()) - ROW_HEIGHT;
    if let Some(top) = scroll_to(row, f64::from(view.scroll_top()), height, ROW_HEIGHT) {
        view.set_scroll_top(top as i32);
    }
}

/// Puts the cursor on a product's row, once it is in the document.
pub fn focus_row(index: usize) {
    request_animation_frame(move || {
        let selector = format!(".list-table [data-index=\"{index}\"] button");
        if let Ok(Some(button)) = document().query_selector(&selector) {
            let _ = button.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}

#[component]
fn ProductRow(index: usize, features: Memo<Vec<Feature>>) -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let entry = Memo::new(move |_| {
        list.entries.with(|entries| entries.get(index).cloned().unwrap_or_default())
    });
    let line = list.open.with_untracked(|open| Some(open.as_ref()?.products.rows.get(index)?.line));
    let text = Memo::new(move |_| list.text(index).map(|text| start_of(&text)));
    let is_selected = move || list.selected.get() == Some(index);
    let open = move |event: MouseEvent| {
        list.selected.set(Some(index));
        // Pressed by keyboard.
        if event.detail() == 0 {
            focus_value(0);
        }
    };
    let cells = move || {
        let entry = entry.get();
        match &entry.answer {
            Some(Err(problem)) => {
                let columns = features.with(Vec::len).max(1).to_string();
                // What the file lacks is known in every language, what the engine says is English.
                let problem = match text.get() {
                    Err(error) => speech.get().row_error(&error),
                    Ok(_) => problem.clone(),
                };
                view! { <td class="problem" colspan=columns><span>{problem}</span></td> }.into_any()
            }
            _ => (0..features.with(Vec::len))
                .map(|feature| cell(speech.get(), &entry, feature))
                .collect_view()
                .into_any(),
        }
    };
    view! {
        <tr
            data-testid="product"
            data-index=index.to_string()
            data-state=move || entry.with(Entry::state)
            class:selected=is_selected
            aria-rowindex=(index + 2).to_string()
        >
            <th scope="row" class="product">
                <button
                    type="button"
                    aria-pressed=move || if is_selected() { "true" } else { "false" }
                    tabindex=move || if is_selected() || list.selected.get().is_none() { "0" } else { "-1" }
                    on:click=open
                >
                    <span class="line">{line.map(|line| line.to_string())}</span>
                    <span class="start" dir="auto">
                        {move || text.get().unwrap_or_else(|problem| format!("({})", speech.get().row_error(&problem)))}
                    </span>
                </button>
            </th>
            {cells}
        </tr>
    }
}

fn start_of(text: &str) -> String {
    let start: String = text.trim_start().chars().take(SHOWN_CHARACTERS).collect();
    start.replace('\n', " · ")
}

/// One value, with how sure it is.
fn cell(messages: &Messages, entry: &Entry, feature: usize) -> AnyView {
    let Some(answer) = entry.answers().get(feature) else {
        return view! { <td class="pending">"…"</td> }.into_any();
    };
    let correction = entry.corrections.get(&feature);
    // The place in the text does not matter here.
    let FeatureValue { value, .. } = settled(answer, correction, "");
    let state = match correction {
        Some(_) => "checked",
        None if needs_review(answer) => "review",
        None => "sure",
    };
    let note = match correction {
        Some(correction) => messages.results.by_hand(correction).to_owned(),
        None => super::results_table::percent_words(answer.confidence),
    };
    let is_none = value.is_none();
    let value = value.unwrap_or_else(|| messages.results.none.to_owned());
    view! {
        <td data-cell=state>
            <span class="value" class:none=is_none dir="auto" title=value.clone()>{value.clone()}</span>
            <span class="sure">{note}</span>
        </td>
    }
    .into_any()
}
