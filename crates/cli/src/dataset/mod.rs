//! `hangtag dataset`: a file per verb.

pub mod args;
mod balance;
mod check;
mod files;
mod from_csv;
mod split;
mod stats;

use anyhow::Result;

pub use files::{read, read_text, write_whole};

use self::args::{DatasetArgs, Verb};

pub fn run(args: &DatasetArgs) -> Result<()> {
    match &args.verb {
        Verb::Check(args) => check::run(args),
        Verb::Stats(args) => stats::run(args),
        Verb::Split(args) => split::run(args),
        Verb::Balance(args) => balance::run(args),
        Verb::FromCsv(args) => from_csv::run(args),
    }
}
