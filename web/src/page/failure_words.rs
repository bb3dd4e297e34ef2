//! What has failed, in words.

use hangtag_web::ask::sentence;
use hangtag_web::protocol::Failure;
use hangtag_web::words::Language;
use leptos::prelude::*;

use super::speech::speech;

/// What has failed, and what to do. The engine's exact words are English; in other languages a sentence goes before them.
#[component]
pub fn FailureWords(failure: Failure) -> impl IntoView {
    let speech = speech();
    let kind = failure.kind;
    let what = move || {
        let words = speech.get();
        (words.language != Language::English).then(|| view! { <p>{words.failures.what(kind)}</p> })
    };
    view! {
        {what}
        <p lang="en">{sentence(&failure.message)}</p>
        <p>{move || speech.get().failures.advice(kind)}</p>
    }
}
