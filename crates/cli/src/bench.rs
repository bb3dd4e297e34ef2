//! `hangtag bench`: how fast this computer reads and writes, and what asking together gains.

use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Result;
use hangtag_engine::{Event, Job, RowRequest};
use hangtag_extract::{Extraction, Extractor};
use hangtag_task::{Feature, parse_feature_list};
use hangtag_weights::Position;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::BenchArgs;
use crate::{extract, model, progress};

/// A description to read, repeated to the length asked for.
const TEXT: &str = "Trail running shoe for men, upper of recycled polyester mesh in navy blue with orange laces, \
                    rubber sole with 4 mm lugs, 8 mm drop, 285 g in size EU 42, made in Portugal, machine washable \
                    at 30 degrees, delivered in a cardboard box with a spare pair of insoles. ";

/// Names to ask for; more are numbered.
const FEATURES: &str =
    "Brand, Color, Size, Material, Gender, Weight, Country, Sole, Drop, Washing, Packaging, Sport";

/// Rows decoded together.
const BATCH_SIZES: [usize; 4] = [1, 8, 32, 64];

/// Steps that decoding speed is measured over.
const DECODE_STEPS: usize = 16;

/// All that is measured; seconds and tokens per second are medians.
#[derive(Serialize)]
struct Report {
    model: String,
    adapter: String,
    backend: String,
    driver: String,
    shader_f16: bool,
    subgroups: bool,
    memory_bytes: u64,
    repeat: u16,
    prefill: Prefill,
    decode: Vec<Decode>,
    features: Features,
}

/// Reading a text up to the first token of an answer.
#[derive(Serialize)]
struct Prefill {
    tokens: usize,
    seconds: f64,
    tokens_per_second: f64,
}

/// Writing `rows` answers together.
#[derive(Serialize)]
struct Decode {
    rows: usize,
    tokens_per_second: f64,
}

/// Whole extractions of the same features of the same text.
#[derive(Serialize)]
struct Features {
    count: usize,
    text_tokens: usize,
    generated_tokens: usize,
    together_seconds: f64,
    one_by_one_seconds: f64,
    /// One by one over together.
    ratio: f64,
    /// Whether both ways gave the same values.
    same_values: bool,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    let features = features(args.features.into())?;
    let extractor = model::load(&args.model)?;
    let repeats = usize::from(args.repeat);
    let steps = repeats * (BATCH_SIZES.len() + 3) + 1;
    let mut bench = Bench {
        text: text(&extractor, args.text_tokens as usize)?,
        extractor,
        features,
        repeats,
        bar: progress::count(args.model.quiet, steps),
    };
    // The first job also builds the pipelines.
    bench.once("warming up", |bench| bench.together().map(|_| 0.0))?;
    let report = bench.report(&args.model.model, args.repeat)?;
    bench.bar.finish_and_clear();
    let rendered =
        if args.json { serde_json::to_string(&report)? + "\n" } else { bench.render(&report) };
    stdout().write_all(rendered.as_bytes())?;
    Ok(())
}

fn features(count: usize) -> Result<Vec<Feature>> {
    let names: Vec<&str> = FEATURES.split(", ").collect();
    let names: Vec<String> = (0..count)
        .map(|index| match (names.get(index), names[index % names.len()]) {
            (Some(name), _) => (*name).to_owned(),
            (None, name) => format!("{name} {}", index / names.len() + 1),
        })
        .collect();
    Ok(parse_feature_list(&names.join(", "))?)
}

/// Whole words of [`TEXT`], as many as make at least `tokens` tokens.
fn text(extractor: &Extractor, tokens: usize) -> Result<String> {
    let once = extractor.tokenizer().encode(TEXT, Position::Continuation)?;
    let mut text = TEXT.repeat(tokens / once.len().max(1));
    for word in TEXT.split_inclusive(' ') {
        if extractor.tokenizer().encode(&text, Position::Continuation)?.len() >= tokens {
            break;
        }
        text += word;
    }
    Ok(text)
}

struct Bench {
    extractor: Extractor,
    features: Vec<Feature>,
    text: String,
    repeats: usize,
    bar: ProgressBar,
}

impl Bench {
    fn report(&mut self, model: &str, repeat: u16) -> Result<Report> {
        let prefill = self.prefill()?;
        let decode = self.decode()?;
        let features = self.compare()?;
        let gpu = self.extractor.engine().gpu().describe();
        Ok(Report {
            model: model.to_owned(),
            adapter: gpu.name.clone(),
            backend: gpu.backend.clone(),
            driver: gpu.driver.clone(),
            shader_f16: gpu.tier.shader_f16,
            subgroups: gpu.tier.subgroups,
            memory_bytes: self.extractor.engine().memory().total_bytes(),
            repeat,
            prefill,
            decode,
            features,
        })
    }

    /// Runs one step of the benchmark and moves the bar.
    fn once<T>(&mut self, what: &str, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.bar.set_message(what.to_owned());
        let result = run(self);
        self.bar.inc(1);
        result
    }

    /// Median of the repeats of `run`, which gives seconds.
    fn median(&mut self, what: &str, mut run: impl FnMut(&mut Self) -> Result<f64>) -> Result<f64> {
        let mut seconds =
            (0..self.repeats).map(|_| self.once(what, &mut run)).collect::<Result<Vec<f64>>>()?;
        seconds.sort_by(f64::total_cmp);
        Ok(seconds.get(seconds.len() / 2).copied().unwrap_or_default())
    }

    /// Reads the text from nothing up to the first token of one answer.
    fn prefill(&mut self) -> Result<Prefill> {
        let job = self.job(1, 1)?;
        let tokens = job.prefix.len() + job.rows.iter().map(|row| row.suffix.len()).sum::<usize>();
        let seconds = self.median("reading a text", |bench| {
            bench.extractor.engine_mut().clear_prefix_cache();
            bench.time(&job)
        })?;
        Ok(Prefill { tokens, seconds, tokens_per_second: tokens as f64 / seconds })
    }

    /// Writes answers in batches of growing size.
    fn decode(&mut self) -> Result<Vec<Decode>> {
        let mut decode = Vec::new();
        for rows in BATCH_SIZES {
            let (first, all) = (self.job(rows, 1)?, self.job(rows, 1 + DECODE_STEPS)?);
            if !self.fits(&all) {
                break;
            }
            // The text stays in the cache; what both jobs do before the second token cancels out.
            let seconds = self.median(&format!("writing {rows} answers at once"), |bench| {
                Ok(bench.time(&all)? - bench.time(&first)?)
            })?;
            decode.push(Decode {
                rows,
                tokens_per_second: (rows * DECODE_STEPS) as f64 / seconds.max(f64::MIN_POSITIVE),
            });
        }
        Ok(decode)
    }

    /// The same features of the same text, together and one by one.
    fn compare(&mut self) -> Result<Features> {
        let together_seconds = self.median("asking together", |bench| {
            seconds(|| bench.together()).map(|(seconds, _)| seconds)
        })?;
        let together = self.together()?;
        let mut one_by_one = Extraction::default();
        let one_by_one_seconds = self.median("asking one by one", |bench| {
            let (seconds, extraction) = seconds(|| bench.one_by_one())?;
            one_by_one = extraction;
            Ok(seconds)
        })?;
        let values = |extraction: &Extraction| -> Vec<Option<String>> {
            let features = extraction.features.iter();
            features.map(|feature| feature.value.clone()).collect()
        };
        Ok(Features {
            count: self.features.len(),
            text_tokens: together.stats.prefix_tokens,
            generated_tokens: together.stats.generated_tokens,
            together_seconds,
            one_by_one_seconds,
            ratio: one_by_one_seconds / together_seconds,
            same_values: values(&together) == values(&one_by_one),
        })
    }

    fn together(&mut self) -> Result<Extraction> {
        self.extractor.engine_mut().clear_prefix_cache();
        let go_on = &mut |_| ControlFlow::Continue(());
        pollster::block_on(self.extractor.extract(&self.text, &self.features, go_on))
            .map_err(|error| model::failure(&error).into())
    }

    fn one_by_one(&mut self) -> Result<Extraction> {
        extract::one_by_one(&mut self.extractor, &self.text, &self.features, &mut |_| {
            ControlFlow::Continue(())
        })
        .map_err(|error| model::failure(&error).into())
    }

    /// A job over the whole text that writes `new_tokens` in each of `rows` rows, whatever they are.
    fn job(&self, rows: usize, new_tokens: usize) -> Result<Job> {
        let tokenizer = self.extractor.tokenizer();
        let row = RowRequest {
            suffix: tokenizer.encode("### Brand\n", Position::Continuation)?,
            max_new_tokens: new_tokens,
        };
        Ok(Job {
            prefix: tokenizer.encode(&self.text, Position::Start)?,
            rows: vec![row; rows],
            stop_tokens: Vec::new(),
        })
    }

    /// Whether all rows of `job` run at once.
    fn fits(&self, job: &Job) -> bool {
        let options = self.extractor.engine().options();
        let rows = job.rows.iter();
        let rows: usize = rows.map(|row| row.suffix.len() + row.max_new_tokens).sum();
        job.prefix.len() + rows <= options.context_tokens && job.rows.len() <= options.max_rows
    }

    fn time(&mut self, job: &Job) -> Result<f64> {
        let go_on = &mut |_: Event| ControlFlow::Continue(());
        let engine = self.extractor.engine_mut();
        Ok(seconds(|| pollster::block_on(engine.run(job, go_on)))?.0)
    }

    fn render(&self, report: &Report) -> String {
        let Report { prefill, features, .. } = report;
        let mut text = format!(
            "Model     {} ({})\n\
             GPU       {}, {} {} (16-bit floats: {}, subgroups: {})\n\
             Reading   {:.0} tokens/s ({} tokens in {:.3} s)\n",
            report.model,
            self.extractor.engine().memory(),
            report.adapter,
            report.backend,
            report.driver,
            yes_no(report.shader_f16),
            yes_no(report.subgroups),
            prefill.tokens_per_second,
            prefill.tokens,
            prefill.seconds,
        );
        for Decode { rows, tokens_per_second } in &report.decode {
            let answers = if *rows == 1 { "answer" } else { "answers" };
            text +=
                &format!("Writing   {tokens_per_second:.0} tokens/s, {rows} {answers} at once\n");
        }
        text + &format!(
            "Features  {} of a text of {} tokens: {:.2} s together, {:.2} s one by one, {:.1} times as long{}\n",
            features.count,
            features.text_tokens,
            features.together_seconds,
            features.one_by_one_seconds,
            features.ratio,
            if features.same_values { "" } else { " (some values differ)" },
        )
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// What `run` gives and the seconds it took.
fn seconds<T, E>(run: impl FnOnce() -> Result<T, E>) -> Result<(f64, T), E> {
    let start = Instant::now();
    let result = run()?;
    Ok((start.elapsed().as_secs_f64(), result))
}
