//! The small texts of a package, manifest and model card, kept for visits without a network. The large files are in
//! `files.rs`.

use crate::protocol::Failure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, Response};

use super::download;
use super::line::scope;

const CACHE: &str = "hangtag-packages";

/// Fetches a small text file; the kept copy serves if the network does not.
pub async fn fetch_text(url: &str) -> Result<String, Failure> {
    match download::fetch_text(url).await {
        Err(failure) => kept(url).await.ok_or(failure),
        fetched => fetched,
    }
}

/// Keeps what came from this address and proved good. A browser that keeps nothing costs only the visits without a network.
pub async fn keep(url: &str, text: &str) {
    let _ = put(url, text).await;
}

/// Deletes the kept copy, if there is one.
pub async fn forget(url: &str) {
    if let Ok(cache) = open().await {
        let _ = JsFuture::from(cache.delete_with_str(url)).await;
    }
}

async fn open() -> Result<Cache, JsValue> {
    Ok(JsFuture::from(scope().caches()?.open(CACHE)).await?.unchecked_into())
}

async fn put(url: &str, text: &str) -> Result<(), JsValue> {
    let response = Response::new_with_opt_str(Some(text))?;
    JsFuture::from(open().await?.put_with_str(url, &response)).await.map(drop)
}

async fn kept(url: &str) -> Option<String> {
    let found = JsFuture::from(open().await.ok()?.match_with_str(url)).await.ok()?;
    let response: Response = found.dyn_into().ok()?;
    JsFuture::from(response.text().ok()?).await.ok()?.as_string()
}
