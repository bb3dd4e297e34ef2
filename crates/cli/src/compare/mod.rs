//! `hangtag compare`: the methods for the same task beside each other, as one table: without a language model, with one that was
//! not trained, trained, rounded to 4 bits, and asked in several ways.

pub mod args;
mod asking;

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use hangtag_evaluate::{Answerer, Lookup, Ner, Question, Report, Run, ask};
use hangtag_task::Product;

use self::args::CompareArgs;
use self::asking::{Asking, Model};
use crate::args::{ExportArgs, ExportFormat, TrainArgs, TrainDevice};
use crate::failure::failed;
use crate::{dataset, export, progress, train};

/// Length of the text that is timed, in tokens about.
const TIMED_TEXT_TOKENS: usize = 300;
/// The time is the median of so many.
const TIMES: usize = 3;

/// One line of the table.
struct Line {
    method: String,
    report: Option<Report>,
    seconds: f64,
}

/// Runs the command.
pub fn run(args: &CompareArgs) -> Result<()> {
    let learned = read(&args.train, None)?;
    let products = read(std::slice::from_ref(&args.data), args.limit)?;
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let adapter = match &args.adapter {
        Some(adapter) => adapter.clone(),
        None => trained(args)?,
    };
    let [half, quarter] =
        [ExportFormat::F16, ExportFormat::Q4_0].map(|format| exported(args, &adapter, format));
    let (half, quarter) = (half?, quarter?);
    let mut lines = Vec::new();
    lines.push(line(args, &mut Lookup::train(&learned), &products)?);
    if !args.without_ner {
        lines.push(line(args, &mut Ner::new(learned.clone()), &products)?);
    }
    let base = args.base.as_str();
    lines.push(of_model(args, base, Asking::Examples(examples(&learned)), &products)?);
    lines.push(of_model(args, &half, Asking::Together, &products)?);
    lines.push(of_model(args, &quarter, Asking::OneByOne { anew: true }, &products)?);
    lines.push(of_model(args, &quarter, Asking::OneByOne { anew: false }, &products)?);
    lines.push(of_model(args, &quarter, Asking::InTurn(args.in_turn), &products)?);
    lines.push(of_model(args, &quarter, Asking::Together, &products)?);
    let table = render(&lines, products.len(), args.timed_features);
    let path = args.out.join("comparison.md");
    dataset::write_whole(&path, &table)?;
    stdout().write_all(table.as_bytes())?;
    Ok(())
}

fn read(paths: &[std::path::PathBuf], limit: Option<u32>) -> Result<Vec<Product>> {
    let mut all = Vec::new();
    for path in paths {
        let (products, bad) = dataset::read(path)?;
        bad.refuse()?;
        all.extend(products);
    }
    all.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
    Ok(all)
}

fn trained(args: &CompareArgs) -> Result<std::path::PathBuf> {
    let out = args.out.join("adapter");
    train::run(&TrainArgs {
        base: args.base.clone(),
        data: args.train.clone(),
        val: args.val.clone(),
        out: out.clone(),
        config: args.config.clone(),
        set: args.set.clone(),
        resume: false,
        init_adapter: None,
        device: TrainDevice::Auto,
        print_config: false,
        quiet: args.quiet,
    })?;
    Ok(out)
}

/// The package of the base with the adapter merged in; one that an earlier run made is used again.
fn exported(args: &CompareArgs, adapter: &Path, format: ExportFormat) -> Result<String> {
    let name = if format == ExportFormat::F16 { "model-f16" } else { "model-q4_0" };
    let out = args.out.join(name);
    if !out.exists() {
        export::export_to(&ExportArgs {
            base: args.base.clone(),
            adapter: Some(adapter.to_owned()),
            out: out.clone(),
            format,
            shard_size: None,
            name: Some(name.to_owned()),
            licence: None,
            task_version: None,
            json: false,
            quiet: args.quiet,
        })?;
    }
    Ok(out.to_string_lossy().into_owned())
}

/// Three products that say much: those of most features among the shorter texts.
fn examples(products: &[Product]) -> Vec<Product> {
    let mut short: Vec<&Product> =
        products.iter().filter(|product| product.text.chars().count() < 500).collect();
    short.sort_by_key(|product| std::cmp::Reverse(product.features.len()));
    short.into_iter().take(3).cloned().collect()
}

fn of_model(args: &CompareArgs, model: &str, asking: Asking, products: &[Product]) -> Result<Line> {
    // The answers of one at a time are those of all together: only their time differs.
    let products = if matches!(asking, Asking::OneByOne { .. }) { &[] } else { products };
    line(args, &mut Model::load(model, asking, args.quiet)?, products)
}

fn line(args: &CompareArgs, answerer: &mut dyn Answerer, products: &[Product]) -> Result<Line> {
    let method = answerer.name();
    let bar = progress::count(args.quiet, products.len());
    bar.set_message(method.clone());
    let mut predictions = Vec::new();
    for product in products {
        let prediction = ask(answerer, product);
        predictions.push(prediction.with_context(|| format!("{method}: product {}", product.id))?);
        bar.inc(1);
    }
    let report =
        (!products.is_empty()).then(|| Report::new(Run::default(), products, &predictions));
    let seconds = timed(answerer, args.timed_features)?;
    bar.finish_and_clear();
    Ok(Line { method, report, seconds })
}

/// Median seconds for the features of one text, after once to warm up.
fn timed(answerer: &mut dyn Answerer, count: u16) -> Result<f64> {
    let features = hangtag_bench::features(usize::from(count))?;
    // A word of this text is nearly two tokens of a small vocabulary, and more than one of a large.
    let text: String =
        hangtag_bench::TEXT.split_inclusive(' ').cycle().take(TIMED_TEXT_TOKENS * 2 / 3).collect();
    let question = Question { category: "", text: &text, features: &features };
    let mut seconds = Vec::new();
    for _ in 0..=TIMES {
        let start = Instant::now();
        answerer.answer(&question).map_err(failed)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut timed = seconds.split_off(1);
    timed.sort_by(f64::total_cmp);
    Ok(timed[TIMES / 2])
}

/// The table in Markdown.
fn render(lines: &[Line], products: usize, timed_features: u16) -> String {
    let mut table = format!(
        "| {products} products | F1 | accuracy | wrong | invented | {timed_features} features |\n|---|---|---|---|---|---|\n"
    );
    for line in lines {
        let figures = match &line.report {
            Some(report) => {
                let f = &report.strict;
                [f.f1, f.accuracy, f.wrong, f.invented]
                    .map(|share| format!("{:.1}%", 100.0 * share))
            }
            None => ["as together", "", "", ""].map(str::to_owned),
        };
        let seconds = match line.seconds {
            seconds if seconds < 0.001 => "< 1 ms".to_owned(),
            seconds if seconds < 1.0 => format!("{:.0} ms", 1000.0 * seconds),
            seconds => format!("{seconds:.1} s"),
        };
        table += &format!("| {} | {} | {seconds} |\n", line.method, figures.join(" | "));
    }
    table
}
