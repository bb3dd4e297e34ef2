//! The page of a browser without WebGPU: what is missing, and what to do.

use hangtag_web::ask::sentence;
use leptos::prelude::*;

use super::device::{Browser, Obstacle, browser};
use super::rich::rich;
use super::speech::{Pick, say};

/// Explains the obstacle; the advice for the browser at hand is unfolded.
#[component]
pub fn Unsupported(obstacle: Obstacle) -> impl IntoView {
    let (title, reason): (Pick, Pick) = match &obstacle {
        Obstacle::Insecure => {
            (|words| words.unsupported.insecure, |words| words.unsupported.insecure_reason)
        }
        Obstacle::Missing => {
            (|words| words.unsupported.missing, |words| words.unsupported.missing_reason)
        }
        Obstacle::NoAdapter(_) => {
            (|words| words.unsupported.no_adapter, |words| words.unsupported.no_adapter_reason)
        }
    };
    let detail = match &obstacle {
        Obstacle::NoAdapter(message) => Some(sentence(message)),
        _ => None,
    };
    let here = browser();
    let advice = (obstacle != Obstacle::Insecure).then(|| view! { <Advice here /> });
    view! {
        <section class="card unsupported" data-testid="unsupported" data-reason=obstacle.name()>
            <h2>{say(title)}</h2>
            <p>{say(reason)}</p>
            {advice}
            {detail.map(|detail| view! {
                <details>
                    <summary>{say(|words| words.unsupported.browser_said)}</summary>
                    <p class="quiet-text" lang="en">{detail}</p>
                </details>
            })}
        </section>
    }
}

#[component]
fn Advice(here: Browser) -> impl IntoView {
    let line = |pick: Pick| {
        let text = say(pick);
        view! { <li>{move || rich(text())}</li> }
    };
    view! {
        <h3>{say(|words| words.unsupported.what_to_do)}</h3>
        <details open=here == Browser::Chromium>
            <summary>{say(|words| words.unsupported.chromium)}</summary>
            <ul>
                {line(|words| words.unsupported.chromium_versions)}
                {line(|words| words.unsupported.chromium_acceleration)}
                {line(|words| words.unsupported.chromium_linux)}
                {line(|words| words.unsupported.chromium_gpu)}
            </ul>
        </details>
        <details open=here == Browser::Safari>
            <summary>{say(|words| words.unsupported.safari)}</summary>
            <ul>
                {line(|words| words.unsupported.safari_versions)}
                {line(|words| words.unsupported.safari_older)}
            </ul>
        </details>
        <details open=here == Browser::Firefox>
            <summary>"Firefox"</summary>
            <ul>
                {line(|words| words.unsupported.firefox_versions)}
                {line(|words| words.unsupported.firefox_elsewhere)}
            </ul>
        </details>
    }
}
