//! Models of the project's own: an adapter that this crate carries, merged into known base weights on the user's
//! machine and kept in the cache folder as a package.

use crate::adapter::{Adapter, WEIGHTS_FILE};
use crate::confidence::ConfidenceMap;
use crate::export::{self, Base, ExportError, Format, GgufType, Options};
use crate::fetch::{self, Expected, FetchError, FetchProgress, Tools};
use crate::hash::{Sha256Hasher, sha256_hex};
use crate::manifest::{MANIFEST_FILE, Manifest};
use crate::registry::{self, DEFAULT_BASE, DEFAULT_MODEL, KnownModel};
use crate::source::{FileSource, MemorySource};
use std::fs;
use std::path::{Path, PathBuf};

/// A base with an adapter.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The name that users type, also of the adapter and of the GGUF file.
    pub name: &'static str,
    /// Name of the base among the known ones.
    pub base: &'static str,
    /// SPDX expression of the merged weights' licence.
    pub licence: &'static str,
    /// What the adapter was trained on, in words that hold for its next version too; the figures are in the card.
    pub trained_on: &'static str,
    /// `adapter_config.json`.
    pub adapter_config: &'static str,
    /// `adapter_model.safetensors`.
    pub adapter_weights: &'static [u8],
    /// `confidence.json`: how sure the model may be of its answers.
    pub confidence: Option<&'static str>,
    /// The model card, in Markdown.
    pub card: &'static str,
}

/// Part of the key of merged files: one more when the same base and adapter shall give other files.
const FORMAT_VERSION: u32 = 1;

static MODELS: [TrainedModel; 1] = [TrainedModel {
    name: DEFAULT_MODEL,
    base: DEFAULT_BASE,
    licence: "Apache-2.0",
    trained_on: "product titles of the OA-Mine dataset, and Hangtag's own examples",
    adapter_config: include_str!("../../../models/smollm2-135m-products/adapter_config.json"),
    adapter_weights: include_bytes!(
        "../../../models/smollm2-135m-products/adapter_model.safetensors"
    ),
    confidence: Some(include_str!("../../../models/smollm2-135m-products/confidence.json")),
    card: include_str!("../../../models/smollm2-135m-products/README.md"),
}];

/// What [`prepare`] is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepareProgress {
    /// Getting the base, or checking a file.
    Fetching(FetchProgress),
    /// Merging the adapter into the base.
    Merging(export::Progress),
}

/// Why a trained model could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The base could not be had, or the cache not be used.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The adapter could not be merged into the base.
    #[error("merging {model}: {source}")]
    Merge {
        /// Name of the trained model.
        model: &'static str,
        /// What went wrong.
        source: Box<ExportError>,
    },
}

/// All trained models.
pub fn trained_models() -> &'static [TrainedModel] {
    &MODELS
}

/// The trained model called `name`; upper and lower case are the same.
pub fn find(name: &str) -> Option<&'static TrainedModel> {
    MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(name))
}

/// The package folder of `model` in `cache_dir`. Once it is made, this takes no time and needs neither the base nor a
/// network; a file that was changed or cut since is seen, and all is made again.
///
/// # Errors
/// When the base cannot be had, the adapter was made for another one, or the package cannot be written.
pub fn prepare(
    model: &TrainedModel,
    cache_dir: &Path,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<PathBuf, PrepareError> {
    let base = registry::find(model.base).ok_or_else(|| FetchError::unknown(model.base))?;
    prepare_with(model, base, cache_dir, &Tools::default(), progress)
}

/// As [`prepare`], with a base and commands of one's own.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(
    model: &TrainedModel,
    base: &KnownModel,
    cache_dir: &Path,
    tools: &Tools,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<PathBuf, PrepareError> {
    let folder = package_folder(model, base, cache_dir);
    let mut fetching = |step| progress(PrepareProgress::Fetching(step));
    if is_whole(&folder, &mut fetching) {
        return Ok(folder);
    }
    let models = cache_dir.join("models");
    fs::create_dir_all(&models).map_err(fetch::at(&models))?;
    let _lock = fetch::lock(&models.join(format!(".{}.lock", model.name)), &mut fetching)?;
    // Another process may just have made it.
    if is_whole(&folder, &mut fetching) {
        return Ok(folder);
    }
    let file = fetch::fetch_with(base, cache_dir, tools, &mut fetching)?;
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(fetch::at(&folder))?;
    }
    merge(model, base, &file, &folder, progress)
        .map_err(|error| PrepareError::Merge { model: model.name, source: Box::new(error) })?;
    // Hashes it once now, so that later starts need not.
    is_whole(&folder, &mut |_| {});
    Ok(folder)
}

/// Where the package is, by what it is made of: another base, adapter, card or form is another folder.
fn package_folder(model: &TrainedModel, base: &KnownModel, cache_dir: &Path) -> PathBuf {
    let mut key = Sha256Hasher::new();
    key.update(format!("{FORMAT_VERSION} {} ", base.sha256).as_bytes());
    let confidence = model.confidence.unwrap_or_default();
    let texts = [model.licence, model.trained_on, model.adapter_config, confidence, model.card];
    for part in texts.map(str::as_bytes).into_iter().chain([model.adapter_weights]) {
        // Hashed by themselves, so that nothing can move from one part to the next unseen.
        key.update(sha256_hex(part).as_bytes());
    }
    let key = &key.finish()[..16];
    cache_dir.join("models").join(format!("{}-{key}", model.name))
}

/// Whether the package in `folder` has its manifest, and every file with its size and hash.
fn is_whole(folder: &Path, progress: &mut dyn FnMut(FetchProgress)) -> bool {
    let json = fs::read_to_string(folder.join(MANIFEST_FILE)).unwrap_or_default();
    let Ok(manifest) = Manifest::from_json(&json) else { return false };
    manifest.files.iter().all(|file| {
        let expected = Expected { size: file.size, sha256: &file.sha256 };
        expected.check(&folder.join(&file.name), progress).is_ok()
    })
}

fn merge(
    model: &TrainedModel,
    base: &KnownModel,
    file: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<(), ExportError> {
    let weights = Base::open_gguf(vec![FileSource::open(file)?])?;
    let source = MemorySource::new(WEIGHTS_FILE, model.adapter_weights);
    let adapter =
        Adapter::read(model.adapter_config, source, weights.config(), Some(base.hub_name));
    let adapter = pollster::block_on(adapter)?;
    let options = Options {
        format: Format::Gguf(GgufType::Q4_0),
        shard_bytes: None,
        name: model.name.to_owned(),
        base: base.hub_name.to_owned(),
        adapter: Some(model.name.to_owned()),
        trained_on: Some(model.trained_on.to_owned()),
        card: Some(model.card.to_owned()),
        confidence: model.confidence.map(ConfidenceMap::from_json).transpose()?,
        licence: model.licence.to_owned(),
        task_version: adapter.task_version,
    };
    let mut merging = |step| progress(PrepareProgress::Merging(step));
    export::export(&weights, Some(&adapter), folder, &options, &mut merging)?;
    Ok(())
}

#[cfg(test)]
mod tests;
