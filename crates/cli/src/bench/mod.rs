//! `hangtag bench`: what this computer's GPU can do, what the engine makes of it, and what each idea gains.

mod drawing;
mod kernels;
mod recited;
pub mod subject;
mod train;
mod tune;

use std::fs;
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result};
use hangtag_engine::{Constraint, Event, Job, JobStats, Speculation};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::BenchArgs;
use crate::bench::kernels::{KernelReport, LimitsReport};
use crate::bench::recited::Recited;
use crate::bench::subject::{Source, Subject};
use crate::failure::failed;
use crate::progress;

/// Rows decoded together.
const BATCH_SIZES: [usize; 9] = [1, 2, 4, 8, 9, 16, 32, 33, 64];

/// A list of products: as many rows as are decoded together.
const CATALOGUE_TEXTS: usize = 8;
const CATALOGUE_FEATURES: usize = 8;

/// Steps that decoding speed is measured over.
const DECODE_STEPS: usize = 16;

/// All that is measured; seconds are medians.
#[derive(Serialize)]
struct Report {
    model: String,
    adapter: String,
    backend: String,
    driver: String,
    subgroups: bool,
    /// Whether products of many tokens round their input to bytes.
    integer_products: bool,
    memory_bytes: u64,
    repeat: u16,
    limits: LimitsReport,
    kernels: Vec<KernelReport>,
    prefill: Prefill,
    decode: Vec<Decode>,
    features: Features,
    catalogue: Catalogue,
}

/// A list of short texts with few features each, one text after another and several at once.
#[derive(Serialize)]
struct Catalogue {
    texts: usize,
    text_tokens: usize,
    features: usize,
    seconds_one_by_one: f64,
    seconds_together: f64,
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
    step_seconds: f64,
    tokens_per_second: f64,
}

/// The same features of the same text, in ways that build on each other.
#[derive(Serialize)]
struct Features {
    count: usize,
    text_tokens: usize,
    /// Tokens of all answers.
    generated_tokens: usize,
    ladder: Vec<Rung>,
}

/// One way.
#[derive(Serialize)]
struct Rung {
    name: &'static str,
    seconds: f64,
    /// The first way's seconds over this one's.
    times_faster: f64,
    /// Answers that are those of the first way, and of the one before.
    same_answers: usize,
    same_as_before: usize,
    decode_steps: usize,
    drafted_tokens: usize,
    accepted_tokens: usize,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    if args.train.is_some() {
        return train::run(args);
    }
    let subject = Subject::load(args)?;
    if args.tune {
        return tune::run(subject.engine(), args.json, args.model.quiet);
    }
    let repeats = usize::from(args.repeat);
    let (job, source) = subject.job(args)?;
    let rungs = 4 + usize::from(source.is_some());
    let steps = repeats * (BATCH_SIZES.len() + 3 + rungs) + 2 + kernels::steps(subject.engine());
    let bar = progress::count(args.model.quiet, steps);
    let mut bench = Bench { subject, job, source, known: Vec::new(), repeats, bar };
    // The first job also warms the GPU up.
    bench.once("warming up", |bench| bench.together().map(|_| ()))?;
    let report = bench.report(args)?;
    bench.bar.finish_and_clear();
    if let Some(path) = &args.svg {
        let written = fs::write(path, drawing::svg(&report));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let rendered =
        if args.json { serde_json::to_string(&report)? + "\n" } else { bench.render(&report) };
    stdout().write_all(rendered.as_bytes())?;
    Ok(())
}

struct Bench {
    subject: Subject,
    /// All features of the text.
    job: Job,
    source: Option<Source>,
    /// The answers of the way before.
    known: Vec<Vec<u32>>,
    repeats: usize,
    bar: ProgressBar,
}

/// The ids of every row's answer, and what they took.
#[derive(Default)]
struct Answers {
    rows: Vec<Vec<u32>>,
    stats: JobStats,
}

impl Bench {
    fn report(&mut self, args: &BenchArgs) -> Result<Report> {
        let limits =
            self.once("measuring the GPU", |bench| kernels::limits(bench.subject.engine().gpu()))?;
        let kernels = kernels::measure(self.subject.engine(), &limits, &self.bar)?;
        let prefill = self.prefill()?;
        let decode = self.decode()?;
        let features = self.ladder()?;
        let catalogue = self.catalogue()?;
        let engine = self.subject.engine();
        let gpu = engine.gpu().describe();
        Ok(Report {
            model: self.subject.name(args).to_owned(),
            adapter: gpu.name.clone(),
            backend: gpu.backend.clone(),
            driver: gpu.driver.clone(),
            subgroups: gpu.tier.subgroups,
            integer_products: gpu.tier.integer_dot && !engine.options().exact_products,
            memory_bytes: engine.memory().total_bytes(),
            repeat: args.repeat,
            limits,
            kernels,
            prefill,
            decode,
            features,
            catalogue,
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
        let job = self.rows(1, 1);
        let tokens = job.prefix.len() + job.rows[0].suffix.len();
        let seconds = self.median("reading a text", |bench| {
            bench.subject.engine_mut().clear_prefix_cache();
            bench.time(&job)
        })?;
        Ok(Prefill { tokens, seconds, tokens_per_second: tokens as f64 / seconds })
    }

    /// Writes answers in batches of growing size.
    fn decode(&mut self) -> Result<Vec<Decode>> {
        let mut decode = Vec::new();
        for rows in BATCH_SIZES {
            let (first, all) = (self.rows(rows, 1), self.rows(rows, 1 + DECODE_STEPS));
            if !self.fits(&all) {
                break;
            }
            // The text stays in the cache; what both jobs do before the second token cancels out.
            let seconds = self.median(&format!("writing {rows} answers at once"), |bench| {
                Ok(bench.time(&all)? - bench.time(&first)?)
            })?;
            let seconds = seconds.max(f64::MIN_POSITIVE);
            decode.push(Decode {
                rows,
                step_seconds: seconds / DECODE_STEPS as f64,
                tokens_per_second: (rows * DECODE_STEPS) as f64 / seconds,
            });
        }
        Ok(decode)
    }

    /// The whole extraction, in ways that build on each other.
    fn ladder(&mut self) -> Result<Features> {
        type Way = fn(&mut Bench) -> Result<Answers>;
        let mut ways: Vec<(&str, Way)> = vec![
            ("one feature at a time", |bench| bench.one_by_one(true)),
            ("+ text read once", |bench| bench.one_by_one(false)),
            ("+ features together", Bench::together),
        ];
        if self.source.is_some() {
            ways.push(("+ answers from the text", |bench| bench.out_of_the_text(Speculation::Off)));
        }
        ways.push(("+ drafted tokens", |bench| bench.out_of_the_text(Speculation::Measured)));
        let mut ladder: Vec<Rung> = Vec::new();
        let (mut expected, mut last) = (Vec::new(), Answers::default());
        for (name, way) in ways {
            let seconds = self.median(name, |bench| {
                let (seconds, answers) = seconds(|| way(bench))?;
                last = answers;
                Ok(seconds)
            })?;
            if ladder.is_empty() {
                expected = last.rows.clone();
            }
            let first = ladder.first().map_or(seconds, |rung| rung.seconds);
            let same =
                |as_in: &[Vec<u32>]| last.rows.iter().zip(as_in).filter(|(a, b)| a == b).count();
            ladder.push(Rung {
                name,
                seconds,
                times_faster: first / seconds,
                same_answers: same(&expected),
                same_as_before: same(if ladder.is_empty() { &expected } else { &self.known }),
                decode_steps: last.stats.decode_steps,
                drafted_tokens: last.stats.drafted_tokens,
                accepted_tokens: last.stats.accepted_tokens,
            });
            self.known = last.rows.clone();
        }
        Ok(Features {
            count: self.job.rows.len(),
            text_tokens: self.job.prefix.len(),
            generated_tokens: last.rows.iter().map(Vec::len).sum(),
            ladder,
        })
    }

    /// Different texts, cut from the text at different places, with the first features.
    fn catalogue(&mut self) -> Result<Catalogue> {
        let rows = self.job.rows[..CATALOGUE_FEATURES.min(self.job.rows.len())].to_vec();
        let prefix = &self.job.prefix;
        let text_tokens = prefix.len().div_ceil(3);
        let jobs: Vec<Job> = (0..CATALOGUE_TEXTS)
            .map(|text| {
                let ids = prefix.iter().cycle().skip(text * prefix.len() / CATALOGUE_TEXTS);
                let prefix = ids.take(text_tokens).copied().collect();
                Job { prefix, rows: rows.clone(), stop_tokens: self.job.stop_tokens.clone() }
            })
            .collect();
        let seconds_one_by_one = self.median("a list, one text after another", |bench| {
            bench.subject.engine_mut().clear_prefix_cache();
            let run =
                |bench: &mut Bench| jobs.iter().try_for_each(|job| bench.time(job).map(|_| ()));
            Ok(seconds(|| run(bench))?.0)
        })?;
        let seconds_together = self.median("a list, several texts at once", |bench| {
            bench.subject.engine_mut().clear_prefix_cache();
            let jobs: Vec<_> = jobs.iter().map(|job| (job, None)).collect();
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let run = bench.subject.engine_mut().run_many(&jobs, go_on);
            Ok(seconds(|| pollster::block_on(run).map_err(|error| failed(error).into()))?.0)
        })?;
        let (texts, features) = (CATALOGUE_TEXTS, rows.len());
        Ok(Catalogue { texts, text_tokens, features, seconds_one_by_one, seconds_together })
    }

    fn together(&mut self) -> Result<Answers> {
        self.subject.engine_mut().clear_prefix_cache();
        answers(&mut self.subject, &self.job, None)
    }

    /// As an extraction does it: what the answers may be is found out anew.
    fn out_of_the_text(&mut self, speculation: Speculation) -> Result<Answers> {
        let engine = self.subject.engine_mut();
        engine.clear_prefix_cache();
        engine.set_speculation(speculation);
        let spans = self.source.as_ref().map(|source| source.spans(&self.job.prefix));
        let recited = Recited { answers: &self.known };
        let constraint = spans.as_ref().map_or(&recited as &dyn Constraint, |spans| spans);
        answers(&mut self.subject, &self.job, Some(constraint))
    }

    fn one_by_one(&mut self, read_again: bool) -> Result<Answers> {
        let mut all = Answers::default();
        self.subject.engine_mut().clear_prefix_cache();
        for row in &self.job.rows {
            if read_again {
                self.subject.engine_mut().clear_prefix_cache();
            }
            let job = Job { rows: vec![row.clone()], ..self.job.clone() };
            let one = answers(&mut self.subject, &job, None)?;
            all.rows.extend(one.rows);
            all.stats.decode_steps += one.stats.decode_steps;
        }
        Ok(all)
    }

    /// A job over the whole text that writes `new_tokens` in each of `rows` equal rows, whatever they are.
    fn rows(&self, rows: usize, new_tokens: usize) -> Job {
        let mut row = self.job.rows[0].clone();
        row.max_new_tokens = new_tokens;
        Job { prefix: self.job.prefix.clone(), rows: vec![row; rows], stop_tokens: Vec::new() }
    }

    /// Whether all rows of `job` run at once.
    fn fits(&self, job: &Job) -> bool {
        let options = self.subject.engine().options();
        let rows = job.rows.iter();
        let rows: usize = rows.map(|row| row.suffix.len() + row.max_new_tokens).sum();
        job.prefix.len() + rows <= options.context_tokens && job.rows.len() <= options.max_rows
    }

    fn time(&mut self, job: &Job) -> Result<f64> {
        Ok(seconds(|| answers(&mut self.subject, job, None))?.0)
    }

    fn render(&self, report: &Report) -> String {
        let Report { prefill, features, .. } = report;
        let mut text = format!(
            "Model     {} ({})\n\
             GPU       {}, {} {} (subgroups: {}, products in bytes: {})\n",
            report.model,
            self.subject.engine().memory(),
            report.adapter,
            report.backend,
            report.driver,
            yes_no(report.subgroups),
            yes_no(report.integer_products),
        );
        text += &kernels::render(&report.limits, &report.kernels);
        text += &format!(
            "Reading   {:.0} tokens/s ({} tokens in {:.1} ms)\n",
            prefill.tokens_per_second,
            prefill.tokens,
            1e3 * prefill.seconds,
        );
        for Decode { rows, tokens_per_second, step_seconds } in &report.decode {
            let answers = if *rows == 1 { "answer" } else { "answers" };
            text += &format!(
                "Writing   {tokens_per_second:.0} tokens/s, {rows} {answers} at once ({:.2} ms a step)\n",
                1e3 * step_seconds
            );
        }
        text += &format!(
            "Features  {} of a text of {} tokens, {} tokens of answers; answers the same as the first way's and the last one's\n",
            features.count, features.text_tokens, features.generated_tokens
        );
        features.ladder.iter().for_each(|rung| text += &rung.render());
        if self.source.is_none() {
            text += &format!("          ({})\n", recited::NOTE);
        }
        let Catalogue { texts, text_tokens, features, .. } = report.catalogue;
        text += &format!(
            "List      {texts} texts of {text_tokens} tokens, {features} features each: {:.1} ms a text, together {:.1} ms\n",
            1e3 * report.catalogue.seconds_one_by_one / texts as f64,
            1e3 * report.catalogue.seconds_together / texts as f64,
        );
        text
    }
}

impl Rung {
    fn render(&self) -> String {
        let mut line = format!(
            "          {:<24} {:>8.1} ms  {:>5.1}x  {:>4} steps, {} and {} the same",
            self.name,
            1e3 * self.seconds,
            self.times_faster,
            self.decode_steps,
            self.same_answers,
            self.same_as_before,
        );
        if self.drafted_tokens > 0 {
            line += &format!(
                ", {} of {} drafted tokens right",
                self.accepted_tokens, self.drafted_tokens
            );
        }
        line + "\n"
    }
}

/// Runs a job to its end.
fn answers(
    subject: &mut Subject,
    job: &Job,
    constraint: Option<&dyn Constraint>,
) -> Result<Answers> {
    let mut rows = vec![Vec::new(); job.rows.len()];
    let on_event = &mut |event| {
        if let Event::Row { index, tokens, .. } = event {
            rows[index] = tokens.iter().map(|token| token.id).collect();
        }
        ControlFlow::Continue(())
    };
    let run = subject.engine_mut().run_constrained(job, constraint, on_event);
    let stats = pollster::block_on(run).map_err(failed)?;
    Ok(Answers { rows, stats })
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// What `run` gives and the seconds it took.
fn seconds<T>(run: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let result = run()?;
    Ok((start.elapsed().as_secs_f64(), result))
}
