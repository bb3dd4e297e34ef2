//! The models that are kept whole in the browser's private file system: a manifest beside the files of each.

use crate::protocol::{KeptModel, Shelf};
use hangtag_weights::Manifest;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::StorageEstimate;

use super::files::Files;
use super::folder::Folder;
use super::line::scope;

const ENDING: &str = ".json";

/// What a kept model is called: the hash of its first file.
pub fn id_of(manifest: &Manifest) -> Option<String> {
    manifest.files.first().map(|file| file.sha256.clone())
}

/// Notes that all files of a model are kept.
pub async fn note(folder: &Folder, manifest: &Manifest) -> Result<(), JsValue> {
    let (Some(id), Ok(json)) = (id_of(manifest), manifest.to_json()) else { return Ok(()) };
    folder.write_text(&format!("{id}{ENDING}"), &json).await
}

/// Forgets that a model is kept; its files are another matter.
pub async fn strike(folder: &Folder, id: &str) -> Result<(), JsValue> {
    folder.remove(&format!("{id}{ENDING}")).await
}

/// The manifest of a kept model.
pub async fn manifest(folder: &Folder, id: &str) -> Option<Manifest> {
    Manifest::from_json(&folder.read_text(&format!("{id}{ENDING}")).await?).ok()
}

/// All of it, and the room.
pub async fn look(files: &Files) -> Shelf {
    let folder = match files.folder() {
        Ok(folder) => folder,
        Err(reason) => return Shelf { refused: Some(reason.to_owned()), ..Shelf::default() },
    };
    let mut models = Vec::new();
    for name in folder.names().await {
        let Some(id) = name.strip_suffix(ENDING) else { continue };
        // A half-written or old note is of no use, and the model is fetched or chosen again.
        let Some(manifest) = manifest(folder, id).await else { continue };
        let (size_bytes, name) = (manifest.total_size(), manifest.name);
        models.push(KeptModel { id: id.to_owned(), name, size_bytes });
    }
    models.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let (used_bytes, quota_bytes) = room().await.unwrap_or_default();
    Shelf { models, used_bytes, quota_bytes, refused: None }
}

/// Bytes that the browser keeps for this page, and that it would keep at most.
async fn room() -> Option<(Option<u64>, Option<u64>)> {
    let estimate = scope().navigator().storage().estimate().ok()?;
    let estimate: StorageEstimate = JsFuture::from(estimate).await.ok()?.into();
    let whole = |bytes: Option<f64>| bytes.map(|bytes| bytes as u64);
    Some((whole(estimate.get_usage()), whole(estimate.get_quota())))
}
