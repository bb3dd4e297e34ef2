//! The mark: a hang tag on its string.

use leptos::prelude::*;

/// The hang tag; decorative, so hidden from screen readers.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="logo-string" d="M10.5 10.5C6 7 6.5 2.5 11 2.2c4-.3 4.5 4 1.5 6.3" />
            <path
                class="logo-tag"
                fill-rule="evenodd"
                d="M8.2 7h7.4a3 3 0 0 1 2.1.9l10.4 10.4a3 3 0 0 1 0 4.2l-5.6 5.6a3 3 0 0 1-4.2 0L7.9 17.7a3 3 0 0 1-.9-2.1V8.2A1.2 1.2 0 0 1 8.2 7Zm3.3 6.4a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8Z"
            />
            <path class="logo-lines" d="m15.6 17.4 4.9-4.9M18.6 20.4l4.9-4.9M21.4 23.2l2.9-2.9" />
        </svg>
    }
}
