//! axe-core, which checks the page against the rules of accessibility in the end-to-end tests. Not part of the page.

use std::fs;
use std::path::PathBuf;

use hangtag_weights::fetch::FetchError;
use hangtag_weights::hash::sha256_hex;

use crate::programs::tool_folder;

/// The npm package.
pub const PACKAGE: &str = "axe-core";

/// The version wanted, and no other.
pub const VERSION: &str = "4.14.1";

/// SHA-256 of its `axe.min.js`.
const SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// The folder in Hangtag's cache that npm puts it into.
///
/// # Errors
/// When the system does not say where caches are.
pub fn folder() -> Result<PathBuf, FetchError> {
    tool_folder(PACKAGE, VERSION)
}

/// Its code, if it is there and is the code wanted.
pub fn code() -> Option<String> {
    let path = folder().ok()?.join("node_modules").join(PACKAGE).join("axe.min.js");
    fs::read_to_string(path).ok().filter(|code| sha256_hex(code.as_bytes()) == SHA256)
}
