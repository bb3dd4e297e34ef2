//! From errors of the browser and of the engine to what the page can show.

use crate::protocol::{Failure, FailureKind};
use wasm_bindgen::{JsCast, JsValue};

/// Why loading ended early.
pub enum Halt {
    /// The page asked.
    Paused,
    /// It failed.
    Failed(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A JavaScript exception in words.
pub fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}

/// The name of a DOM exception, such as "QuotaExceededError".
pub fn exception_name(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.name())).unwrap_or_default()
}

/// A failure of the network.
pub fn network(url: &str, detail: &str) -> Failure {
    not_sent(FailureKind::Network, url, detail)
}

/// A file that did not come.
pub fn not_sent(kind: FailureKind, url: &str, detail: &str) -> Failure {
    Failure::new(kind, format!("{url} could not be fetched: {detail}"))
}

/// A failure with every cause in its message.
pub fn of_kind(kind: FailureKind, error: &dyn std::error::Error) -> Failure {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = error.source();
    }
    Failure::new(kind, message)
}
