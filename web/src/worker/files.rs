//! A package's files: kept ones are checked, missing ones are fetched, and what is fetched is kept.

use crate::protocol::{Failure, FailureKind, FromWorker, LoadStep, Storage};
use gloo_timers::future::TimeoutFuture;
use hangtag_weights::hash::{Sha256Hasher, sha256_source};
use hangtag_weights::{Manifest, ManifestFile};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::download::{Sink, download};
use super::failure::{Halt, describe, of_kind};
use super::folder::{Folder, Writer};
use super::line::{Wishes, post};
use super::meter::{Meter, Step};
use super::source::BlobSource;

/// Models up to this size are hashed on every visit, which takes about a second; the files of larger ones only until their
/// markers say that they were found right.
const ALWAYS_HASHED_BYTES: u64 = 256 << 20;
/// Bytes copied at a time.
pub const CHUNK_BYTES: usize = 4 << 20;
const OTHER_TAB_POLL_MS: u32 = 1_000;

/// The files of one package on this device.
pub struct Files {
    folder: Result<Folder, String>,
}

/// A file ready to be read.
pub struct Ready {
    /// Its bytes.
    pub source: BlobSource,
    /// Where they are.
    pub storage: Storage,
    /// Bytes that came over the network for it.
    pub downloaded_bytes: u64,
}

impl Files {
    /// Opens the browser's storage; without it, files are held in memory.
    pub async fn open() -> Self {
        let folder = Folder::open().await.map_err(|error| describe(&error));
        Self { folder }
    }

    /// The browser's storage, or why there is none.
    pub fn folder(&self) -> Result<&Folder, &str> {
        self.folder.as_ref().map_err(String::as_str)
    }

    /// Bytes of a model's files on this device.
    pub async fn kept_bytes_of(&self, manifest: &Manifest) -> u64 {
        let mut bytes = 0;
        for file in &manifest.files {
            bytes += self.kept_bytes(file).await;
        }
        bytes
    }

    /// Deletes what was copied of a model.
    pub async fn drop_copies(&self, manifest: &Manifest) {
        for file in &manifest.files {
            // What cannot be deleted stays; the page shows how much is used.
            let _ = self.forget(file).await;
        }
    }

    /// A kept file as it lies there.
    pub async fn unchecked(&self, file: &ManifestFile) -> Option<BlobSource> {
        let (kept, whole) = self.folder.as_ref().ok()?.kept(&data_name(file)).await?;
        Some(BlobSource::of_kept(file.name.clone(), kept, whole))
    }

    /// A kept file that was found right; a wrong one is deleted.
    pub async fn checked(
        &self,
        file: &ManifestFile,
        meter: &mut Meter,
    ) -> Result<Option<BlobSource>, Failure> {
        let Ok(folder) = &self.folder else { return Ok(None) };
        let (url, wishes) = ("", &Wishes::default());
        match (Keeper { folder, file, url, wishes, meter }).kept().await {
            Ok(source) => Ok(source),
            Err(Stop::Storage(error)) => Err(storage_failure(&error)),
            Err(Stop::Halt(Halt::Failed(failure))) => Err(failure),
            Err(Stop::Halt(Halt::Paused)) => Ok(None),
        }
    }

    /// Bytes of `file` on this device.
    async fn kept_bytes(&self, file: &ManifestFile) -> u64 {
        let Ok(folder) = &self.folder else { return 0 };
        let size = folder.file(&data_name(file)).await.map_or(0, |kept| kept.size() as u64);
        if size > file.size { 0 } else { size }
    }

    /// Deletes `file` from this device.
    pub async fn forget(&self, file: &ManifestFile) -> Result<(), Failure> {
        let Ok(folder) = &self.folder else { return Ok(()) };
        remove(folder, file).await.map_err(|error| storage_failure(&error))
    }

    /// Takes the mark of a checked file away, so that the next load hashes it again.
    pub async fn doubt(&self, file: &ManifestFile) {
        if let Ok(folder) = &self.folder {
            // A mark that cannot be removed leaves things as they are.
            let _ = folder.remove(&mark_name(file)).await;
        }
    }

    /// Has `file` ready: kept and checked, or fetched from `url`.
    pub async fn ready(
        &self,
        file: &ManifestFile,
        url: &str,
        wishes: &Wishes,
        meter: &mut Meter,
    ) -> Result<Ready, Halt> {
        let reason = match &self.folder {
            Err(reason) => reason.clone(),
            Ok(folder) => match (Keeper { folder, file, url, wishes, meter }).ready().await {
                Err(Stop::Storage(error)) => {
                    // Half a file that cannot grow is of no use.
                    let _ = remove(folder, file).await;
                    storage_words(&error)
                }
                Err(Stop::Halt(halt)) => return Err(halt),
                Ok(ready) => return Ok(ready),
            },
        };
        fetch_to_memory(file, url, wishes, meter, reason).await
    }
}

/// Why a file could not be kept.
enum Stop {
    /// The browser's storage refused; memory may do.
    Storage(JsValue),
    /// Anything else.
    Halt(Halt),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// Keeps one file in the folder.
struct Keeper<'a> {
    folder: &'a Folder,
    file: &'a ManifestFile,
    url: &'a str,
    wishes: &'a Wishes,
    meter: &'a mut Meter,
}

impl Keeper<'_> {
    async fn ready(&mut self) -> Result<Ready, Stop> {
        let mut downloaded_bytes = 0;
        loop {
            if let Some(source) = self.kept().await? {
                return Ok(Ready { source, storage: Storage::Kept, downloaded_bytes });
            }
            match self.folder.write(&data_name(self.file)).await.map_err(Stop::Storage)? {
                Some(writer) => downloaded_bytes += self.fetch(writer).await?,
                None => {
                    post(&FromWorker::Loading { step: LoadStep::WaitingForOtherTab });
                    TimeoutFuture::new(OTHER_TAB_POLL_MS).await;
                    if self.wishes.is_paused() {
                        return Err(Halt::Paused.into());
                    }
                }
            }
        }
    }

    /// The whole file, if it is kept and right; a wrong one is deleted.
    async fn kept(&mut self) -> Result<Option<BlobSource>, Stop> {
        let Some((kept, whole)) = self.folder.kept(&data_name(self.file)).await else {
            return Ok(None);
        };
        let size = whole.size() as u64;
        if size < self.file.size {
            return Ok(None);
        }
        let is_marked = self.folder.file(&mark_name(self.file)).await.is_some();
        let source = BlobSource::of_kept(self.file.name.clone(), kept, whole);
        let is_right = size == self.file.size
            && (is_marked && self.meter.total_bytes() > ALWAYS_HASHED_BYTES
                || self.hash_of(&source).await? == self.file.sha256);
        if !is_right {
            remove(self.folder, self.file).await.map_err(Stop::Storage)?;
            return Ok(None);
        }
        if !is_marked {
            self.mark().await?;
        }
        Ok(Some(source))
    }

    async fn hash_of(&mut self, source: &BlobSource) -> Result<String, Stop> {
        let hash =
            sha256_source(source, |done_bytes| self.meter.report(Step::Checking, done_bytes)).await;
        hash.map_err(|error| Halt::Failed(of_kind(FailureKind::Model, &error)).into())
    }

    /// Fetches what is missing and checks the whole; the bytes fetched. A wrong file that was continued is fetched anew
    /// once, because the part that was there may be to blame.
    async fn fetch(&mut self, writer: Writer) -> Result<u64, Stop> {
        let mut sink = KeptSink::resume(writer, self.file.size, self.wishes, self.meter)
            .map_err(Stop::Storage)?;
        loop {
            let was_resumed = sink.position > 0;
            let outcome = download(self.url, self.file.size, &mut sink).await;
            if let Some(error) = sink.refused.take() {
                return Err(Stop::Storage(error));
            }
            match outcome {
                Err(Halt::Failed(failure)) if failure.kind == FailureKind::HashMismatch => {
                    drop(sink);
                    remove(self.folder, self.file).await.map_err(Stop::Storage)?;
                    return Err(Halt::Failed(failure).into());
                }
                outcome => outcome?,
            }
            if sink.hash.clone().finish() == self.file.sha256 {
                let received_bytes = sink.received_bytes;
                drop(sink);
                self.mark().await?;
                return Ok(received_bytes);
            }
            sink.restart()?;
            if !was_resumed {
                drop(sink);
                remove(self.folder, self.file).await.map_err(Stop::Storage)?;
                return Err(Halt::Failed(wrong_hash(self.file)).into());
            }
        }
    }

    async fn mark(&self) -> Result<(), Stop> {
        // Its presence is its content. If another tab is writing the same mark, so much the better.
        self.folder.write(&mark_name(self.file)).await.map(drop).map_err(Stop::Storage)
    }
}

/// Writes to a kept file, hashing on the way.
struct KeptSink<'a> {
    writer: Writer,
    hash: Sha256Hasher,
    position: u64,
    received_bytes: u64,
    /// What the storage said when it took no more.
    refused: Option<JsValue>,
    wishes: &'a Wishes,
    meter: &'a mut Meter,
}

impl<'a> KeptSink<'a> {
    /// Goes on after the bytes that the file has, hashing them first.
    fn resume(
        writer: Writer,
        size: u64,
        wishes: &'a Wishes,
        meter: &'a mut Meter,
    ) -> Result<Self, JsValue> {
        let mut hash = Sha256Hasher::new();
        let mut position = 0;
        if writer.size()? > size {
            writer.truncate(0)?;
        }
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let length = writer.read(position, &mut buffer)?;
            if length == 0 {
                break;
            }
            hash.update(&buffer[..length]);
            position += length as u64;
        }
        Ok(Self { writer, hash, position, received_bytes: 0, refused: None, wishes, meter })
    }

    fn refuse(&mut self, error: JsValue) -> Halt {
        let failure = storage_failure(&error);
        self.refused = Some(error);
        Halt::Failed(failure)
    }
}

impl Sink for KeptSink<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), Halt> {
        if let Err(error) = self.writer.write(self.position, chunk) {
            return Err(self.refuse(error));
        }
        self.hash.update(chunk);
        self.position += chunk.len() as u64;
        self.received_bytes += chunk.len() as u64;
        self.meter.report(Step::Downloading, self.position);
        if self.wishes.is_paused() { Err(Halt::Paused) } else { Ok(()) }
    }

    fn restart(&mut self) -> Result<(), Halt> {
        if let Err(error) = self.writer.truncate(0) {
            return Err(self.refuse(error));
        }
        self.hash = Sha256Hasher::new();
        self.position = 0;
        Ok(())
    }
}

/// Collects chunks in memory, hashing on the way.
struct MemorySink<'a> {
    chunks: Array,
    hash: Sha256Hasher,
    position: u64,
    wishes: &'a Wishes,
    meter: &'a mut Meter,
}

impl Sink for MemorySink<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), Halt> {
        self.chunks.push(&Uint8Array::from(chunk));
        self.hash.update(chunk);
        self.position += chunk.len() as u64;
        self.meter.report(Step::Downloading, self.position);
        if self.wishes.is_paused() { Err(Halt::Paused) } else { Ok(()) }
    }

    fn restart(&mut self) -> Result<(), Halt> {
        self.chunks = Array::new();
        self.hash = Sha256Hasher::new();
        self.position = 0;
        Ok(())
    }
}

async fn fetch_to_memory(
    file: &ManifestFile,
    url: &str,
    wishes: &Wishes,
    meter: &mut Meter,
    reason: String,
) -> Result<Ready, Halt> {
    let mut sink =
        MemorySink { chunks: Array::new(), hash: Sha256Hasher::new(), position: 0, wishes, meter };
    download(url, file.size, &mut sink).await?;
    if sink.hash.finish() != file.sha256 {
        return Err(wrong_hash(file).into());
    }
    let blob = Blob::new_with_u8_array_sequence(&sink.chunks).map_err(|error| {
        let message = format!("{} does not fit into memory: {}", file.name, describe(&error));
        Failure::new(FailureKind::OutOfMemory, message)
    })?;
    let source = BlobSource::new(file.name.clone(), blob);
    Ok(Ready { source, storage: Storage::Memory { reason }, downloaded_bytes: sink.position })
}

/// Files are named by content, so that a new version of a model never meets the bytes of an old one.
pub fn data_name(file: &ManifestFile) -> String {
    format!("{}.gguf", file.sha256)
}

/// An empty file that says that the data was found right.
pub fn mark_name(file: &ManifestFile) -> String {
    format!("{}.checked", file.sha256)
}

async fn remove(folder: &Folder, file: &ManifestFile) -> Result<(), JsValue> {
    folder.remove(&mark_name(file)).await?;
    folder.remove(&data_name(file)).await
}

/// What the browser's storage said, in words.
pub fn storage_words(error: &JsValue) -> String {
    match super::failure::exception_name(error).as_str() {
        "QuotaExceededError" => "the browser's storage is full".to_owned(),
        _ => describe(error),
    }
}

fn storage_failure(error: &JsValue) -> Failure {
    Failure::new(
        FailureKind::Internal,
        format!("the browser's storage refused: {}", storage_words(error)),
    )
}

fn wrong_hash(file: &ManifestFile) -> Failure {
    let message =
        format!("{} is not the file that the manifest promises: its SHA-256 differs", file.name);
    Failure::new(FailureKind::HashMismatch, message)
}
