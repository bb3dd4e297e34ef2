//! `hangtag fetch`: gets a known model into the cache folder.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Result;
use hangtag_weights::fetch::{FetchError, FetchProgress, cache_dir, fetch};
use indicatif::ProgressBar;

use crate::args::FetchArgs;
use crate::failure::{bad_input, failed};
use crate::progress;

pub fn run(args: &FetchArgs) -> Result<()> {
    let path = get(&args.name, args.quiet)?;
    writeln!(stdout(), "{}", path.display())?;
    Ok(())
}

/// The file of the model called `name`, downloaded if it is not in the cache.
pub fn get(name: &str, quiet: bool) -> Result<PathBuf> {
    let bar = progress::bytes(quiet, "looking in the cache");
    let fetched = cache_dir().and_then(|cache| fetch(name, &cache, &mut |step| show(&bar, step)));
    bar.finish_and_clear();
    fetched.map_err(|error| match error {
        FetchError::UnknownModel { .. } => bad_input(error).into(),
        error => failed(error).into(),
    })
}

fn show(bar: &ProgressBar, step: FetchProgress) {
    let (what, done, total) = match step {
        FetchProgress::Waiting => ("waiting for another hangtag that fetches it", 0, 0),
        FetchProgress::Downloading { done_bytes, total_bytes } => {
            ("downloading the model", done_bytes, total_bytes)
        }
        FetchProgress::Unpacking { done_bytes, total_bytes } => {
            ("unpacking the model", done_bytes, total_bytes)
        }
        FetchProgress::Verifying { done_bytes, total_bytes } => {
            ("checking the model", done_bytes, total_bytes)
        }
    };
    bar.set_message(what);
    bar.set_length(total);
    bar.set_position(done);
}
