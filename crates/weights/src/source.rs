//! Random access to the bytes of one file, wherever it lies.

use std::future::Future;

/// Random access to the bytes of one file: a local file, an HTTP resource read by ranges, a browser file (OPFS).
pub trait ByteSource {
    /// What error messages call this file: its path, URL or file name.
    fn name(&self) -> &str;

    /// Size of the file in bytes.
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly `length` bytes from `offset`. The future need not be `Send`.
    ///
    /// # Errors
    /// When the range is not inside the file (before anything is allocated for it) or cannot be read.
    fn read(
        &self,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Vec<u8>, SourceError>>;
}

impl<S: ByteSource> ByteSource for &S {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read(
        &self,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Vec<u8>, SourceError>> {
        (**self).read(offset, length)
    }
}

/// Why bytes could not be had from a [`ByteSource`].
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Bytes were asked for that the file does not have.
    #[error(
        "{name}: bytes {offset}..+{length} lie outside the file of {size} bytes; it may be cut short"
    )]
    OutOfRange {
        /// The file.
        name: String,
        /// First byte asked for.
        offset: u64,
        /// Number of bytes asked for.
        length: u64,
        /// Size of the file in bytes.
        size: u64,
    },
    /// Any other failure: an HTTP status, a browser exception.
    #[error("{name}: {message}")]
    Other {
        /// The file or URL.
        name: String,
        /// What went wrong, and what to do about it.
        message: String,
    },
}

/// Checks that `length` bytes from `offset` are inside a source.
///
/// Every implementation of [`ByteSource::read`] calls it first, so that no length out of a damaged file
/// is allocated.
///
/// # Errors
/// [`SourceError::OutOfRange`] when they are not.
pub fn check_range<S: ByteSource + ?Sized>(
    source: &S,
    offset: u64,
    length: usize,
) -> Result<(), SourceError> {
    match offset.checked_add(length as u64) {
        Some(end) if end <= source.len() => Ok(()),
        _ => Err(SourceError::OutOfRange {
            name: source.name().to_owned(),
            offset,
            length: length as u64,
            size: source.len(),
        }),
    }
}

/// A file held in memory.
#[derive(Debug, Clone)]
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// Wraps `bytes`; `name` is used in error messages.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
        check_range(self, offset, length)?;
        let start = offset as usize; // fits: it is at most the length of a Vec
        Ok(self.bytes[start..start + length].to_vec())
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;

#[cfg(not(target_arch = "wasm32"))]
mod file {
    use super::{ByteSource, SourceError, check_range};
    use crate::gguf::shard_file_names;
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    /// A local file.
    #[derive(Debug)]
    pub struct FileSource {
        path: PathBuf,
        name: String,
        file: Mutex<File>,
        size: u64,
    }

    impl FileSource {
        /// Opens the file at `path` for reading.
        ///
        /// # Errors
        /// When the path cannot be opened or is no plain file.
        pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
            let path = path.as_ref();
            let name = path.display().to_string();
            let io = |source| SourceError::Io { name: name.clone(), source };
            let file = File::open(path).map_err(io)?;
            let metadata = file.metadata().map_err(io)?;
            if !metadata.is_file() {
                return Err(SourceError::Other { name, message: "not a file".to_owned() });
            }
            Ok(Self { size: metadata.len(), file: Mutex::new(file), path: path.to_owned(), name })
        }

        /// Where the file is, for libraries that open it themselves.
        pub fn path(&self) -> &Path {
            &self.path
        }

        /// Opens the file at `path` and, when it is called `…-0000i-of-0000N.gguf`, all N shards beside it, in order.
        ///
        /// # Errors
        /// When one of the files cannot be opened; the error names it.
        pub fn open_shards(path: impl AsRef<Path>) -> Result<Vec<Self>, SourceError> {
            let path = path.as_ref();
            let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            match shard_file_names(file_name) {
                Some(names) => {
                    names.iter().map(|name| Self::open(path.with_file_name(name))).collect()
                }
                None => Ok(vec![Self::open(path)?]),
            }
        }

        fn read_now(&self, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
            let mut bytes = vec![0; length];
            // A poisoned lock is harmless: every read sets the position itself.
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        }
    }

    impl ByteSource for FileSource {
        fn name(&self) -> &str {
            &self.name
        }

        fn len(&self) -> u64 {
            self.size
        }

        async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
            check_range(self, offset, length)?;
            self.read_now(offset, length)
                .map_err(|source| SourceError::Io { name: self.name.clone(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_asked_bytes_and_no_others() {
        let source = MemorySource::new("m", vec![1, 2, 3, 4]);
        assert_eq!(pollster::block_on(source.read(1, 2)).unwrap(), [2, 3]);
        assert!(pollster::block_on(source.read(4, 0)).unwrap().is_empty());
        for (offset, length) in [(3, 2), (5, 0), (u64::MAX, 1), (0, usize::MAX)] {
            let error = pollster::block_on(source.read(offset, length)).unwrap_err();
            assert!(matches!(error, SourceError::OutOfRange { size: 4, .. }));
        }
    }

    #[test]
    fn a_file_reads_as_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, [9, 8, 7]).unwrap();
        let source = FileSource::open(&path).unwrap();
        assert_eq!(source.len(), 3);
        assert_eq!(pollster::block_on(source.read(1, 2)).unwrap(), [8, 7]);
        assert!(pollster::block_on(source.read(2, 2)).is_err());
        assert!(FileSource::open(folder.path().join("missing")).is_err());
        assert!(FileSource::open(folder.path()).is_err());
    }

    #[test]
    fn a_shard_opens_its_siblings() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=2 {
            let name = format!("m-0000{number}-of-00002.gguf");
            std::fs::write(folder.path().join(name), [number]).unwrap();
        }
        let shards = FileSource::open_shards(folder.path().join("m-00002-of-00002.gguf")).unwrap();
        assert_eq!(shards.len(), 2);
        assert_eq!(pollster::block_on(shards[0].read(0, 1)).unwrap(), [1]);
        std::fs::remove_file(folder.path().join("m-00001-of-00002.gguf")).unwrap();
        let error = FileSource::open_shards(folder.path().join("m-00002-of-00002.gguf"));
        assert!(error.unwrap_err().to_string().contains("m-00001-of-00002"));
    }
}
