//! A browser file, kept or in memory, as the weights' byte source.

use hangtag_weights::source::check_range;
use hangtag_weights::{ByteSource, SourceError};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use super::folder::Kept;

/// Reads a `Blob`, of which a kept file and one of the person's own are kinds. Takes no lock for longer than a reading, so that any number of
/// tabs can read the same file.
#[derive(Clone)]
pub struct BlobSource {
    name: String,
    blob: Blob,
    kept: Option<Kept>,
}

impl BlobSource {
    /// Wraps `blob`; `name` is for error messages.
    pub fn new(name: impl Into<String>, blob: Blob) -> Self {
        Self { name: name.into(), blob, kept: None }
    }

    /// Wraps a kept file.
    pub fn of_kept(name: impl Into<String>, kept: Kept, file: File) -> Self {
        Self { name: name.into(), blob: file.into(), kept: Some(kept) }
    }

    /// The file itself.
    pub fn blob(&self) -> &Blob {
        &self.blob
    }

    async fn read_now(&self, offset: u64, length: usize) -> Result<Vec<u8>, JsValue> {
        if let Some(kept) = &self.kept
            && let Some(bytes) = kept.read(offset, length).await
        {
            return Ok(bytes);
        }
        let (start, end) = (offset as f64, offset as f64 + length as f64);
        let slice = self.blob.slice_with_f64_and_f64(start, end)?;
        let buffer = JsFuture::from(slice.array_buffer()).await?;
        Ok(Uint8Array::new(&buffer).to_vec())
    }
}

impl ByteSource for BlobSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.blob.size() as u64
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
        check_range(self, offset, length)?;
        let other = |message| SourceError::Other { name: self.name.clone(), message };
        let bytes = self.read_now(offset, length).await.map_err(|error| {
            other(format!("the browser could not read it: {}", super::failure::describe(&error)))
        })?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => {
                Err(other(format!("{} bytes came where {length} were asked for", bytes.len())))
            }
        }
    }
}
