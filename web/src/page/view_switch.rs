//! One text, or a list of products.

use leptos::prelude::*;

use super::speech::{Pick, say};
use super::state::{State, View};

/// The two uses of the page, side by side.
#[component]
pub fn ViewSwitch() -> impl IntoView {
    let state = expect_context::<State>();
    let button = move |view: View, label: Pick, test_id: &'static str| {
        view! {
            <button
                type="button"
                data-testid=test_id
                aria-pressed=move || if state.view.get() == view { "true" } else { "false" }
                on:click=move |_| state.view.set(view)
            >
                {say(label)}
            </button>
        }
    };
    view! {
        <div class="switch" role="group" aria-label=say(|words| words.frame.what_to_read)>
            {button(View::Text, |words| words.frame.one_text, "view-text")}
            {button(View::List, |words| words.frame.a_list, "view-list")}
        </div>
    }
}
