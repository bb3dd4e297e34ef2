//! Reading a header of unknown length front to back in bounded chunks.

use super::GgufError;
use crate::source::ByteSource;

/// Bytes fetched first: the whole header of a shard that is not the first.
const FIRST_CHUNK_BYTES: u64 = 16 * 1024;
/// Bytes fetched at a time at most. A tokenizer's vocabulary makes headers of 1 to 20 MB.
const MAX_CHUNK_BYTES: u64 = 512 * 1024;
/// Longest header read. Vocabularies of 256k tokens make about 20 MB.
const MAX_HEADER_BYTES: u64 = 256 * 1024 * 1024;

/// A front-to-back reader. Nothing is allocated that the rest of the file could not fill.
pub(super) struct Cursor<'a, S> {
    source: &'a S,
    chunk: Vec<u8>,
    /// Next byte in `chunk`.
    at: usize,
    /// Place of the end of `chunk` in the file.
    chunk_end: u64,
}

impl<'a, S: ByteSource> Cursor<'a, S> {
    pub(super) fn new(source: &'a S) -> Self {
        Self { source, chunk: Vec::new(), at: 0, chunk_end: 0 }
    }

    /// Place of the next byte in the file.
    pub(super) fn position(&self) -> u64 {
        self.chunk_end - (self.chunk.len() - self.at) as u64
    }

    fn remaining(&self) -> u64 {
        (self.source.len().min(MAX_HEADER_BYTES)).saturating_sub(self.position())
    }

    pub(super) fn bad(&self, problem: impl Into<String>) -> GgufError {
        GgufError::BadHeader { file: self.source.name().to_owned(), problem: problem.into() }
    }

    /// Checks that `count` things of at least `bytes_each` can follow, and returns the count for allocation.
    pub(super) fn count(
        &self,
        count: u64,
        bytes_each: u64,
        what: &str,
    ) -> Result<usize, GgufError> {
        let enough = count.checked_mul(bytes_each).is_some_and(|bytes| bytes <= self.remaining());
        match usize::try_from(count) {
            Ok(count) if enough => Ok(count),
            _ => Err(self.bad(format!(
                "{what}: {count} of them do not fit in the {} bytes that follow",
                self.remaining()
            ))),
        }
    }

    /// The next `length` bytes. `length` was checked by [`Self::count`] or is a small constant.
    pub(super) async fn bytes(&mut self, length: usize) -> Result<&[u8], GgufError> {
        if self.chunk.len() - self.at < length {
            self.fill(length).await?;
        }
        let start = self.at;
        self.at += length;
        Ok(&self.chunk[start..self.at])
    }

    async fn fill(&mut self, length: usize) -> Result<(), GgufError> {
        if length as u64 > self.remaining() {
            return Err(self.bad(format!(
                "it ends at byte {} in the middle of a value; the file is cut short",
                self.source.len().min(MAX_HEADER_BYTES)
            )));
        }
        self.chunk.drain(..self.at);
        self.at = 0;
        while self.chunk.len() < length {
            // As much as was read so far: a long header takes few readings, and a short one costs a network little.
            let wanted = self.chunk_end.clamp(FIRST_CHUNK_BYTES, MAX_CHUNK_BYTES);
            let wanted = wanted.min(self.source.len() - self.chunk_end);
            let more = self.source.read(self.chunk_end, wanted as usize).await?;
            if more.len() as u64 != wanted {
                return Err(self.bad("the source returned fewer bytes than asked for"));
            }
            self.chunk_end += wanted;
            self.chunk.extend_from_slice(&more);
        }
        Ok(())
    }

    pub(super) async fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N).await?);
        Ok(out)
    }

    pub(super) async fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array().await?))
    }

    pub(super) async fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array().await?))
    }

    /// A string: its length in bytes as u64, then UTF-8. `what` names it in errors.
    pub(super) async fn string(&mut self, what: &str) -> Result<String, GgufError> {
        let length = self.u64().await?;
        let length = self.count(length, 1, what)?;
        let bytes = self.bytes(length).await?.to_vec();
        String::from_utf8(bytes).map_err(|_| self.bad(format!("{what} is not UTF-8")))
    }
}
