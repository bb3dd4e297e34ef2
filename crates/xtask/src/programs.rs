//! Where the programs of this machine are.

use std::env;
use std::path::{Path, PathBuf};

use hangtag_weights::fetch::{self, FetchError};

/// The geckodriver that the project is tested with; Debian has none.
pub const GECKODRIVER_VERSION: &str = "0.36.0";

/// Names under which Chromium and Chrome are installed, in the order of preference.
const CHROME_NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Where Chrome lies on systems that do not put it on `PATH`.
const CHROME_PLACES: [&str; 4] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
];

/// Names under which Firefox is installed, in the order of preference.
const FIREFOX_NAMES: [&str; 2] = ["firefox-esr", "firefox"];

/// Where Firefox lies on systems that do not put it on `PATH`.
const FIREFOX_PLACES: [&str; 2] = [
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    r"C:\Program Files\Mozilla Firefox\firefox.exe",
];

/// The first executable file called `name` in the folders of `PATH`.
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    let file_name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(&file_name))
        .find(|path| is_executable(path))
}

/// Chromium or Chrome: `$CHROME` if it is set, else found by name.
pub fn chrome() -> Option<PathBuf> {
    if let Some(path) = env::var_os("CHROME") {
        return Some(PathBuf::from(path)).filter(|path| is_executable(path));
    }
    CHROME_NAMES
        .iter()
        .find_map(|name| find_on_path(name))
        .or_else(|| CHROME_PLACES.iter().map(PathBuf::from).find(|path| is_executable(path)))
}

/// chromedriver: `$CHROMEDRIVER` if it is set, else found on `PATH`.
pub fn chromedriver() -> Option<PathBuf> {
    match env::var_os("CHROMEDRIVER") {
        Some(path) => Some(PathBuf::from(path)).filter(|path| is_executable(path)),
        None => find_on_path("chromedriver"),
    }
}

/// Firefox: `$FIREFOX` if it is set, else found by name.
pub fn firefox() -> Option<PathBuf> {
    if let Some(path) = env::var_os("FIREFOX") {
        return Some(PathBuf::from(path)).filter(|path| is_executable(path));
    }
    FIREFOX_NAMES
        .iter()
        .find_map(|name| find_on_path(name))
        .or_else(|| FIREFOX_PLACES.iter().map(PathBuf::from).find(|path| is_executable(path)))
}

/// geckodriver: `$GECKODRIVER` if it is set, else Hangtag's own, else found on `PATH`.
pub fn geckodriver() -> Option<PathBuf> {
    if let Some(path) = env::var_os("GECKODRIVER") {
        return Some(PathBuf::from(path)).filter(|path| is_executable(path));
    }
    let own = tool_folder("geckodriver", GECKODRIVER_VERSION).ok()?;
    let own = own.join("bin").join(format!("geckodriver{}", env::consts::EXE_SUFFIX));
    Some(own).filter(|path| is_executable(path)).or_else(|| find_on_path("geckodriver"))
}

/// The folder in Hangtag's cache that this version of a tool is installed into.
///
/// # Errors
/// When the system does not say where caches are.
pub fn tool_folder(name: &str, version: &str) -> Result<PathBuf, FetchError> {
    Ok(fetch::cache_dir()?.join("tools").join(format!("{name}-{version}")))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cargo_and_nothing_invented() {
        assert!(find_on_path("cargo").is_some());
        assert_eq!(find_on_path("hangtag-no-such-program"), None);
    }
}
