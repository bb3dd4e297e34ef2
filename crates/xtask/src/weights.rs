//! The weights: the base that tests use, and the model package that the page loads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hangtag_weights::Manifest;
use hangtag_weights::fetch::{self, FetchProgress};
use hangtag_weights::manifest::MANIFEST_FILE;
use hangtag_weights::registry::{DEFAULT_BASE, DEFAULT_MODEL};
use hangtag_weights::trained::{self, PrepareProgress};
use indicatif::{ProgressBar, ProgressStyle};

/// The default base's file, from the cache or downloaded. Returns it and how it came there.
pub fn ensure_base() -> Result<(PathBuf, String)> {
    let bar = bar();
    let mut downloaded = false;
    let path = fetch::fetch(DEFAULT_BASE, &fetch::cache_dir()?, &mut |progress| {
        downloaded |= matches!(progress, FetchProgress::Downloading { .. });
        show(&bar, progress);
    });
    bar.finish_and_clear();
    let path = path?;
    let how = if downloaded { "downloaded to" } else { "found at" };
    let note = format!("{how} {}", path.display());
    Ok((path, note))
}

/// The default model's package folder: from the cache, or its base fetched and its adapter merged in. Returns it and how
/// it came there.
pub fn ensure_model() -> Result<(PathBuf, String)> {
    let model = trained::find(DEFAULT_MODEL).context("the default model is not known")?;
    let bar = bar();
    let mut merged = false;
    let folder = trained::prepare(model, &fetch::cache_dir()?, &mut |progress| match progress {
        PrepareProgress::Fetching(progress) => show(&bar, progress),
        PrepareProgress::Merging(progress) => {
            if !merged {
                bar.set_style(style("{msg} {bar:30} {percent}% {eta}"));
                bar.set_message("merging the adapter, once");
            }
            merged = true;
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    });
    bar.finish_and_clear();
    let folder = folder?;
    let how = if merged { "merged to" } else { "found at" };
    let note = format!("{how} {}", folder.display());
    Ok((folder, note))
}

fn bar() -> ProgressBar {
    ProgressBar::no_length().with_style(style("{msg} {bar:30} {bytes}/{total_bytes} {eta}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("      {template}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn show(bar: &ProgressBar, progress: FetchProgress) {
    let (what, done, total) = match progress {
        FetchProgress::Waiting => ("waiting for another hangtag", 0, 0),
        FetchProgress::Downloading { done_bytes, total_bytes } => {
            ("downloading", done_bytes, total_bytes)
        }
        FetchProgress::Unpacking { done_bytes, total_bytes } => {
            ("unpacking", done_bytes, total_bytes)
        }
        FetchProgress::Verifying { done_bytes, total_bytes } => {
            ("checking the hash", done_bytes, total_bytes)
        }
    };
    bar.set_message(what);
    bar.set_length(total);
    bar.set_position(done);
}

/// Puts the package in `from` where the page looks for it: `models/NAME/`.
pub fn package(from: &Path, dist: &Path) -> Result<String> {
    let json = fs::read_to_string(from.join(MANIFEST_FILE))
        .with_context(|| format!("cannot read the manifest in {}", from.display()))?;
    let manifest = Manifest::from_json(&json)?;
    let to = dist.join("models").join(&manifest.name);
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let files = manifest.files.iter().map(|file| &file.name);
    for name in files.chain(&manifest.card) {
        place(&from.join(name), &to.join(name))?;
    }
    // Last, so that it never speaks of files that are not there.
    place(&from.join(MANIFEST_FILE), &to.join(MANIFEST_FILE))?;
    Ok(format!("{} in {}", manifest.name, to.display()))
}

/// Links `from` to `to`, or copies it where the two cannot be linked. What is there already, unchanged, stays.
fn place(from: &Path, to: &Path) -> Result<()> {
    let source = fs::metadata(from).with_context(|| format!("cannot read {}", from.display()))?;
    if let Ok(there) = fs::metadata(to) {
        if there.len() == source.len() && there.modified().ok() == source.modified().ok() {
            return Ok(());
        }
        fs::remove_file(to).with_context(|| format!("cannot replace {}", to.display()))?;
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copy = || -> std::io::Result<()> {
        fs::copy(from, to)?;
        // The same time, so that the next start sees that nothing changed.
        fs::File::options().write(true).open(to)?.set_modified(source.modified()?)
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_goes_beside_the_page_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (from, dist) = (folder.path().join("tags-1"), folder.path().join("dist"));
        fs::create_dir(&from).unwrap();
        let manifest = r#"{"name": "tags", "base": "b", "card": "README.md", "licence": "MIT", "task_version": 1,
            "files": [{"name": "m.gguf", "size": 3, "sha256": "SHA"}]}"#;
        fs::write(from.join(MANIFEST_FILE), manifest.replace("SHA", &"0".repeat(64))).unwrap();
        fs::write(from.join("m.gguf"), "abc").unwrap();
        assert!(package(&from, &dist).is_err(), "the card is missing");
        assert!(!dist.join("models/tags").join(MANIFEST_FILE).exists());
        fs::write(from.join("README.md"), "# Tags").unwrap();
        package(&from, &dist).unwrap();
        for name in ["m.gguf", "README.md", MANIFEST_FILE] {
            let (from, to) = (from.join(name), dist.join("models/tags").join(name));
            assert_eq!(fs::read(from).unwrap(), fs::read(to).unwrap());
        }
    }

    #[test]
    fn a_changed_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "older").unwrap();
        place(&from, &to).unwrap();
        place(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        assert!(place(&folder.path().join("none"), &to).is_err());
    }
}
