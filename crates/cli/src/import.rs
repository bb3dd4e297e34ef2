//! Folders of Hugging Face transformers, converted to 4 bits once and kept in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use hangtag_weights::export::{Base, ExportError, Format, GgufType, Options, export};
use hangtag_weights::fetch::{cache_dir, lock};
use hangtag_weights::hash::sha256_hex;
use hangtag_weights::task_version;

use crate::failure::{bad_input, failed};
use crate::{model, progress};

/// The package folder made of `folder`, with the model's `name`. It is made when there is none of the folder as it is now.
pub fn four_bit(folder: &Path, name: &str, quiet: bool) -> Result<PathBuf> {
    let base = Base::open_hf(folder).map_err(|error| {
        bad_input(format!("{}: {error}", folder.display())).hint(model::WHAT_A_MODEL_IS)
    })?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let all = cache_dir()?.join("imported");
    fs::create_dir_all(&all).with_context(|| all.display().to_string())?;
    let package = all.join(format!("{name}-{}", stamp(folder)?));
    // Two that start at once would write the same folder.
    let _lock = lock(&package.with_extension("lock"), &mut |_| {})?;
    if package.is_dir() {
        return Ok(package);
    }
    let options = Options {
        format: Format::Gguf(GgufType::Q4_0),
        shard_bytes: None,
        base: name.clone(),
        name,
        adapter: None,
        trained_on: None,
        card: None,
        confidence: None,
        licence: "NOASSERTION".to_owned(),
        task_version: task_version::of_metadata(base.metadata()).map_err(bad_input)?,
    };
    let bar = progress::share(quiet, "converting to 4 bits, once");
    let report = export(&base, None, &package, &options, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    match report {
        Ok(_) => Ok(package),
        Err(error @ ExportError::Io { .. }) => Err(failed(error)
            .hint("see that there is room in the cache folder; HANGTAG_CACHE names another")
            .into()),
        Err(error) => Err(bad_input(format!("{}: {error}", folder.display())).into()),
    }
}

/// Sixteen digits that change with any file of the folder.
fn stamp(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        // Follows the links of the hub's cache.
        let metadata = fs::metadata(entry.path())?;
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        files.push((entry.file_name(), metadata.len(), changed.as_nanos()));
    }
    files.sort();
    let hash = sha256_hex(format!("{} {files:?}", folder.display()).as_bytes());
    Ok(hash.chars().take(16).collect())
}
