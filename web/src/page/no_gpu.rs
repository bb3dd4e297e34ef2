//! A browser without a usable GPU: the processor answers. What is missing, and what to do.

use hangtag_web::ask::sentence;
use leptos::prelude::*;

use super::device::{Browser, Obstacle, browser};
use super::rich::rich;
use super::speech::{Pick, say};

/// Says that it is slow, and why. The advice is folded away, but for the part about the browser at hand.
#[component]
pub fn NoGpu(obstacle: Obstacle) -> impl IntoView {
    let (title, reason): (Pick, Pick) = match &obstacle {
        Obstacle::Insecure => (|words| words.no_gpu.insecure, |words| words.no_gpu.insecure_reason),
        Obstacle::Missing => (|words| words.no_gpu.missing, |words| words.no_gpu.missing_reason),
        Obstacle::NoAdapter(_) => {
            (|words| words.no_gpu.no_adapter, |words| words.no_gpu.no_adapter_reason)
        }
    };
    let detail = match &obstacle {
        Obstacle::NoAdapter(message) => Some(sentence(message)),
        _ => None,
    };
    let here = browser();
    let advice = (obstacle != Obstacle::Insecure).then(|| view! { <Advice here /> });
    view! {
        <section class="card no-gpu" aria-labelledby="no-gpu-title" data-testid="no-gpu" data-reason=obstacle.name()>
            <h2 id="no-gpu-title">{say(|words| words.no_gpu.slow)}</h2>
            <p>{say(|words| words.no_gpu.on_processor)}</p>
            <details>
                <summary>{say(title)}</summary>
                <p>{say(reason)}</p>
                {advice}
                {detail.map(|detail| view! {
                    <details>
                        <summary>{say(|words| words.no_gpu.browser_said)}</summary>
                        <p class="quiet-text" lang="en">{detail}</p>
                    </details>
                })}
            </details>
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
        <h3>{say(|words| words.no_gpu.what_to_do)}</h3>
        <details open=here == Browser::Chromium>
            <summary>{say(|words| words.no_gpu.chromium)}</summary>
            <ul>
                {line(|words| words.no_gpu.chromium_versions)}
                {line(|words| words.no_gpu.chromium_acceleration)}
                {line(|words| words.no_gpu.chromium_linux)}
                {line(|words| words.no_gpu.chromium_gpu)}
            </ul>
        </details>
        <details open=here == Browser::Safari>
            <summary>{say(|words| words.no_gpu.safari)}</summary>
            <ul>
                {line(|words| words.no_gpu.safari_versions)}
                {line(|words| words.no_gpu.safari_older)}
            </ul>
        </details>
        <details open=here == Browser::Firefox>
            <summary>"Firefox"</summary>
            <ul>
                {line(|words| words.no_gpu.firefox_versions)}
                {line(|words| words.no_gpu.firefox_elsewhere)}
            </ul>
        </details>
    }
}
