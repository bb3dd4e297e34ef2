//! The page of a browser without WebGPU: what is missing, and what to do.

use hangtag_web::ask::sentence;
use leptos::prelude::*;

use super::device::{Browser, Obstacle, browser};

/// Explains the obstacle; the advice for the browser at hand is unfolded.
#[component]
pub fn Unsupported(obstacle: Obstacle) -> impl IntoView {
    let (title, reason) = match &obstacle {
        Obstacle::Insecure => (
            "This address is not secure enough for WebGPU",
            "Browsers offer WebGPU only over https, or at localhost and 127.0.0.1. Open the page at such an address.",
        ),
        Obstacle::Missing => (
            "This browser does not offer WebGPU",
            "Hangtag runs its language model on your own GPU, and WebGPU is the browser's way to it. Without it there \
             is nothing that could read your text: it is never sent to a server instead.",
        ),
        Obstacle::NoAdapter(_) => (
            "WebGPU is here, but no GPU could be used",
            "Often hardware acceleration is switched off, or the driver is on the browser's block list.",
        ),
    };
    let detail = match &obstacle {
        Obstacle::NoAdapter(message) => Some(sentence(message)),
        _ => None,
    };
    let here = browser();
    let advice = (obstacle != Obstacle::Insecure).then(|| view! { <Advice here /> });
    view! {
        <section class="card unsupported" data-testid="unsupported" data-reason=obstacle.name()>
            <h2>{title}</h2>
            <p>{reason}</p>
            {advice}
            {detail.map(|detail| view! {
                <details>
                    <summary>"What the browser said"</summary>
                    <p class="quiet-text">{detail}</p>
                </details>
            })}
        </section>
    }
}

#[component]
fn Advice(here: Browser) -> impl IntoView {
    view! {
        <h3>"What to do"</h3>
        <details open=here == Browser::Chromium>
            <summary>"Chrome, Edge, Brave and other Chromium browsers"</summary>
            <ul>
                <li>"Windows, macOS, ChromeOS: version 113 or newer has WebGPU. Android: version 121 or newer, on Android 12 or newer."</li>
                <li>"In Settings, System, switch on "<em>"Use graphics acceleration when available"</em>" and restart."</li>
                <li>
                    "Linux: open "<code>"chrome://flags"</code>" and enable "<em>"Unsafe WebGPU Support"</em>" and "
                    <em>"Vulkan"</em>"; or start with "
                    <code>"--enable-unsafe-webgpu --enable-features=Vulkan"</code>"."
                </li>
                <li><code>"chrome://gpu"</code>" shows what the browser thinks of your GPU."</li>
            </ul>
        </details>
        <details open=here == Browser::Safari>
            <summary>"Safari, and all browsers on iPhone and iPad"</summary>
            <ul>
                <li>"Safari 26 on macOS 26, iOS 26 and iPadOS 26, or newer, has WebGPU."</li>
                <li>"Older ones: Settings, Apps, Safari, Advanced, Feature Flags, "<em>"WebGPU"</em>"; on a Mac in the Develop menu."</li>
            </ul>
        </details>
        <details open=here == Browser::Firefox>
            <summary>"Firefox"</summary>
            <ul>
                <li>"Windows: version 141 or newer. Mac with Apple silicon: version 145 or newer, on macOS 26."</li>
                <li>
                    "Elsewhere: in "<code>"about:config"</code>" set "<code>"dom.webgpu.enabled"</code>
                    " to true, and "<code>"gfx.webgpu.ignore-blocklist"</code>" if that is not enough."
                </li>
            </ul>
        </details>
    }
}
