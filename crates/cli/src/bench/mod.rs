//! `hangtag bench`: what this computer's GPU can do, what the engine makes of it, and what each idea gains.

mod drawing;
mod loaded;
mod train;
mod tune;
mod words;

use std::fs;
use std::io::{Write, stdout};
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use hangtag_bench::{Bench, Progress, Report, Settings};

use crate::args::BenchArgs;
use crate::bench::loaded::Loaded;
use crate::failure::failed;
use crate::progress;

pub fn run(args: &BenchArgs) -> Result<()> {
    if args.train.is_some() {
        return train::run(args);
    }
    let mut loaded = Loaded::load(args)?;
    if args.tune {
        return tune::run(loaded.engine(), args);
    }
    let report = measure(&mut loaded, args)?;
    if let Some(path) = &args.svg {
        let written = fs::write(path, drawing::svg(&report));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let rendered = match args.json {
        true => serde_json::to_string(&report)? + "\n",
        false => words::render(&report, &loaded),
    };
    stdout().write_all(rendered.as_bytes())?;
    Ok(())
}

/// Measures everything behind a progress bar.
fn measure(loaded: &mut Loaded, args: &BenchArgs) -> Result<Report> {
    let settings = Settings {
        features: usize::from(args.features),
        text_tokens: args.text_tokens as usize,
        repeats: usize::from(args.repeat),
    };
    let name = args.shape.as_ref().unwrap_or(&args.model.model);
    let bar = progress::count(args.model.quiet, 0);
    let mut shown = (0, String::new());
    let observe = &mut |Progress { what, done, total }: Progress<'_>| {
        // Every step of the engine calls it, and drawing would make them slower.
        if done != shown.0 || what != shown.1 {
            shown = (done, what.to_owned());
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(what.to_owned());
        }
        ControlFlow::Continue(())
    };
    let measured = pollster::block_on(async {
        Bench::new(loaded.subject(), &settings, observe)?.report(name).await
    });
    bar.finish_and_clear();
    Ok(measured.map_err(failed)?)
}
