//! SHA-256 of files, in pieces.

use crate::source::{ByteSource, SourceError};
use sha2::{Digest, Sha256};

const CHUNK_BYTES: usize = 1 << 20;

/// A SHA-256 hash being computed.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// SHA-256 of bytes in memory, as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// SHA-256 of a whole source, read in pieces; `progress` is told the bytes done after each.
///
/// # Errors
/// When the source cannot be read.
pub async fn sha256_source<S: ByteSource>(
    source: &S,
    mut progress: impl FnMut(u64),
) -> Result<String, SourceError> {
    let mut hasher = Sha256Hasher::new();
    let mut done = 0;
    while done < source.len() {
        let left = source.len() - done;
        let length = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        hasher.update(&source.read(done, length).await?);
        done += length as u64;
        progress(done);
    }
    Ok(hasher.finish())
}

/// SHA-256 of everything that `reader` gives; `progress` is told the bytes done after each piece.
///
/// # Errors
/// When reading fails.
#[cfg(not(target_arch = "wasm32"))]
pub fn sha256_reader(
    mut reader: impl std::io::Read,
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<String> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut done = 0;
    loop {
        let length = reader.read(&mut buffer)?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..length]);
        done += length as u64;
        progress(done);
    }
}

/// Whether `text` is a SHA-256 hash as this module writes it.
pub fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    /// FIPS 180-4's example of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn hashes_the_standards_example() {
        assert_eq!(sha256_hex(b"abc"), ABC);
        assert!(is_sha256_hex(ABC));
        assert!(!is_sha256_hex(&ABC.to_uppercase()));
        assert!(!is_sha256_hex(&ABC[1..]));
    }

    #[test]
    fn pieces_hash_as_the_whole() {
        let bytes: Vec<u8> = (0..CHUNK_BYTES * 2 + 5).map(|at| at as u8).collect();
        let whole = sha256_hex(&bytes);
        assert_ne!(whole, sha256_hex(&bytes[1..]));
        let mut seen = Vec::new();
        let read = sha256_reader(bytes.as_slice(), &mut |done| seen.push(done)).unwrap();
        assert_eq!(read, whole);
        assert_eq!(seen.last(), Some(&(bytes.len() as u64)));
        let mut calls = 0;
        let source = MemorySource::new("m", bytes);
        assert_eq!(pollster::block_on(sha256_source(&source, |_| calls += 1)).unwrap(), whole);
        assert_eq!(calls, 3);
    }
}
