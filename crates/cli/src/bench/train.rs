//! `hangtag bench --train`: how fast this computer trains a model of a known shape.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_train::{BasePrecision, DeviceKind, Rounding, TrainBench, open_device};

use crate::args::BenchArgs;
use crate::failure::bad_input;
use crate::train::failure;

/// Rank of the measured adapter.
const RANK: usize = 16;

/// Runs the command.
pub fn run(args: &BenchArgs) -> Result<()> {
    let (batch, length) = sizes(&args.batch).ok_or_else(|| {
        bad_input(format!("--batch {}: write it as SEQUENCESxTOKENS, such as 4x512", args.batch))
    })?;
    let bench = TrainBench {
        shape: args.train.clone().unwrap_or_default(),
        batch,
        length,
        recompute: args.recompute,
        precision: if args.sixteen_bit {
            BasePrecision::SixteenBit
        } else {
            BasePrecision::FourBit
        },
        rounding: Rounding::Exact,
        rank: RANK,
        steps: 3 * usize::from(args.repeat),
    };
    let device = open_device(DeviceKind::Cuda).map_err(failure)?;
    let report = bench.run(&device).map_err(failure)?;
    let mut out = stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    writeln!(out, "training {}, batch {batch} x {length} tokens, rank {RANK}", bench.shape)?;
    writeln!(
        out,
        "  {:.0} tokens/s, {:.3} s a step",
        report.tokens_per_second, report.step_seconds
    )?;
    if let Some(bytes) = report.memory_bytes {
        writeln!(out, "  {:.1} GB of GPU memory", bytes as f64 / 1e9)?;
    }
    Ok(())
}

fn sizes(text: &str) -> Option<(usize, usize)> {
    let (batch, length) = text.split_once('x')?;
    let (batch, length) = (batch.parse().ok()?, length.parse().ok()?);
    (batch > 0 && length > 1).then_some((batch, length))
}
