//! `hangtag extract`: one text or a list of products.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use hangtag_extract::{ExtractError, Extraction, Extractor, Progress, Stats};
use hangtag_products::{Form, Products, Row};
use hangtag_task::Feature;
use indicatif::ProgressBar;

use crate::args::{ExtractArgs, Format};
use crate::failure::{Failure, bad_input, failed};
use crate::input::Input;
use crate::output::{Destination, ProductWriter, write_one};
use crate::progress::TextProgress;
use crate::{features, input, model, progress};

pub fn run(args: &ExtractArgs) -> Result<()> {
    let features = features::from_args(args)?;
    refuse_to_overwrite_the_input(args)?;
    let input = input::read(args)?;
    let extractor = model::load(&args.model)?;
    let destination = Destination::open(args.output.as_deref())?;
    let work = Work { args, features: &features, extractor };
    match input {
        Input::Text(text) => work.one(&text, destination),
        Input::Products { name, products, text_column } => {
            work.list(&List { name, products, text_column }, destination)
        }
    }
}

fn refuse_to_overwrite_the_input(args: &ExtractArgs) -> Result<()> {
    let same = |output: &Path| {
        let paths = (output.canonicalize(), Path::new(&args.input).canonicalize());
        matches!(paths, (Ok(output), Ok(input)) if output == input)
    };
    match &args.output {
        Some(output) if same(output) => {
            Err(bad_input(format!("--output {} is the input itself", output.display()))
                .hint("name another file: what is in the input would be lost if anything failed")
                .into())
        }
        _ => Ok(()),
    }
}

/// Products of a list that are handed to the engine at once; it runs as many together as it has room for.
const TOGETHER: usize = 16;

/// A list of products, the name of where it came from, and the column with the texts.
struct List {
    name: String,
    products: Products,
    text_column: String,
}

impl List {
    fn text(&self, row: &Row) -> Result<String, String> {
        row.text(&[&self.text_column]).map_err(|error| error.to_string())
    }
}

/// A loaded model and what to ask it.
struct Work<'a> {
    args: &'a ExtractArgs,
    features: &'a [Feature],
    extractor: Extractor,
}

impl Work<'_> {
    fn one(mut self, text: &str, mut destination: Destination) -> Result<()> {
        let format = self.format(Format::Table);
        let start = Instant::now();
        let mut bar = TextProgress::new(self.args.model.quiet, self.features.len());
        let result = self.extract(text, &mut |progress| bar.observe(progress));
        bar.finish();
        let seconds = start.elapsed().as_secs_f64();

        let mut write = |extraction: &Extraction| {
            write_one(&mut destination, format, text, extraction, seconds)
        };
        match result {
            Ok(extraction) => {
                write(&extraction)?;
                self.say_how_long(&extraction, seconds);
                Ok(())
            }
            Err(error) => {
                // What was answered before the failure is still worth having.
                if let Some(finished) = error.finished().filter(|f| !f.features.is_empty()) {
                    write(finished)?;
                }
                Err(model::failure(&error).into())
            }
        }
    }

    fn list(mut self, list: &List, destination: Destination) -> Result<()> {
        let products = &list.products;
        let format = self.format(match products.form {
            Form::Csv => Format::Csv,
            Form::Jsonl => Format::Jsonl,
        });
        let mut writer = ProductWriter::begin(
            destination,
            format,
            self.features,
            products,
            self.args.confidence,
        )?;
        let start = Instant::now();
        let bar = progress::count(self.args.model.quiet, products.rows.len());
        let mut stats = Stats::default();
        let mut failures = Vec::new();
        for rows in products.rows.chunks(TOGETHER) {
            for (row, result) in rows.iter().zip(self.rows(list, rows, &bar)) {
                match &result {
                    Ok(extraction) => {
                        stats += extraction.stats;
                        writer.write(row, Ok(&extraction.features))?;
                    }
                    Err(failure) => {
                        report_row(&bar, &list.name, row, failure);
                        writer.write(row, Err(&failure.to_string()))?;
                    }
                }
                failures.extend(result.err());
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        writer.finish(stats, failures.len(), start.elapsed().as_secs_f64())?;
        outcome(&failures, products.rows.len())
    }

    /// The rows' values, of as many at once as the engine has room for.
    fn rows(
        &mut self,
        list: &List,
        rows: &[Row],
        bar: &ProgressBar,
    ) -> Vec<Result<Extraction, Failure>> {
        let texts: Vec<_> = rows.iter().map(|row| list.text(row)).collect();
        if self.args.one_by_one {
            let mut one = |(row, text): (&Row, Result<String, String>)| {
                self.row(row.line, &text.map_err(bad_input)?, bar)
            };
            return rows.iter().zip(texts).map(&mut one).collect();
        }
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            bar.set_message(format!("lines {} to {}", first.line, last.line));
        }
        let readable: Vec<&str> = texts.iter().filter_map(|text| text.as_deref().ok()).collect();
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let extracted =
            pollster::block_on(self.extractor.extract_many(&readable, self.features, go_on));
        let mut extracted = extracted.into_iter();
        let result = |text: &Result<String, String>| match text {
            Err(problem) => Err(bad_input(problem)),
            Ok(_) => match extracted.next() {
                Some(result) => result.map_err(|error| model::failure(&error)),
                None => Err(failed("the text was not read")),
            },
        };
        texts.iter().map(result).collect()
    }

    fn row(&mut self, line: u64, text: &str, bar: &ProgressBar) -> Result<Extraction, Failure> {
        let mut show = |progress| {
            if let Progress::Window { index, count } = progress {
                let part = index + 1;
                bar.set_message(if count > 1 {
                    format!("line {line}, part {part} of {count}")
                } else {
                    format!("line {line}")
                });
            }
            ControlFlow::Continue(())
        };
        self.extract(text, &mut show).map_err(|error| model::failure(&error))
    }

    fn extract(
        &mut self,
        text: &str,
        observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Extraction, ExtractError> {
        if self.args.one_by_one {
            one_by_one(&mut self.extractor, text, self.features, observe)
        } else {
            pollster::block_on(self.extractor.extract(text, self.features, observe))
        }
    }

    fn format(&self, natural: Format) -> Format {
        match self.args.json {
            true => Format::Json,
            false => self.args.format.unwrap_or(natural),
        }
    }

    fn say_how_long(&self, extraction: &Extraction, seconds: f64) {
        if self.args.model.quiet || self.args.json {
            return;
        }
        let windows = match extraction.stats.windows {
            windows if windows > 1 && !self.args.one_by_one => {
                format!(", text read in {windows} parts")
            }
            _ => String::new(),
        };
        let features = match extraction.features.len() {
            1 => "1 feature".to_owned(),
            count => format!("{count} features"),
        };
        eprintln!(
            "{features} in {seconds:.2} s{windows} ({})",
            self.extractor.engine().gpu().describe().name
        );
    }
}

/// Asks for one feature at a time and reads the text anew for each: what asking together is measured against.
fn one_by_one(
    extractor: &mut Extractor,
    text: &str,
    features: &[Feature],
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Extraction, ExtractError> {
    let mut all = Extraction::default();
    for feature in features {
        extractor.engine_mut().clear_prefix_cache();
        let feature = std::slice::from_ref(feature);
        let go_on = &mut |_| ControlFlow::Continue(());
        let one = match pollster::block_on(extractor.extract(text, feature, go_on)) {
            Ok(one) => one,
            Err(error) => return Err(with_finished(error, all)),
        };
        all.stats += one.stats;
        for value in one.features {
            let index = all.features.len();
            all.features.push(value.clone());
            if observe(Progress::Feature { index, value }).is_break() {
                return Err(ExtractError::Cancelled { finished: Box::new(all) });
            }
        }
    }
    Ok(all)
}

/// An error of one feature, with the features that were done before it.
fn with_finished(error: ExtractError, done: Extraction) -> ExtractError {
    let finished = Box::new(done);
    match error {
        ExtractError::Engine { source, .. } => ExtractError::Engine { source, finished },
        ExtractError::NoAnswer { feature, .. } => ExtractError::NoAnswer { feature, finished },
        error => error,
    }
}

fn report_row(bar: &ProgressBar, name: &str, row: &Row, failure: &Failure) {
    bar.suspend(|| eprintln!("error: {name}, line {}: {failure}", row.line));
}

/// The end of a list: all its rows are written, and the exit code says whether all were read.
fn outcome(failures: &[Failure], rows: usize) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {rows} products could not be read", failures.len());
    let failure = if failures.iter().all(Failure::is_bad_input) {
        bad_input(message)
    } else {
        failed(message)
    };
    Err(failure
        .hint("they are in the output with the reason in 'error'; the others are done")
        .into())
}
