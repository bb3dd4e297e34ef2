//! One text, or a list of products.

use leptos::prelude::*;

use super::state::{State, View};

/// The two uses of the page, side by side.
#[component]
pub fn ViewSwitch() -> impl IntoView {
    let state = expect_context::<State>();
    let button = move |view: View, label: &'static str, test_id: &'static str| {
        view! {
            <button
                type="button"
                data-testid=test_id
                aria-pressed=move || if state.view.get() == view { "true" } else { "false" }
                on:click=move |_| state.view.set(view)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="switch" role="group" aria-label="What to read">
            {button(View::Text, "One text", "view-text")}
            {button(View::List, "A list of products", "view-list")}
        </div>
    }
}
