//! `hangtag dataset split`: train, validation and test.

use std::fs;

use anyhow::{Context, Result};
use hangtag_task::dataset::{Shares, split};

use super::args::SplitArgs;
use super::files::{lines, read, write_whole};
use crate::failure::bad_input;

pub fn run(args: &SplitArgs) -> Result<()> {
    let shares = Shares::new(args.val, args.test).map_err(bad_input)?;
    let (products, bad) = read(&args.file)?;
    let split = split(&products, shares, args.seed);
    fs::create_dir_all(&args.out)
        .with_context(|| format!("making the folder {}", args.out.display()))?;
    let sides =
        [("train.jsonl", split.train), ("val.jsonl", split.validation), ("test.jsonl", split.test)];
    for (name, side) in sides {
        let path = args.out.join(name);
        let chosen = side.iter().filter_map(|&index| products.get(index));
        write_whole(&path, &lines(chosen)?)?;
        eprintln!("{}: {} rows", path.display(), side.len());
    }
    bad.outcome()
}
