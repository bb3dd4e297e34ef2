//! Small things that the browser remembers from visit to visit (`localStorage`), where it remembers anything.

use gloo::utils::window;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What was remembered under `key`; nothing where the browser keeps nothing.
pub fn get<T: DeserializeOwned>(key: &str) -> Option<T> {
    let text = storage()?.get_item(key).ok()??;
    serde_json::from_str(&text).ok()
}

/// Remembers `value` under `key`; whether the browser does.
pub fn set(key: &str, value: &impl Serialize) -> bool {
    let text = serde_json::to_string(value).unwrap_or_default();
    storage().is_some_and(|storage| storage.set_item(key, &text).is_ok())
}

/// Absent in some private windows, and where the person has forbidden it.
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
