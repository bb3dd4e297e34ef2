//! `hangtag dataset balance`: the share of features without a value.

use anyhow::Result;
use hangtag_task::dataset::balance;

use super::args::BalanceArgs;
use super::files::{lines, read, write_whole};
use crate::failure::bad_input;

pub fn run(args: &BalanceArgs) -> Result<()> {
    let (products, bad) = read(&args.file)?;
    let balanced = balance(&products, args.none_share, args.seed)
        .map_err(|error| bad_input(format!("{}: {error}", args.file.display())))?;
    write_whole(&args.out, &lines(&balanced.products)?)?;
    eprintln!(
        "{}: {} rows; taken out: {} features without a value, {} with one, {} rows with none left",
        args.out.display(),
        balanced.products.len(),
        balanced.dropped_none,
        balanced.dropped_values,
        balanced.dropped_products,
    );
    bad.outcome()
}
