//! A live proof that the page's Content-Security-Policy holds, for page and worker alike.

use std::cell::Cell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

/// An address of another origin. Names under `.invalid` never exist (RFC 2606), so that nothing is reached even where
/// no policy stops the request.
const FOREIGN: &str = "https://hangtag.invalid/";

/// The event of a refusal is a task of its own and may come after the refusal.
const EVENT_DELAY_MS: u32 = 200;

/// Tries to fetch a foreign address; whether the browser refused because of `connect-src`.
///
/// `scope` is where violations are reported: the document, or the worker's global scope.
pub async fn foreign_request_is_blocked(
    scope: &web_sys::EventTarget,
    fetch: impl FnOnce(&str) -> js_sys::Promise,
) -> bool {
    let refused = Rc::new(Cell::new(false));
    let seen = Rc::clone(&refused);
    let listener = EventListener::new(scope, "securitypolicyviolation", move |event| {
        let violation: &web_sys::SecurityPolicyViolationEvent = event.unchecked_ref();
        if violation.effective_directive() == "connect-src"
            && violation.blocked_uri().contains("hangtag.invalid")
        {
            seen.set(true);
        }
    });
    let answer = JsFuture::from(fetch(FOREIGN)).await;
    TimeoutFuture::new(EVENT_DELAY_MS).await;
    drop(listener);
    answer.is_err() && refused.get()
}
