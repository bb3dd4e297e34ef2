//! Files of a known size and hash. That a file was hashed is remembered beside it, so that it is done once.

use super::{FetchError, FetchProgress, at};
use crate::hash::sha256_reader;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) size: u64,
    pub(crate) sha256: &'a str,
}

impl Expected<'_> {
    /// Sees that the file at `path` is this one: by its stamp, else by its hash, and then stamps it.
    pub(crate) fn check(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        if !self.is_stamped(path) {
            self.verify(path, progress)?;
            self.stamp(path);
        }
        Ok(())
    }

    /// Checks size and hash.
    pub(crate) fn verify(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        let mismatch = |what, found: String, expected: String| FetchError::Mismatch {
            file: path.display().to_string(),
            what,
            found,
            expected,
        };
        let file = File::open(path).map_err(at(path))?;
        let size = file.metadata().map_err(at(path))?.len();
        if size != self.size {
            return Err(mismatch("size", size.to_string(), self.size.to_string()));
        }
        let mut verifying = |done_bytes| {
            progress(FetchProgress::Verifying { done_bytes, total_bytes: self.size });
        };
        let sha256 = sha256_reader(file, &mut verifying).map_err(at(path))?;
        if sha256 != self.sha256 {
            return Err(mismatch("SHA-256", sha256, self.sha256.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn is_stamped(&self, path: &Path) -> bool {
        let stamp = fs::read_to_string(stamp_path(path)).ok();
        stamp.is_some() && stamp == self.stamp_text(path)
    }

    /// Remembers that the file at `path` was found to be this one.
    pub(crate) fn stamp(&self, path: &Path) {
        if let Some(text) = self.stamp_text(path) {
            // Without the stamp, the next start computes the hash again: slower, not wrong.
            let _ = fs::write(stamp_path(path), text);
        }
    }

    /// What the stamp of a verified file says: it holds until the file is written to or replaced.
    fn stamp_text(&self, path: &Path) -> Option<String> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        (metadata.len() == self.size)
            .then(|| format!("{} {} {}\n", self.sha256, metadata.len(), modified.as_nanos()))
    }
}

fn stamp_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".verified");
    name.into()
}
