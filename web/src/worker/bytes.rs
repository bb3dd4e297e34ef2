//! An opened model's bytes: from the site, from this browser or from the person's own files.

use crate::protocol::{Failure, FailureKind, Storage};
use hangtag_weights::Gguf;

use super::backend::Backend;
use super::download::RangeSource;
use super::failure::Halt;
use super::files::Files;
use super::line::Wishes;
use super::meter::Meter;
use super::open::{OpenModel, Source};
use super::own;
use super::shelf;
use super::source::BlobSource;

/// A model's bytes, found right.
pub struct Bytes {
    /// Its files.
    pub sources: Vec<BlobSource>,
    /// Where they are.
    pub storage: Storage,
    /// What it is called among the kept ones, if it is one.
    pub id: Option<String>,
    /// Bytes that came over the network.
    pub downloaded_bytes: u64,
}

impl OpenModel {
    /// Has the bytes ready. `keep`: copies the person's own files into the browser's storage.
    pub async fn bytes<B: Backend>(
        &mut self,
        files: &Files,
        backend: &mut B,
        keep: bool,
        wishes: &Wishes,
    ) -> Result<Bytes, Halt> {
        let meter = &mut Meter::new(self.manifest.total_size());
        let (sources, storage, downloaded_bytes) = match &self.source {
            Source::Site(url) => {
                let url = url.clone();
                self.refuse_what_cannot_fit(files, backend, &url).await?;
                self.fetched(&url, files, wishes, meter).await?
            }
            Source::Own(own) => {
                let ready = own::ready(own, &mut self.manifest, keep, files, wishes, meter).await?;
                (ready.sources, ready.storage, 0)
            }
            Source::Kept => (self.kept(files, meter).await?, Storage::Kept, 0),
        };
        let mut id = None;
        if storage == Storage::Kept
            && let Ok(folder) = files.folder()
        {
            if matches!(self.source, Source::Site(_)) {
                // Without the note the files are found again, but not listed.
                let _ = shelf::note(folder, &self.manifest).await;
            }
            id = shelf::id_of(&self.manifest);
        }
        Ok(Bytes { sources, storage, id, downloaded_bytes })
    }

    /// Asks the site for the headers alone, and the backend for the room, where the whole would have to be downloaded.
    async fn refuse_what_cannot_fit<B: Backend>(
        &self,
        files: &Files,
        backend: &mut B,
        url: &str,
    ) -> Result<(), Failure> {
        if files.kept_bytes_of(&self.manifest).await >= self.manifest.total_size() {
            return Ok(());
        }
        let part = |file: &hangtag_weights::ManifestFile| RangeSource {
            url: format!("{url}{}", file.name),
            size: file.size,
        };
        // Whatever else is wrong with it, the download tells better: it compares with the hash.
        let Ok(gguf) = Gguf::open(self.manifest.files.iter().map(part).collect()).await else {
            return Ok(());
        };
        match backend.room(&gguf).await {
            Err(failure) if failure.kind == FailureKind::OutOfMemory => Err(failure),
            _ => Ok(()),
        }
    }

    async fn fetched(
        &self,
        url: &str,
        files: &Files,
        wishes: &Wishes,
        meter: &mut Meter,
    ) -> Result<(Vec<BlobSource>, Storage, u64), Halt> {
        let (mut sources, mut storage, mut downloaded_bytes) = (Vec::new(), Storage::Kept, 0);
        for file in &self.manifest.files {
            let url = format!("{url}{}", file.name);
            let ready = files.ready(file, &url, wishes, meter).await?;
            sources.push(ready.source);
            downloaded_bytes += ready.downloaded_bytes;
            if ready.storage != Storage::Kept {
                storage = ready.storage;
            }
            meter.next_file(file.size);
        }
        Ok((sources, storage, downloaded_bytes))
    }

    async fn kept(&self, files: &Files, meter: &mut Meter) -> Result<Vec<BlobSource>, Halt> {
        let mut sources = Vec::new();
        for file in &self.manifest.files {
            let Some(source) = files.checked(file, meter).await? else {
                let message = format!("the copy of {} was damaged and is deleted", file.name);
                return Err(Failure::new(FailureKind::Model, message).into());
            };
            sources.push(source);
            meter.next_file(file.size);
        }
        Ok(sources)
    }
}
