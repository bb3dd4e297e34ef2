//! `hangtag completions`: a completion script for a shell.

use std::io::{Write, stdout};

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};

pub fn run(args: &CompletionsArgs) -> Result<()> {
    // Into memory first: clap_complete panics when its writer fails, as a closed pipe does.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "hangtag", &mut script);
    stdout().write_all(&script)?;
    Ok(())
}
