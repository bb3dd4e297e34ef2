//! The base weights, and the model package that the page loads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hangtag_task::TASK_VERSION;
use hangtag_weights::fetch::{self, FetchProgress};
use hangtag_weights::registry::{self, DEFAULT_MODEL, KnownModel};
use hangtag_weights::{Manifest, ManifestFile};
use indicatif::{ProgressBar, ProgressStyle};

/// The default model's file, from the cache or downloaded. Returns it and how it came there.
pub fn ensure() -> Result<(PathBuf, String)> {
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "      {msg} {bar:30} {bytes}/{total_bytes} {eta}",
    )?);
    let mut downloaded = false;
    let path = fetch::fetch(DEFAULT_MODEL, &fetch::cache_dir()?, &mut |progress| {
        let (what, done, total) = match progress {
            FetchProgress::Waiting => ("waiting for another download", 0, 0),
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
        downloaded |= matches!(progress, FetchProgress::Downloading { .. });
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let path = path?;
    let how = if downloaded { "downloaded to" } else { "found at" };
    let note = format!("{how} {}", path.display());
    Ok((path, note))
}

/// Puts the model where the page looks for it: `models/NAME/` with `manifest.json` and the file.
pub fn package(weights: &Path, dist: &Path) -> Result<String> {
    let model =
        registry::find(DEFAULT_MODEL).context("the default model is not in the registry")?;
    let folder = dist.join("models").join(model.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    place(weights, &folder.join(model.file_name))?;
    let manifest = folder.join("manifest.json");
    fs::write(&manifest, manifest_of(model).to_json()?)
        .with_context(|| format!("cannot write {}", manifest.display()))?;
    Ok(format!("{} in {}", model.file_name, folder.display()))
}

fn manifest_of(model: &KnownModel) -> Manifest {
    Manifest {
        name: model.description.to_owned(),
        base: model.hub_name.to_owned(),
        adapter: None,
        licence: model.licence.to_owned(),
        task_version: TASK_VERSION,
        presets: Vec::new(),
        files: vec![ManifestFile {
            name: model.file_name.to_owned(),
            size: model.size,
            sha256: model.sha256.to_owned(),
        }],
    }
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
    fn every_known_model_has_a_valid_manifest() {
        for model in registry::known_models() {
            let json = manifest_of(model).to_json().unwrap();
            assert_eq!(Manifest::from_json(&json).unwrap().files[0].sha256, model.sha256);
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
