//! One feature as a row: its name, its kind, and the unit or the choices of that kind.

use std::collections::HashMap;

use hangtag_task::Kind;
use hangtag_web::feature_list::{Fault, FeatureRow, KINDS, kind_of_value, kind_value};
use hangtag_web::words::Features;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use super::feature_rows::{RowActions, focus_name};
use super::speech::{say, speech};
use super::state::State;

/// The row of this id. It reads its state anew whenever that has changed, and is itself the same wherever it stands.
#[component]
pub fn FeatureRowEditor(
    id: u32,
    actions: RowActions,
    faults: Memo<HashMap<u32, Fault>>,
) -> impl IntoView {
    let state = expect_context::<State>();
    let (list, speech) = (state.features.list, state.speech);
    let row = Memo::new(move |_| list.with(|list| list.row(id).cloned()));
    let kind = Memo::new(move |_| row.with(|row| row.as_ref().map_or(Kind::Span, |row| row.kind)));
    let fault = Memo::new(move |_| faults.with(|faults| faults.get(&id).cloned()));
    let place = Memo::new(move |_| list.with(|list| list.place(id)).unwrap_or(0));
    let fault_id = format!("feature-fault-{id}");
    let message = {
        let fault_id = fault_id.clone();
        move || {
            let fault = fault.get()?;
            let class = if fault.is_in_the_way() { "field-error" } else { "hint" };
            let words = speech.get().features.fault(&fault);
            Some(
                view! { <p id=fault_id.clone() class=class data-testid="feature-fault">{words}</p> },
            )
        }
    };
    view! {
        <li
            class="feature-row"
            data-testid="feature-row"
            data-kind=move || kind_value(kind.get())
            on:keydown=move |event| actions.move_by_key(id, &event)
        >
            <Name id actions row place fault fault_id />
            <KindChoice id actions row kind />
            <RowButtons id actions row place />
            {move || match kind.get() {
                Kind::Number => view! { <Unit id actions row /> }.into_any(),
                Kind::Choice => view! { <Choices id actions row fault /> }.into_any(),
                Kind::Span | Kind::Boolean | Kind::Free => ().into_any(),
            }}
            {message}
        </li>
    }
}

type Shown = Memo<Option<FeatureRow>>;

fn shown(row: Shown, part: fn(&FeatureRow) -> &String) -> String {
    row.with(|row| row.as_ref().map(|row| part(row).clone()).unwrap_or_default())
}

/// What a thing in a row is called, by the name of the row.
fn label(row: Shown, pick: fn(&Features, &str) -> String) -> impl Fn() -> String + Copy {
    let speech = speech();
    move || {
        let words = &speech.get().features;
        pick(words, words.named(shown(row, |row| &row.name).trim()))
    }
}

#[component]
fn Name(
    id: u32,
    actions: RowActions,
    row: Shown,
    place: Memo<usize>,
    fault: Memo<Option<Fault>>,
    fault_id: String,
) -> impl IntoView {
    let speech = speech();
    let is_wrong =
        move || fault.with(|fault| matches!(fault, Some(Fault::Twice | Fault::LongName)));
    let write = move |event: leptos::ev::Event| {
        let written = event_target_value(&event);
        let last = actions.change(|list| list.rename(id, &written));
        if written.contains(',') {
            // The signal may not have changed, and would leave the comma in the field.
            let field = event_target::<web_sys::HtmlInputElement>(&event);
            field.set_value(&shown_now(row));
        }
        if let Some(last) = last {
            focus_name(last);
        }
    };
    let by_key = move |event: KeyboardEvent| {
        let is_plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        let is_blank =
            row.with_untracked(|row| row.as_ref().is_some_and(|row| row.name.is_empty()));
        match event.key().as_str() {
            "Enter" if is_plain && !event.is_composing() => actions.add(Some(id)),
            "Backspace" if is_plain && is_blank => actions.remove(id),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <input
            type="text"
            class="name"
            id=format!("feature-{id}")
            data-testid="feature-row-name"
            dir="auto"
            spellcheck="false"
            autocomplete="off"
            placeholder=say(|words| words.features.name)
            aria-label=move || speech.get().features.name_of(place.get() + 1)
            aria-describedby=format!("{fault_id} features-keys")
            aria-invalid=move || if is_wrong() { "true" } else { "false" }
            prop:value=move || shown(row, |row| &row.name)
            on:input=write
            on:keydown=by_key
        />
    }
}

fn shown_now(row: Shown) -> String {
    untrack(|| shown(row, |row| &row.name))
}

#[component]
fn KindChoice(id: u32, actions: RowActions, row: Shown, kind: Memo<Kind>) -> impl IntoView {
    let speech = speech();
    let options = KINDS.map(|one| {
        view! { <option value=kind_value(one) prop:selected=move || kind.get() == one>{move || speech.get().features.kind(one)}</option> }
    });
    let choose = move |event| {
        if let Some(kind) = kind_of_value(&event_target_value(&event)) {
            actions.change(|list| list.change(id, |row| row.kind = kind));
        }
    };
    view! {
        <select
            data-testid="feature-row-kind"
            aria-label=label(row, Features::kind_of)
            on:change=choose
        >
            {options.collect_view()}
        </select>
    }
}

#[component]
fn RowButtons(id: u32, actions: RowActions, row: Shown, place: Memo<usize>) -> impl IntoView {
    let list = expect_context::<State>().features.list;
    let is_last = move || place.get() + 1 == list.with(|list| list.rows().len());
    let (up, down) = (format!("feature-up-{id}"), format!("feature-down-{id}"));
    let (to_up, to_down) = (up.clone(), down.clone());
    view! {
        <span class="row-buttons">
            <button
                type="button"
                class="icon"
                id=up
                data-testid="feature-up"
                aria-label=label(row, Features::move_up)
                title=say(|words| words.features.move_up_title)
                disabled=move || place.get() == 0
                on:click=move |_| actions.shift(id, true, Some(to_down.clone()))
            >
                "↑"
            </button>
            <button
                type="button"
                class="icon"
                id=down
                data-testid="feature-down"
                aria-label=label(row, Features::move_down)
                title=say(|words| words.features.move_down_title)
                disabled=is_last
                on:click=move |_| actions.shift(id, false, Some(to_up.clone()))
            >
                "↓"
            </button>
            <button
                type="button"
                class="icon"
                id=format!("feature-remove-{id}")
                data-testid="feature-remove"
                aria-label=label(row, Features::remove)
                title=say(|words| words.features.remove_title)
                on:click=move |_| actions.remove(id)
            >
                "✕"
            </button>
        </span>
    }
}

#[component]
fn Unit(id: u32, actions: RowActions, row: Shown) -> impl IntoView {
    let write = move |event| {
        let unit = event_target_value(&event);
        actions.change(|list| list.change(id, |row| row.unit = unit));
    };
    view! {
        <label class="row-detail unit">
            <span class="hint">{say(|words| words.features.unit)}</span>
            <input
                type="text"
                id=format!("feature-unit-{id}")
                data-testid="feature-row-unit"
                aria-label=label(row, Features::unit_of)
                placeholder="cm, kg, W …"
                maxlength="20"
                spellcheck="false"
                autocomplete="off"
                prop:value=move || shown(row, |row| &row.unit)
                on:input=write
            />
        </label>
    }
}

#[component]
fn Choices(id: u32, actions: RowActions, row: Shown, fault: Memo<Option<Fault>>) -> impl IntoView {
    let is_wrong =
        move || fault.with(|fault| matches!(fault, Some(Fault::NoChoices | Fault::ChoiceTwice(_))));
    let write = move |event| {
        let choices = event_target_value(&event);
        actions.change(|list| list.change(id, |row| row.choices = choices));
    };
    view! {
        <label class="row-detail">
            <span class="hint">{say(|words| words.features.choices)}</span>
            <input
                type="text"
                id=format!("feature-choices-{id}")
                data-testid="feature-row-choices"
                dir="auto"
                aria-label=label(row, Features::choices_of)
                aria-describedby=format!("feature-fault-{id}")
                aria-invalid=move || if is_wrong() { "true" } else { "false" }
                placeholder="women, men, unisex"
                spellcheck="false"
                autocomplete="off"
                prop:value=move || shown(row, |row| &row.choices)
                on:input=write
            />
        </label>
    }
}
