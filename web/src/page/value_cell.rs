//! One value: shown in the text, accepted, corrected or cleared, by pointer or keyboard.

use hangtag_web::correction::Correction;
use hangtag_web::highlight::tint;
use hangtag_web::words::Messages;
use leptos::ev::KeyboardEvent;
use leptos::html::Input;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::client::Client;
use super::list_table::focus_row;
use super::source_view::scroll_to_mark;
use super::speech::{say, speech};
use super::state::{Run, State};

/// The cell of a value that is there.
#[component]
pub fn ValueCell(run: Run, index: usize) -> impl IntoView {
    let settled = {
        let run = run.clone();
        Memo::new(move |_| run.rows[index].settled(&run.text))
    };
    let span = move || settled.with(|value| value.as_ref()?.span);
    let is_editing = RwSignal::new(false);
    let content = move || match is_editing.get() {
        true => view! { <Editor run=run.clone() index is_editing /> }.into_any(),
        false => view! { <Shown run=run.clone() index is_editing /> }.into_any(),
    };
    view! {
        <td
            data-testid="value"
            data-start=move || span().map(|span| span.start.to_string())
            data-end=move || span().map(|span| span.end.to_string())
        >
            {content}
        </td>
    }
}

#[component]
fn Shown(run: Run, index: usize, is_editing: RwSignal<bool>) -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let speech = state.speech;
    let settled = {
        let run = run.clone();
        Memo::new(move |_| run.rows[index].settled(&run.text))
    };
    let value = move || settled.get().and_then(|value| value.value);
    let is_found = Memo::new(move |_| {
        settled.with(|value| value.as_ref().is_some_and(|value| value.span.is_some()))
    });
    let is_elsewhere = move || value().is_some() && !is_found.get();
    let point = move |_| state.active.set(is_found.get_untracked().then_some(index));
    let show = move |_| {
        if is_found.get_untracked() {
            state.active.set(Some(index));
            scroll_to_mark(index);
        }
    };
    let correct = {
        let run = run.clone();
        move |correction| client.correct(&run, index, correction)
    };
    let product = run.product;
    let by_key = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        match event.key().as_str() {
            "Enter" | "F2" => is_editing.set(true),
            "a" | "A" => correct(Some(Correction::Accepted)),
            "Delete" | "Backspace" => correct(Some(Correction::Cleared)),
            "u" | "U" => correct(None),
            "ArrowDown" => focus_value(index + 1),
            "ArrowUp" => index.checked_sub(1).map(focus_value).unwrap_or_default(),
            "Escape" => product.map(focus_row).unwrap_or_default(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    view! {
        <div class="value-line">
            <button
                type="button"
                class=format!("found {}", tint(index))
                class:none=move || value().is_none()
                class:marked=is_found
                dir="auto"
                title=say(|words| words.results.found_title)
                on:focus=point
                on:blur=move |_| state.active.set(None)
                on:keydown=by_key
                on:click=show
            >
                {move || value().unwrap_or_else(|| speech.get().results.none.to_owned())}
            </button>
            <Show when=is_elsewhere>
                <span class="tag-note" title=say(|words| words.results.elsewhere_title)>
                    {say(|words| words.results.elsewhere)}
                </span>
            </Show>
            <Actions run=run.clone() index is_editing />
        </div>
    }
}

/// The same by pointer.
#[component]
fn Actions(run: Run, index: usize, is_editing: RwSignal<bool>) -> impl IntoView {
    let client = expect_context::<Client>();
    let speech = speech();
    let name = run.rows[index].name.clone();
    let labelled = |label: fn(&Messages, &str) -> String| {
        let name = name.clone();
        move || label(speech.get(), &name)
    };
    let accept = {
        let run = run.clone();
        move |_| client.correct(&run, index, Some(Correction::Accepted))
    };
    let clear = move |_| client.correct(&run, index, Some(Correction::Cleared));
    view! {
        <span class="value-actions">
            <button
                type="button"
                class="icon"
                data-testid="accept"
                aria-label=labelled(|words, name| words.results.name_is_right(name))
                title=say(|words| words.results.is_right)
                on:click=accept
            >
                "✓"
            </button>
            <button
                type="button"
                class="icon"
                data-testid="correct"
                aria-label=labelled(|words, name| words.results.correct_name(name))
                title=say(|words| words.results.correct)
                on:click=move |_| is_editing.set(true)
            >
                "✎"
            </button>
            <button
                type="button"
                class="icon"
                data-testid="clear"
                aria-label=labelled(|words, name| words.results.name_has_none(name))
                title=say(|words| words.results.has_none)
                on:click=clear
            >
                "✕"
            </button>
        </span>
    }
}

#[component]
fn Editor(run: Run, index: usize, is_editing: RwSignal<bool>) -> impl IntoView {
    let (client, speech) = (expect_context::<Client>(), speech());
    let field = NodeRef::<Input>::new();
    field.on_load(|field| {
        request_animation_frame(move || {
            let _ = field.focus();
            field.select();
        });
    });
    let row = &run.rows[index];
    let value = untrack(|| row.settled(&run.text)).and_then(|value| value.value);
    let choices =
        run.features.get(index).map(|feature| feature.choices.clone()).unwrap_or_default();
    let choices_id = format!("choices-{index}");
    let label = {
        let name = row.name.clone();
        move || speech.get().results.value_of(&name)
    };
    let save = move || {
        // Leaving the field ends the editing once.
        if !is_editing.get_untracked() {
            return;
        }
        let entry = field.get_untracked().map(|field| field.value()).unwrap_or_default();
        if let Some(answer) = run.rows[index].value.get_untracked() {
            client.correct(
                &run,
                index,
                Some(Correction::of_entry(speech.now().results.entry(&entry), &answer)),
            );
        }
        is_editing.set(false);
    };
    let by_key = {
        let save = save.clone();
        move |event: KeyboardEvent| {
            match event.key().as_str() {
                "Enter" => save(),
                "Escape" => is_editing.set(false),
                _ => return,
            }
            event.prevent_default();
            event.stop_propagation();
            focus_value(index);
        }
    };
    view! {
        <input
            type="text"
            class="edit"
            data-testid="edit"
            dir="auto"
            node_ref=field
            aria-label=label
            placeholder=say(|words| words.results.none)
            list=choices_id.clone()
            value=value.unwrap_or_default()
            on:keydown=by_key
            on:blur=move |_| save()
        />
        <datalist id=choices_id>
            {choices.into_iter().map(|choice| view! { <option value=choice></option> }).collect_view()}
        </datalist>
    }
}

/// Puts the cursor on a value, once it is in the document.
pub fn focus_value(index: usize) {
    request_animation_frame(move || {
        let selector = format!("[data-testid=row][data-index=\"{index}\"] .found");
        if let Ok(Some(button)) = document().query_selector(&selector) {
            let _ = button.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}
