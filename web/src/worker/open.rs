//! Opening a model: what it says of itself and what it needs, before anything large is read.

use std::iter;

use crate::chosen::{Choice, Picked, choice, files_of};
use crate::protocol::{Failure, FailureKind, Origin, Package, Place};
use hangtag_task::TaskVersion;
use hangtag_weights::manifest::MANIFEST_FILE;
use hangtag_weights::{Gguf, Manifest, ManifestFile, Metadata, task_version};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use super::backend::Backend;
use super::failure::{describe, of_kind};
use super::files::Files;
use super::kept_text;
use super::shelf;
use super::source::BlobSource;

/// A model that was opened and may be loaded.
pub struct OpenModel {
    /// What the page is told of it.
    pub package: Package,
    /// Its files. Hashes that nobody promised are empty.
    pub manifest: Manifest,
    /// Where they are.
    pub source: Source,
}

impl OpenModel {
    /// Deletes the kept copies of its manifest and card.
    pub async fn forget_texts(&self) {
        let Source::Site(url) = &self.source else { return };
        for name in iter::once(MANIFEST_FILE).chain(self.manifest.card.as_deref()) {
            kept_text::forget(&format!("{url}{name}")).await;
        }
    }
}

/// Where a model's files are.
pub enum Source {
    /// In this folder of the page's site, and perhaps in the browser's storage.
    Site(String),
    /// The person's own, in the order of the manifest.
    Own(Vec<File>),
    /// In the browser's storage alone.
    Kept,
}

/// Opens models for a backend.
pub struct Opener<'a, B> {
    /// The browser's storage.
    pub files: &'a Files,
    /// What they are to run on.
    pub backend: &'a mut B,
}

impl<B: Backend> Opener<'_, B> {
    /// Opens the model at `place`; `own` are the files that came with the wish.
    pub async fn open(
        &mut self,
        place: Place,
        own: Vec<File>,
    ) -> Result<Option<OpenModel>, Failure> {
        match place {
            Place::Nowhere => Ok(None),
            Place::Site { package_url } => self.site(package_url).await.map(Some),
            Place::Kept { id } => self.kept(&id).await.map(Some),
            Place::Files => self.own(own).await.map(Some),
        }
    }

    async fn site(&self, url: String) -> Result<OpenModel, Failure> {
        let manifest_url = format!("{url}{MANIFEST_FILE}");
        let text = kept_text::fetch_text(&manifest_url).await?;
        let manifest = parsed(&manifest_url, &text)?;
        kept_text::keep(&manifest_url, &text).await;
        let mut package = package(&manifest, Origin::Site);
        if let Some(name) = &manifest.card {
            // One that cannot be had is no reason to do without the model.
            let card_url = format!("{url}{name}");
            package.card = kept_text::fetch_text(&card_url).await.ok();
            if let Some(card) = &package.card {
                kept_text::keep(&card_url, card).await;
            }
        }
        package.kept_bytes = self.files.kept_bytes_of(&manifest).await;
        Ok(OpenModel { package, manifest, source: Source::Site(url) })
    }

    async fn kept(&mut self, id: &str) -> Result<OpenModel, Failure> {
        let gone = || {
            let message =
                "the browser has deleted the model that was kept here: choose its file again";
            Failure::new(FailureKind::Model, message)
        };
        let folder = self.files.folder().map_err(|_| gone())?;
        let manifest = shelf::manifest(folder, id).await.ok_or_else(gone)?;
        let mut package = package(&manifest, Origin::Kept);
        package.kept_bytes = self.files.kept_bytes_of(&manifest).await;
        if !package.is_kept() {
            return Err(gone());
        }
        let mut sources = Vec::new();
        for file in &manifest.files {
            sources.push(self.files.unchecked(file).await.ok_or_else(gone)?);
        }
        package.fit = Some(self.backend.fit(&open_gguf(sources).await?).await?);
        Ok(OpenModel { package, manifest, source: Source::Kept })
    }

    async fn own(&mut self, own: Vec<File>) -> Result<OpenModel, Failure> {
        let refused = |words: String| Failure::new(FailureKind::Model, words);
        let pick = |file: &File| Picked { name: file.name(), size: file.size() as u64 };
        let picked: Vec<Picked> = own.iter().map(pick).collect();
        match choice(&picked).map_err(refused)? {
            Choice::Package(index) => {
                let manifest = parsed(MANIFEST_FILE, &text_of(&own[index]).await?)?;
                let order = files_of(&manifest, &picked).map_err(refused)?;
                let mut package = package(&manifest, Origin::Files);
                let is_card = |file: &&File| Some(file.name()) == manifest.card;
                if let Some(card) = own.iter().find(is_card) {
                    package.card = text_of(card).await.ok();
                }
                let files = order.into_iter().map(|index| own[index].clone()).collect();
                self.finish(package, manifest, files).await
            }
            Choice::Weights(indices) => {
                let files: Vec<File> =
                    indices.into_iter().map(|index| own[index].clone()).collect();
                let gguf = open_gguf(sources_of(&files)).await?;
                let manifest = described(&files, gguf.metadata());
                self.finish(package(&manifest, Origin::Files), manifest, files).await
            }
        }
    }

    async fn finish(
        &mut self,
        mut package: Package,
        manifest: Manifest,
        files: Vec<File>,
    ) -> Result<OpenModel, Failure> {
        package.fit = Some(self.backend.fit(&open_gguf(sources_of(&files)).await?).await?);
        package.kept_bytes = self.files.kept_bytes_of(&manifest).await;
        Ok(OpenModel { package, manifest, source: Source::Own(files) })
    }
}

fn parsed(name: &str, text: &str) -> Result<Manifest, Failure> {
    let wrong = |words: String| Failure::new(FailureKind::Model, format!("{name}: {words}"));
    if text.trim_start().starts_with('<') {
        return Err(wrong("a web page came in its place, so there is no package there".to_owned()));
    }
    let manifest = Manifest::from_json(text).map_err(|error| wrong(error.to_string()))?;
    if TaskVersion::from_number(manifest.task_version).is_none() {
        return Err(wrong(format!(
            "the model was trained for version {} of the task, and this app asks in versions 1 to {}",
            manifest.task_version,
            TaskVersion::LATEST
        )));
    }
    Ok(manifest)
}

fn package(manifest: &Manifest, origin: Origin) -> Package {
    Package {
        name: manifest.name.clone(),
        base: manifest.base.clone(),
        licence: manifest.licence.clone(),
        size_bytes: manifest.total_size(),
        adapter: manifest.adapter.clone(),
        trained_on: manifest.trained_on.clone(),
        card: None,
        kept_bytes: 0,
        id: shelf::id_of(manifest).filter(|id| !id.is_empty()),
        origin,
        fit: None,
    }
}

/// A manifest of weights that come without one, as far as they describe themselves.
fn described(files: &[File], metadata: &Metadata) -> Manifest {
    let said = |key| metadata.opt_str(key).ok().flatten().map(str::to_owned);
    let first = files.first().map(File::name).unwrap_or_default();
    let file = |file: &File| ManifestFile {
        name: file.name(),
        size: file.size() as u64,
        sha256: String::new(),
    };
    let stem = first.trim_end_matches(".gguf").to_owned();
    Manifest {
        name: said("general.name").filter(|name| !name.trim().is_empty()).unwrap_or(stem),
        base: first,
        adapter: None,
        trained_on: None,
        card: None,
        licence: said("general.license").unwrap_or_else(|| "not named in the file".to_owned()),
        // One that is no number is told when the model is loaded.
        task_version: task_version::of_metadata(metadata).unwrap_or(task_version::UNSAID),
        presets: vec![],
        files: files.iter().map(file).collect(),
    }
}

fn sources_of(files: &[File]) -> Vec<BlobSource> {
    files.iter().map(|file| BlobSource::new(file.name(), Blob::from(file.clone()))).collect()
}

async fn open_gguf(sources: Vec<BlobSource>) -> Result<Gguf<BlobSource>, Failure> {
    Gguf::open(sources).await.map_err(|error| of_kind(FailureKind::Model, &error))
}

async fn text_of(file: &File) -> Result<String, Failure> {
    let text = JsFuture::from(file.text()).await.map_err(|error| {
        let message = format!("{} could not be read: {}", file.name(), describe(&error));
        Failure::new(FailureKind::Model, message)
    })?;
    Ok(text.as_string().unwrap_or_default())
}
