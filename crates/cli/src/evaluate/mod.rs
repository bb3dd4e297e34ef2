//! `hangtag evaluate`: who answers, how good the answers are, and the report.

mod answerers;
pub use answerers::given;
pub mod args;
mod journal;
mod processor;
mod server;
mod summary;

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Result;
use hangtag_evaluate::{
    Calibration, Judged, Prediction, Report, Run, ask, fit_confidence, judged, read_predictions,
    render_html,
};
use hangtag_task::Product;

use self::args::EvaluateArgs;
use self::journal::Journal;
use crate::failure::{bad_input, failed};
use crate::{dataset, progress};

pub fn run(args: &EvaluateArgs) -> Result<()> {
    let (mut products, bad) = dataset::read(&args.data)?;
    products.truncate(args.limit.map_or(usize::MAX, |limit| limit as usize));
    let mut run = Run { data: name_of(&args.data), ..Run::default() };
    let predictions = match &args.predictions_in {
        Some(path) => {
            run.answerer = name_of(path);
            read_all(path)?
        }
        None => answers(args, &products, &mut run)?,
    };

    if let Some(path) = &args.fit_confidence {
        fit(path, &products, &predictions)?;
    }
    let report = Report::new(run, &products, &predictions);
    if let Some(path) = &args.report {
        dataset::write_whole(path, &render_html(&report))?;
    }
    let text =
        if args.json { serde_json::to_string(&report)? + "\n" } else { summary::render(&report) };
    stdout().write_all(text.as_bytes())?;
    missing(&report)?;
    bad.outcome()
}

/// Fits the map of confidence to the answers and writes it.
fn fit(path: &Path, products: &[Product], predictions: &[Prediction]) -> Result<()> {
    let judged = judged(products, predictions);
    let Some(before) = Calibration::new(judged.clone()) else {
        return Err(bad_input("--fit-confidence: no answer has a confidence")
            .hint("lookup and ner have none; servers have one if they give logprobs")
            .into());
    };
    let map = fit_confidence(&judged);
    let mapped = |answer: &Judged| {
        let confidence = map.apply(answer.confidence, answer.has_value);
        Judged { confidence, ..*answer }
    };
    let after = Calibration::new(judged.iter().map(mapped).collect());
    dataset::write_whole(path, &map.to_json()?)?;
    eprintln!(
        "{}: fitted to {} answers; their expected calibration error goes from {:.1}% to {:.1}%",
        path.display(),
        before.answers,
        before.ece * 100.0,
        after.map_or(0.0, |after| after.ece * 100.0)
    );
    Ok(())
}

/// A file's name without its folders: reports are shown to others.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Predictions of another program; each line must be good, or the figures would be of another set than the file's.
fn read_all(path: &Path) -> Result<Vec<Prediction>> {
    let text = dataset::read_text(path)?;
    let predictions: Result<Vec<Prediction>, _> = read_predictions(&text).collect();
    Ok(predictions.map_err(|error| bad_input(format!("{}, {error}", path.display())))?)
}

/// Asks for all products that have no answers yet.
fn answers(args: &EvaluateArgs, products: &[Product], run: &mut Run) -> Result<Vec<Prediction>> {
    let mut answerer = answerers::open(args)?;
    run.answerer = answerer.name();
    let mut journal = Journal::open(args.predictions.as_deref(), args.resume, &run.answerer)?;
    let bar = progress::count(args.quiet, products.len());
    for product in products {
        if !journal.has(&product.id) {
            bar.set_message(product.id.clone());
            match ask(answerer.as_mut(), product) {
                Ok(prediction) => journal.add(prediction)?,
                Err(error) => {
                    let why = error.to_string();
                    bar.suspend(|| eprintln!("error: product {:?}: {why}", product.id));
                    run.failures.insert(product.id.clone(), why);
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(journal.predictions)
}

/// Exit code 1 if products have no answers.
fn missing(report: &Report) -> Result<()> {
    let missing = report.products - report.answered;
    if missing == 0 {
        return Ok(());
    }
    let hint = match report.run.failures.is_empty() {
        true => {
            "the figures are of the others; see that both files have the same ids, or give --limit"
        }
        false => {
            "the figures are of the others; with --predictions and --resume only those are asked again"
        }
    };
    Err(failed(format!("{missing} of {} products have no answers", report.products))
        .hint(hint)
        .into())
}
