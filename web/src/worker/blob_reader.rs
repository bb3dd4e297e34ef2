//! A browser file for libraries that read without waiting for promises, as only workers can.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use web_sys::{Blob, FileReaderSync};

use super::failure::describe;
use super::source::BlobSource;

/// Reads a `Blob` and tells how many bytes came with every read.
pub struct BlobReader<F> {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
    on_read: F,
}

impl<F: FnMut(u64)> BlobReader<F> {
    /// Reads from the start of `source`.
    ///
    /// # Errors
    /// Where the browser has no reader for it, in words.
    pub fn new(source: &BlobSource, on_read: F) -> Result<Self, String> {
        let reader = FileReaderSync::new().map_err(|error| describe(&error))?;
        Ok(Self { blob: source.blob().clone(), reader, position: 0, on_read })
    }
}

impl<F: FnMut(u64)> Read for BlobReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |error| io::Error::other(describe(&error));
        let (start, end) = (self.position as f64, (self.position + buffer.len() as u64) as f64);
        let slice = self.blob.slice_with_f64_and_f64(start, end).map_err(failed)?;
        let bytes =
            Uint8Array::new(&self.reader.read_as_array_buffer(&slice).map_err(failed)?.into());
        let count = (bytes.length() as usize).min(buffer.len());
        bytes.slice(0, count as u32).copy_to(&mut buffer[..count]);
        self.position += count as u64;
        (self.on_read)(count as u64);
        Ok(count)
    }
}

impl<F> Seek for BlobReader<F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::End(offset) => (self.blob.size() as u64, offset),
            SeekFrom::Current(offset) => (self.position, offset),
        };
        let position = base.checked_add_signed(offset);
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
