//! `hangtag average`: one adapter of several.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_weights::Adapter;
use hangtag_weights::safetensors::Element;

use crate::args::AverageArgs;
use crate::export::{load_adapter, open};
use crate::failure::{bad_input, failed};

pub fn run(args: &AverageArgs) -> Result<()> {
    let base = open(&args.base, args.quiet)?;
    let mut adapters = Vec::new();
    for folder in &args.adapters {
        adapters.push(load_adapter("adapter", folder, &base)?);
    }
    let first: Adapter = adapters.remove(0);
    let mean = first.mean(&adapters).map_err(bad_input)?;
    mean.save(&args.out, base.weights.config(), Element::F16).map_err(failed)?;
    writeln!(stdout(), "{}", args.out.display())?;
    Ok(())
}
