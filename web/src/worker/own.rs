//! The person's own files: compared with what a manifest promises, and copied into the browser's storage if that is wished.

use crate::locks::{Lock, lock, try_lock};
use crate::protocol::{Failure, FailureKind, FromWorker, LoadStep, Storage};
use crate::units::bytes;
use crate::words::Language::English;
use hangtag_weights::hash::sha256_source;
use hangtag_weights::{ByteSource, Manifest, ManifestFile};
use wasm_bindgen::JsValue;
use web_sys::{Blob, File};

use super::failure::{Halt, of_kind};
use super::files::{CHUNK_BYTES, Files, data_name, mark_name, storage_words};
use super::folder::Folder;
use super::line::{Wishes, post};
use super::meter::{Meter, Step};
use super::shelf;
use super::source::BlobSource;

/// The lock of copying.
const LOCK: &str = "hangtag.copy";

/// Own files that were read and found right.
pub struct Ready {
    /// Their bytes.
    pub sources: Vec<BlobSource>,
    /// Where these are.
    pub storage: Storage,
}

/// Checks own files, in the order of `manifest`, whose empty hashes are filled in. With `keep` they are copied, and read from the copy.
pub async fn ready(
    own: &[File],
    manifest: &mut Manifest,
    keep: bool,
    files: &Files,
    wishes: &Wishes,
    meter: &mut Meter,
) -> Result<Ready, Halt> {
    let sources = own.iter().map(|file| BlobSource::new(file.name(), Blob::from(file.clone())));
    let sources: Vec<BlobSource> = sources.collect();
    for (source, file) in sources.iter().zip(&mut manifest.files) {
        // Weights alone promise nothing that a hash could be compared with.
        if keep || !file.sha256.is_empty() {
            check(source, file, wishes, meter).await?;
        }
        meter.next_file(file.size);
    }
    if !keep {
        return Ok(Ready { sources, storage: Storage::Files { reason: None } });
    }
    meter.restart();
    let _alone = files_lock().await;
    match copy(&sources, manifest, files, wishes, meter).await? {
        Ok(copies) => Ok(Ready { sources: copies, storage: Storage::Kept }),
        Err(reason) => Ok(Ready { sources, storage: Storage::Files { reason: Some(reason) } }),
    }
}

/// What keeps two tabs from copying the same files at once: one waits, and finds them there.
async fn files_lock() -> Lock {
    if let Some(lock) = try_lock(LOCK).await {
        return lock;
    }
    post(&FromWorker::Loading { step: LoadStep::WaitingForOtherTab });
    lock(LOCK).await
}

async fn check(
    source: &BlobSource,
    file: &mut ManifestFile,
    wishes: &Wishes,
    meter: &mut Meter,
) -> Result<(), Halt> {
    let hash = sha256_source(source, |done_bytes| meter.report(Step::Checking, done_bytes)).await;
    let hash = hash.map_err(|error| of_kind(FailureKind::Model, &error))?;
    if wishes.is_paused() {
        return Err(Halt::Paused);
    }
    if file.sha256.is_empty() {
        file.sha256 = hash;
    } else if file.sha256 != hash {
        let message = format!(
            "{} is not the file that manifest.json promises: its SHA-256 differs. Copy it again",
            file.name
        );
        return Err(Failure::new(FailureKind::Model, message).into());
    }
    Ok(())
}

/// The copies, or why there are none.
async fn copy(
    sources: &[BlobSource],
    manifest: &Manifest,
    files: &Files,
    wishes: &Wishes,
    meter: &mut Meter,
) -> Result<Result<Vec<BlobSource>, String>, Halt> {
    let folder = match files.folder() {
        Ok(folder) => folder,
        Err(reason) => return Ok(Err(reason.to_owned())),
    };
    let needed = manifest.total_size();
    if let Some(free) = shelf::look(files).await.free_bytes().filter(|free| *free < needed) {
        let words = format!(
            "the browser would keep {} more for this page, and it has {}",
            bytes(English, free),
            bytes(English, needed)
        );
        return Ok(Err(words));
    }
    let mut copies = Vec::new();
    for (source, file) in sources.iter().zip(&manifest.files) {
        match copy_file(folder, source, file, wishes, meter).await {
            Ok(copy) => copies.push(copy),
            Err(Failed::Storage(error)) => {
                files.drop_copies(manifest).await;
                return Ok(Err(storage_words(&error)));
            }
            Err(Failed::Halt(halt)) => {
                files.drop_copies(manifest).await;
                return Err(halt);
            }
        }
        meter.next_file(file.size);
    }
    let id = shelf::id_of(manifest).unwrap_or_default();
    if shelf::manifest(folder, &id).await.is_some() {
        // The same weights came from a package before, whose manifest knows more of them.
        return Ok(Ok(copies));
    }
    match shelf::note(folder, manifest).await {
        Ok(()) => Ok(Ok(copies)),
        Err(error) => Ok(Err(storage_words(&error))),
    }
}

enum Failed {
    Storage(JsValue),
    Halt(Halt),
}

async fn copy_file(
    folder: &Folder,
    source: &BlobSource,
    file: &ManifestFile,
    wishes: &Wishes,
    meter: &mut Meter,
) -> Result<BlobSource, Failed> {
    let there = folder.kept(&data_name(file)).await;
    if let Some((kept, there)) = there.filter(|(_, there)| there.size() == file.size as f64)
        && folder.file(&mark_name(file)).await.is_some()
    {
        return Ok(BlobSource::of_kept(file.name.clone(), kept, there));
    }
    let busy = || Failed::Storage(JsValue::from_str("another tab is writing the same file"));
    let writer = folder.write(&data_name(file)).await.map_err(Failed::Storage)?;
    let writer = writer.ok_or_else(busy)?;
    writer.truncate(0).map_err(Failed::Storage)?;
    let mut done = 0;
    while done < file.size {
        let length = (file.size - done).min(CHUNK_BYTES as u64) as usize;
        let chunk = source.read(done, length).await;
        let chunk =
            chunk.map_err(|error| Failed::Halt(of_kind(FailureKind::Model, &error).into()))?;
        writer.write(done, &chunk).map_err(Failed::Storage)?;
        done += length as u64;
        meter.report(Step::Keeping, done);
        if wishes.is_paused() {
            return Err(Failed::Halt(Halt::Paused));
        }
    }
    drop(writer);
    folder.write(&mark_name(file)).await.map(drop).map_err(Failed::Storage)?;
    let (kept, copy) = folder.kept(&data_name(file)).await.ok_or_else(busy)?;
    Ok(BlobSource::of_kept(file.name.clone(), kept, copy))
}
