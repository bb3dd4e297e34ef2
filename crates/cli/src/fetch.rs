//! `hangtag fetch`: gets a known model into the cache folder.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Result;
use hangtag_weights::fetch::{FetchError, FetchProgress, cache_dir, fetch};
use hangtag_weights::trained::{self, PrepareError, PrepareProgress, TrainedModel};
use indicatif::ProgressBar;

use crate::args::FetchArgs;
use crate::failure::{bad_input, failed};
use crate::progress;

pub fn run(args: &FetchArgs) -> Result<()> {
    let path = get(&args.name, args.quiet)?;
    writeln!(stdout(), "{}", path.display())?;
    Ok(())
}

/// The model called `name`, got if it is not in the cache: the file of a base, the package folder of a trained model.
pub fn get(name: &str, quiet: bool) -> Result<PathBuf> {
    let got = match trained::find(name) {
        Some(model) => get_trained(model, quiet),
        None => get_base(name, quiet),
    };
    got.map_err(|error| match error {
        PrepareError::Fetch(FetchError::UnknownModel { .. }) => bad_input(error).into(),
        error => failed(error).into(),
    })
}

fn get_base(name: &str, quiet: bool) -> Result<PathBuf, PrepareError> {
    let bar = progress::bytes(quiet, "looking in the cache");
    let got = fetch(name, &cache_dir()?, &mut |step| show(&bar, step));
    bar.finish_and_clear();
    Ok(got?)
}

fn get_trained(model: &TrainedModel, quiet: bool) -> Result<PathBuf, PrepareError> {
    let fetching = progress::bytes(quiet, "looking in the cache");
    let merging = progress::share(quiet, "merging the adapter, once");
    let got = trained::prepare(model, &cache_dir()?, &mut |step| match step {
        PrepareProgress::Fetching(step) => show(&fetching, step),
        PrepareProgress::Merging(step) => {
            fetching.finish_and_clear();
            merging.set_length(step.total);
            merging.set_position(step.done);
        }
    });
    fetching.finish_and_clear();
    merging.finish_and_clear();
    got
}

fn show(bar: &ProgressBar, step: FetchProgress) {
    let (what, done, total) = match step {
        FetchProgress::Waiting => ("waiting for another hangtag that gets it", 0, 0),
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
