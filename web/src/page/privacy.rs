//! What keeps the text on the device, and how to see that it does.

use gloo::utils::window;
use hangtag_web::traffic::Traffic;
use leptos::prelude::*;

use super::bundle::is_bundle;
use super::client::Client;
use super::rich::rich;
use super::speech::{Pick, say};
use super::state::{Isolation, State};

/// Panel about privacy, with a live proof.
#[component]
pub fn Privacy() -> impl IntoView {
    let client = expect_context::<Client>();
    let line = |pick: Pick| {
        let text = say(pick);
        view! { <li>{move || rich(text())}</li> }
    };
    let (server, policy): (Pick, Pick) = match is_bundle() {
        true => (|words| words.privacy.no_server_at_all, |words| words.privacy.policy_of_bundle),
        false => (|words| words.privacy.no_server, |words| words.privacy.policy),
    };
    view! {
        <section class="card privacy" aria-labelledby="privacy-title">
            <h2 id="privacy-title">{say(|words| words.privacy.title)}</h2>
            <div class="columns">
                <div>
                    <h3>{say(|words| words.privacy.enforced)}</h3>
                    <ul>{line(server)} {line(policy)} {line(|words| words.privacy.kept)}</ul>
                </div>
                <div>
                    <h3>{say(|words| words.privacy.verify)}</h3>
                    <ul>
                        {line(|words| words.privacy.developer_tools)}
                        {line(|words| words.privacy.offline)}
                        {line(|words| words.privacy.proof)}
                    </ul>
                    <Requests />
                    <div class="chips">
                        <button
                            type="button"
                            class="small"
                            data-testid="isolation-check"
                            on:click=move |_| client.check_isolation()
                        >
                            {say(|words| words.privacy.check)}
                        </button>
                        <Proof />
                    </div>
                </div>
            </div>
        </section>
    }
}

/// How many requests there were so far, and where they went.
#[component]
fn Requests() -> impl IntoView {
    let state = expect_context::<State>();
    let speech = state.speech;
    let own_host = window().location().host().unwrap_or_default();
    let host = own_host.clone();
    let traffic = Memo::new(move |_| {
        let loaded_ms = state.loaded_ms.get();
        state.requests.with(|requests| Traffic::of(requests, &host, loaded_ms))
    });
    let count = |number: usize| number.to_string();
    view! {
        <p
            class="requests"
            data-testid="requests"
            data-count=move || traffic.with(|traffic| count(traffic.count()))
            data-elsewhere=move || traffic.with(|traffic| count(traffic.elsewhere.len()))
            data-since-loaded=move || traffic.with(|traffic| traffic.since_loaded.map(count))
        >
            {move || traffic.with(|traffic| speech.get().privacy.traffic(traffic, &own_host))}
            " "
            {move || traffic.with(|traffic| speech.get().privacy.since_loaded(traffic))}
        </p>
    }
}

#[component]
fn Proof() -> impl IntoView {
    let state = expect_context::<State>();
    let verdict = move || {
        let words = &state.speech.get().privacy;
        match state.isolation.get() {
            Isolation { page: Some(true), worker: Some(true) } => Some(("blocked", words.blocked)),
            Isolation { page: Some(false), .. } | Isolation { worker: Some(false), .. } => {
                Some(("open", words.open))
            }
            _ => None,
        }
    };
    view! {
        <span
            class="verdict"
            role="status"
            data-testid="isolation-result"
            data-result=move || verdict().map(|(result, _)| result)
        >
            {move || verdict().map(|(_, words)| words)}
        </span>
    }
}
