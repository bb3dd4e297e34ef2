//! Whether this page is the one file that `cargo xtask bundle` makes, and the codes that lie in it.

use gloo::utils::document;
use js_sys::{Array, Reflect};
use web_sys::{Blob, BlobPropertyBag};

/// Whether there is no site behind this page: nothing can be fetched, and the model comes from a file.
pub fn is_bundle() -> bool {
    document().get_element_by_id("hangtag-worker").is_some()
}

/// The whole script of a worker, where this page carries it.
pub fn script(worker: &str) -> Option<Blob> {
    let element = document().get_element_by_id(worker)?;
    // Megabytes, which need not go through the page's own memory.
    let text = Reflect::get(&element, &"textContent".into()).ok()?;
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    Blob::new_with_str_sequence_and_options(&Array::of1(&text), &kind).ok()
}
