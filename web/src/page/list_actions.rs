//! Start, Pause and Go on, for a list.

use leptos::prelude::*;

use super::client::Client;
use super::list_state::ListPhase;
use super::speech::say;
use super::state::State;

/// The buttons of the list.
#[component]
pub fn ListActions() -> impl IntoView {
    let list = expect_context::<State>().products;
    let client = expect_context::<Client>();
    let first = move || {
        match list.phase.get() {
        ListPhase::Running => view! {
            <button type="button" class="primary" data-testid="list-pause" on:click=move |_| client.pause_list()>
                {say(|words| words.list.pause)}
            </button>
        }
        .into_any(),
        ListPhase::Paused => view! {
            <button type="button" class="primary" data-testid="list-go-on" on:click=move |_| client.go_on_with_list()>
                {say(|words| words.list.go_on)}
            </button>
        }
        .into_any(),
        ListPhase::Finished => ().into_any(),
        phase => view! {
            <button
                type="button"
                class="primary"
                data-testid="list-start"
                disabled=phase != ListPhase::Chosen
                on:click=move |_| client.start_list()
            >
                {say(|words| words.list.start)}
            </button>
        }
        .into_any(),
    }
    };
    view! {
        <div class="actions">
            {first}
            <StartOver />
        </div>
        <Changed />
    }
}

/// Whether fields and columns ask for something else than the rows were filled in with.
fn is_changed(state: State) -> bool {
    let Some(setup) = state.products.setup.get() else { return false };
    state.features.text.track();
    state.features.list.track();
    let same = state.features.asked().is_ok_and(|features| features == setup.features);
    !same || state.products.text_columns.with(|columns| *columns != setup.text_columns)
}

/// Starts anew; asks once more, because what was filled in goes.
#[component]
fn StartOver() -> impl IntoView {
    let State { products: list, speech, .. } = expect_context();
    let client = expect_context::<Client>();
    let is_asking = RwSignal::new(false);
    let press = move |_| {
        let is_sure = is_asking.get_untracked();
        is_asking.set(!is_sure);
        if is_sure {
            client.start_list();
        }
    };
    let may_start_over =
        move || matches!(list.phase.get(), ListPhase::Paused | ListPhase::Finished);
    view! {
        <Show when=may_start_over>
            <button
                type="button"
                class:danger=is_asking
                data-testid="list-start-over"
                on:blur=move |_| is_asking.set(false)
                on:click=press
            >
                {move || {
                    let words = &speech.get().list;
                    if is_asking.get() { words.discard } else { words.start_over }
                }}
            </button>
        </Show>
    }
}

#[component]
fn Changed() -> impl IntoView {
    let state = expect_context::<State>();
    let words = move || {
        let setup = state.products.setup.get().filter(|_| is_changed(state))?;
        let names: Vec<&str> = setup.features.iter().map(|feature| feature.name.as_str()).collect();
        let columns = setup.text_columns.join(" + ");
        Some(state.speech.get().list.changed(&names.join(", "), &columns))
    };
    move || words().map(|words| view! { <p class="note" data-testid="list-changed">{words}</p> })
}
