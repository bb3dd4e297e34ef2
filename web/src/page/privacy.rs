//! What keeps the text on the device, and how to see that it does.

use gloo::utils::window;
use hangtag_web::traffic::Traffic;
use leptos::prelude::*;

use super::bundle::is_bundle;
use super::client::Client;
use super::state::{Isolation, Model, State};

/// Panel about privacy, with a live proof.
#[component]
pub fn Privacy() -> impl IntoView {
    let client = expect_context::<Client>();
    view! {
        <section class="card privacy" aria-labelledby="privacy-title">
            <h2 id="privacy-title">"Private by construction"</h2>
            <div class="columns">
                <div>
                    <h3>"What is enforced"</h3>
                    <ul>
                        <li>
                            "The model runs on your GPU. "
                            {if is_bundle() {
                                "There is no server at all: this page is one file on your own device."
                            } else {
                                "There is no server that reads texts: this site only hands out files."
                            }}
                        </li>
                        <li>
                            "The page's Content-Security-Policy says "
                            <code>{if is_bundle() { "connect-src 'none'" } else { "connect-src 'self'" }}</code>
                            {if is_bundle() {
                                ": your browser refuses every request, from the page and from the engine."
                            } else {
                                ": your browser refuses requests to any other site, from the page and from the engine."
                            }}
                        </li>
                        <li>
                            "Model, last text, feature list and an open list of products stay in this browser's storage until you \
                            delete them. No cookies, no analytics, no outside fonts or scripts."
                        </li>
                    </ul>
                </div>
                <div>
                    <h3>"How to verify it"</h3>
                    <ul>
                        <li>
                            "Open the developer tools (F12), tab Network, and press Extract: nothing is sent. The count \
                            below is the browser's own record of the same."
                        </li>
                        <li>"Or go offline once the model is loaded. It works just the same."</li>
                        <li>
                            "Or let your browser prove it: the button makes page and engine try to reach another site."
                        </li>
                    </ul>
                    <Requests />
                    <div class="chips">
                        <button
                            type="button"
                            class="small"
                            data-testid="isolation-check"
                            on:click=move |_| client.check_isolation()
                        >
                            "Try to reach another site"
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
            "Since you opened it, this page has made "
            {move || traffic.with(|traffic| traffic.places(&own_host))}
            ". "
            {move || traffic.with(Traffic::since_loaded_words)}
        </p>
    }
}

#[component]
fn Proof() -> impl IntoView {
    let state = expect_context::<State>();
    let verdict = move || {
        // Without WebGPU no engine was started, and the page's answer is the whole one.
        let no_engine = state.model.with(|model| matches!(model, Model::Unsupported(_)));
        match state.isolation.get() {
            Isolation { page: Some(true), worker: Some(true) } => {
                Some(("blocked", "Refused by your browser, for page and engine"))
            }
            Isolation { page: Some(true), worker: None } if no_engine => {
                Some(("blocked", "Refused by your browser"))
            }
            Isolation { page: Some(false), .. } | Isolation { worker: Some(false), .. } => {
                Some(("open", "Not refused: this copy of Hangtag is served without its policy"))
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
