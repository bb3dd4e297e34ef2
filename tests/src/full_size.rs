//! A model of Phi-2's true size with random numbers, as a package for the page.

use anyhow::{Context, Result};
use hangtag_weights::export::{Base, Format, GgufType, Options, Progress, export};
use hangtag_weights::fetch::cache_dir;
use hangtag_weights::manifest::MANIFEST_FILE;
use hangtag_weights::random::{RandomWeights, shape};
use hangtag_weights::{ByteSource, FileSource};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::goldens;

const NAME: &str = "phi-2-random";
/// As `hangtag export --shard-size 64MiB` does it.
const SHARD_BYTES: u64 = 64 << 20;
const PIECE_BYTES: usize = 16 << 20;

/// The package's folder in Hangtag's cache: Q4_0 in shards. Made when it is not there, which takes minutes and, for a while, 3.2 GB.
///
/// # Errors
/// When it cannot be written.
pub fn phi_2() -> Result<PathBuf> {
    let folder = cache_dir()?.join("full-size");
    let package = folder.join(NAME);
    if package.join(MANIFEST_FILE).is_file() {
        return Ok(package);
    }
    fs::create_dir_all(&folder)?;
    let base = folder.join(format!("{NAME}.gguf"));
    write_random(&base)?;
    let written = write_package(&base, &package);
    fs::remove_file(&base)?;
    written.with_context(|| package.display().to_string())?;
    Ok(package)
}

/// The base: one GGUF file, with the tokenizer of the golden Phi, which has fewer tokens than the model.
fn write_random(path: &Path) -> Result<()> {
    let config = shape("phi-2").context("no shape")?;
    let golden = goldens::open("phi")?;
    let weights = RandomWeights::with_tokenizer(NAME, &config, golden.metadata())?;
    let mut file = File::create(path)?;
    for offset in (0..weights.len()).step_by(PIECE_BYTES) {
        let length = (weights.len() - offset).min(PIECE_BYTES as u64) as usize;
        file.write_all(&pollster::block_on(weights.read(offset, length))?)?;
    }
    Ok(())
}

fn write_package(base: &Path, package: &Path) -> Result<()> {
    let options = Options {
        format: Format::Gguf(GgufType::Q4_0),
        shard_bytes: Some(SHARD_BYTES),
        name: NAME.to_owned(),
        base: "random numbers".to_owned(),
        adapter: None,
        trained_on: None,
        card: None,
        confidence: None,
        licence: "CC0-1.0".to_owned(),
        task_version: hangtag_weights::task_version::UNSAID,
    };
    let mut tenths = 0;
    let mut tell = |progress: Progress| {
        let done = 10 * progress.done / progress.total.max(1);
        if done > tenths {
            tenths = done;
            eprintln!("exporting {}: {done}0%", package.display());
        }
    };
    export(&Base::open_gguf(vec![FileSource::open(base)?])?, None, package, &options, &mut tell)?;
    Ok(())
}
