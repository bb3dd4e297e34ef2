//! The `hangtag` command: reads product descriptions on the user's own GPU.

mod args;
mod average;
mod bench;
mod compare;
mod completions;
mod dataset;
mod evaluate;
mod export;
mod extract;
mod failure;
mod features;
mod fetch;
mod hub;
mod import;
mod input;
mod model;
mod output;
mod progress;
mod table;
mod train;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Extract(args) => extract::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Average(args) => average::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Dataset(args) => dataset::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
