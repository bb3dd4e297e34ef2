//! The service worker that keeps the built page on the visitor's device: which files it keeps, and of which hash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Its name, beside the page.
pub const SERVICE_WORKER: &str = "service-worker.js";

/// The page that answers for the folder itself.
const PAGE: &str = "index.html";

/// What the service worker keeps is listed in its code, in place of these lines.
const TEMPLATE: &str = include_str!("../../../web/assets/service-worker.js");
const EMPTY_VERSION: &str = "const VERSION = \"\";";
const EMPTY_FILES: &str = "const FILES = {};";

/// Why the service worker could not be written.
#[derive(Debug, Error)]
pub enum OfflineError {
    /// A file of the built page cannot be read, or the service worker not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// web/assets/service-worker.js was changed in a way that leaves no room for the list.
    #[error("web/assets/service-worker.js has no line `{0}`")]
    Template(&'static str),
}

/// Subresource Integrity of a file's bytes, as `integrity` attributes and `fetch` take it.
pub fn integrity(bytes: &[u8]) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(bytes)))
}

/// Writes the service worker of the page built in `dist`: it keeps every file at the folder's top but itself and hidden
/// ones. Models lie in folders, and the page keeps them itself.
///
/// # Errors
/// [`OfflineError`], with the file's path.
pub fn write_service_worker(dist: &Path) -> Result<(), OfflineError> {
    let code = service_worker(&files(dist)?)?;
    let path = dist.join(SERVICE_WORKER);
    fs::write(&path, code).map_err(at(&path))
}

/// Names and integrity of what is kept; the page goes by the folder's own address, which no host redirects.
fn files(dist: &Path) -> Result<BTreeMap<String, String>, OfflineError> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dist).map_err(at(dist))? {
        let path = entry.map_err(at(dist))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_kept(&name) && path.is_file() {
            let hash = integrity(&fs::read(&path).map_err(at(&path))?);
            files.insert(if name == PAGE { "./".to_owned() } else { name }, hash);
        }
    }
    Ok(files)
}

fn is_kept(name: &str) -> bool {
    let is_compressed_twin = [".br", ".gz"].iter().any(|ending| name.ends_with(ending));
    name != SERVICE_WORKER && !name.starts_with('.') && !is_compressed_twin
}

fn service_worker(files: &BTreeMap<String, String>) -> Result<String, OfflineError> {
    let list: String =
        files.iter().map(|(name, hash)| format!("  {name:?}: {hash:?},\n")).collect();
    let digest = Sha256::digest(format!("{TEMPLATE}{list}"));
    let version: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let code = filled(TEMPLATE, EMPTY_VERSION, &format!("const VERSION = \"{version}\";"))?;
    filled(&code, EMPTY_FILES, &format!("const FILES = {{\n{list}}};"))
}

fn filled(code: &str, empty: &'static str, full: &str) -> Result<String, OfflineError> {
    match code.contains(empty) {
        true => Ok(code.replacen(empty, full, 1)),
        false => Err(OfflineError::Template(empty)),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> OfflineError {
    let path = path.to_path_buf();
    move |source| OfflineError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> tempfile::TempDir {
        let dist = tempfile::tempdir().unwrap();
        fs::create_dir(dist.path().join("models")).unwrap();
        for name in ["index.html", "a-0123.js", "a-0123.js.br", ".built", "models/manifest.json"] {
            fs::write(dist.path().join(name), name).unwrap();
        }
        dist
    }

    fn written(dist: &Path) -> String {
        write_service_worker(dist).unwrap();
        fs::read_to_string(dist.join(SERVICE_WORKER)).unwrap()
    }

    #[test]
    fn the_built_files_are_listed_and_nothing_else() {
        let dist = page();
        let names: Vec<_> = files(dist.path()).unwrap().into_keys().collect();
        assert_eq!(names, ["./", "a-0123.js"]);
        // Its own file changes nothing in a second run.
        let first = written(dist.path());
        assert_eq!(written(dist.path()), first);
        assert!(first.contains(&format!("  \"a-0123.js\": \"{}\",\n", integrity(b"a-0123.js"))));
    }

    #[test]
    fn a_changed_file_makes_another_version() {
        let version = |code: &str| {
            code.lines().find(|line| line.starts_with("const VERSION")).unwrap().to_owned()
        };
        let dist = page();
        let before = version(&written(dist.path()));
        fs::write(dist.path().join("index.html"), "changed").unwrap();
        assert_ne!(version(&written(dist.path())), before);
        assert_ne!(before, EMPTY_VERSION);
    }

    #[test]
    fn integrity_is_that_of_the_standard() {
        // Of no bytes, as in the FIPS 180 examples.
        assert_eq!(integrity(b""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_service_worker(Path::new("no-such-folder")).unwrap_err().to_string();
        assert!(error.contains("no-such-folder"), "{error}");
    }
}
