//! The measurements of a model, one after another.

use std::ops::ControlFlow;

use hangtag_engine::{Constraint, Engine, Event, Job, JobStats, RowRequest, Speculation};
use serde::Deserialize;
use web_time::Instant;

use crate::progress::Watch;
use crate::recited::Recited;
use crate::report::{Catalogue, Decode, Features, Prefill, Report, Rung, ShortReport};
use crate::subject::Source;
use crate::{BenchError, Progress, Subject, kernels};

/// Rows decoded together.
const BATCH_SIZES: [usize; 9] = [1, 2, 4, 8, 9, 16, 32, 33, 64];
const SHORT_BATCH_SIZES: [usize; 3] = [1, 8, 32];

/// A list of products: as many rows as are decoded together.
const CATALOGUE_TEXTS: usize = 8;
const CATALOGUE_FEATURES: usize = 8;

/// Steps that decoding speed is measured over.
const DECODE_STEPS: usize = 16;

/// Seconds that a short measurement may spend on asking for one feature at a time: where that takes longer, fewer are asked for.
const PATIENCE_SECONDS: f64 = 20.0;

/// Sizes of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Features to ask for; one in place of none, as below.
    pub features: usize,
    /// Tokens of the text.
    pub text_tokens: usize,
    /// Times that each figure is measured, for its median.
    pub repeats: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { features: 50, text_tokens: 300, repeats: 3 }
    }
}

impl Settings {
    /// Sizes for [`Bench::short`] that `engine` has room for; smaller ones where a processor plays the GPU.
    #[must_use]
    pub fn short(engine: &Engine) -> Self {
        let context = engine.options().context_tokens.min(engine.config().max_position_embeddings);
        let usual = match engine.gpu().describe().is_software {
            true => Self { features: 4, text_tokens: 60, repeats: 1 },
            false => Self::default(),
        };
        Self { text_tokens: usual.text_tokens.min(context / 4), ..usual }
    }
}

/// The measurements of one model.
pub struct Bench<'a> {
    subject: Subject<'a>,
    /// All features of the text.
    job: Job,
    source: Option<Source>,
    /// The answers of the way before.
    known: Vec<Vec<u32>>,
    repeats: usize,
    /// As it was found.
    speculation: Speculation,
    watch: Watch<'a>,
}

/// The ids of every row's answer, and what they took.
#[derive(Default)]
struct Answers {
    rows: Vec<Vec<u32>>,
    stats: JobStats,
}

/// A way to the answers.
#[derive(Clone, Copy)]
enum Way {
    OneByOne { read_again: bool },
    Together,
    OutOfTheText(Speculation),
}

type Measured<T> = Result<T, BenchError>;

impl<'a> Bench<'a> {
    /// Makes ready to measure `subject`. `observe` hears how far it is, and stops it with [`ControlFlow::Break`].
    ///
    /// # Errors
    /// When the features cannot be asked for.
    pub fn new(
        subject: Subject<'a>,
        settings: &Settings,
        observe: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Measured<Self> {
        let Settings { features, text_tokens, repeats } = *settings;
        let (job, source) = subject.job(features.max(1), text_tokens.max(1))?;
        let speculation = subject.engine().options().speculation;
        let (known, repeats, watch) = (Vec::new(), repeats.max(1), Watch::new(observe));
        Ok(Self { subject, job, source, known, repeats, speculation, watch })
    }

    /// Measures everything. `model` is what the report calls it. Prefixes that the engine has kept are forgotten.
    ///
    /// # Errors
    /// When the text is longer than the context, the GPU fails, or the observer stops it.
    pub async fn report(&mut self, model: &str) -> Measured<Report> {
        let repeated = BATCH_SIZES.len() + 3 + self.ways().len();
        self.watch.expect(self.repeats * repeated + 2 + kernels::steps(self.subject.engine()));
        // The first job also warms the GPU up.
        self.once("warming up", async |bench| bench.together().await.map(|_| ())).await?;
        let limits = async |bench: &mut Self| kernels::limits(bench.subject.engine().gpu()).await;
        let limits = self.once("measuring the GPU", limits).await?;
        let kernels = kernels::measure(self.subject.engine(), &limits, &mut self.watch).await?;
        let prefill = self.prefill().await?;
        let decode = self.decode(&BATCH_SIZES).await?;
        let features = self.ladder().await?;
        let catalogue = self.catalogue().await?;
        let engine = self.subject.engine();
        let gpu = engine.gpu().describe();
        Ok(Report {
            model: model.to_owned(),
            adapter: gpu.name.clone(),
            backend: gpu.backend.clone(),
            driver: gpu.driver.clone(),
            subgroups: gpu.tier.subgroups,
            integer_products: gpu.tier.integer_dot && !engine.options().exact_products,
            memory_bytes: engine.memory().total_bytes(),
            repeat: self.repeats,
            limits,
            kernels,
            prefill,
            decode,
            features,
            catalogue,
        })
    }

    /// Measures what a person wants to know, within a minute or so: on slow GPUs with fewer features. Prefixes that the engine has
    /// kept are forgotten.
    ///
    /// # Errors
    /// As [`Bench::report`].
    pub async fn short(&mut self) -> Measured<ShortReport> {
        self.watch.expect(2 + self.repeats * (2 + SHORT_BATCH_SIZES.len()));
        let first = self.job.rows[0].clone();
        // The first question also warms the GPU up; the second tells how many there is time for.
        let mut seconds_of_one = 0.0;
        for _ in 0..2 {
            let alone = async |bench: &mut Self| seconds(bench.alone(&first)).await;
            seconds_of_one = self.once("warming up", alone).await?.0;
        }
        let affordable = (PATIENCE_SECONDS / seconds_of_one).max(2.0) as usize;
        self.job.rows.truncate(affordable);
        self.watch.expect(self.job.rows.len());

        let prefill = self.prefill().await?;
        let decode = self.decode(&SHORT_BATCH_SIZES).await?;
        let together =
            async |bench: &mut Self| Ok(seconds(bench.out_of_the_text(bench.speculation)).await?.0);
        let seconds_together = self.median("all features together", together).await?;
        let mut seconds_one_by_one = 0.0;
        for row in self.job.rows.clone() {
            let alone = async |bench: &mut Self| seconds(bench.alone(&row)).await;
            seconds_one_by_one += self.once("one feature at a time", alone).await?.0;
        }
        self.subject.engine_mut().clear_prefix_cache();
        Ok(ShortReport {
            prefill,
            decode,
            features: self.job.rows.len(),
            text_tokens: self.text_tokens(),
            seconds_one_by_one,
            seconds_together,
        })
    }

    /// Runs one step and tells the observer.
    async fn once<T>(
        &mut self,
        what: &str,
        run: impl AsyncFnOnce(&mut Self) -> Measured<T>,
    ) -> Measured<T> {
        self.watch.begin(what)?;
        let result = run(self).await?;
        self.watch.end()?;
        Ok(result)
    }

    /// Median of the repeats of `run`, which gives seconds.
    async fn median(
        &mut self,
        what: &str,
        mut run: impl AsyncFnMut(&mut Self) -> Measured<f64>,
    ) -> Measured<f64> {
        let mut seconds = Vec::with_capacity(self.repeats);
        for _ in 0..self.repeats {
            seconds.push(self.once(what, &mut run).await?);
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds.get(seconds.len() / 2).copied().unwrap_or_default())
    }

    /// Reads the text from nothing up to the first token of one answer.
    async fn prefill(&mut self) -> Measured<Prefill> {
        let job = self.rows(1, 1);
        let tokens = job.prefix.len() + job.rows[0].suffix.len();
        let read = async |bench: &mut Self| {
            bench.subject.engine_mut().clear_prefix_cache();
            bench.time(&job).await
        };
        let seconds = self.median("reading a text", read).await?;
        Ok(Prefill { tokens, seconds, tokens_per_second: tokens as f64 / seconds })
    }

    /// Writes answers in batches of growing size.
    async fn decode(&mut self, batch_sizes: &[usize]) -> Measured<Vec<Decode>> {
        let mut decode = Vec::new();
        for &rows in batch_sizes {
            let (first, all) = (self.rows(rows, 1), self.rows(rows, 1 + DECODE_STEPS));
            if !self.fits(&all) {
                break;
            }
            // The text stays in the cache; what both jobs do before the second token cancels out.
            let write =
                async |bench: &mut Self| Ok(bench.time(&all).await? - bench.time(&first).await?);
            let seconds = self.median(&format!("writing {rows} answers at once"), write).await?;
            let seconds = seconds.max(f64::MIN_POSITIVE);
            decode.push(Decode {
                rows,
                step_seconds: seconds / DECODE_STEPS as f64,
                tokens_per_second: (rows * DECODE_STEPS) as f64 / seconds,
            });
        }
        Ok(decode)
    }

    /// Ways that build on each other.
    fn ways(&self) -> Vec<(&'static str, Way)> {
        let mut ways = vec![
            ("one feature at a time", Way::OneByOne { read_again: true }),
            ("+ text kept", Way::OneByOne { read_again: false }),
            ("+ features together", Way::Together),
        ];
        if self.source.is_some() {
            ways.push(("+ answers from the text", Way::OutOfTheText(Speculation::Off)));
        }
        ways.push(("+ drafted tokens", Way::OutOfTheText(self.speculation)));
        ways
    }

    /// The whole extraction in every way.
    async fn ladder(&mut self) -> Measured<Features> {
        let mut ladder: Vec<Rung> = Vec::new();
        let (mut expected, mut last) = (Vec::new(), Answers::default());
        for (name, way) in self.ways() {
            let go = async |bench: &mut Self| {
                let (seconds, answers) = seconds(bench.go(way)).await?;
                last = answers;
                Ok(seconds)
            };
            let seconds = self.median(name, go).await?;
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
            text_tokens: self.text_tokens(),
            readings: self.subject.readings(),
            generated_tokens: last.rows.iter().map(Vec::len).sum(),
            ladder,
        })
    }

    /// Tokens of one reading of the text.
    fn text_tokens(&self) -> usize {
        self.job.prefix.len() / self.subject.readings()
    }

    /// Different texts, cut from the text at different places, with the first features.
    async fn catalogue(&mut self) -> Measured<Catalogue> {
        let rows = self.job.rows[..CATALOGUE_FEATURES.min(self.job.rows.len())].to_vec();
        let text = &self.job.prefix[..self.text_tokens()];
        let text_tokens = text.len().div_ceil(3);
        let prefixes = prefixes_of_texts(text, text_tokens, self.subject.readings());
        let job =
            |prefix| Job { prefix, rows: rows.clone(), stop_tokens: self.job.stop_tokens.clone() };
        let jobs: Vec<Job> = prefixes.into_iter().map(job).collect();
        let one_by_one = async |bench: &mut Self| {
            bench.subject.engine_mut().clear_prefix_cache();
            let start = Instant::now();
            for job in &jobs {
                bench.answers(job).await?;
            }
            Ok(start.elapsed().as_secs_f64())
        };
        let seconds_one_by_one = self.median("a list, one text after another", one_by_one).await?;
        let together = async |bench: &mut Self| {
            let Self { subject, watch, .. } = bench;
            subject.engine_mut().clear_prefix_cache();
            let jobs: Vec<_> = jobs.iter().map(|job| (job, None)).collect();
            let on_event = &mut |_, _| watch.ask();
            Ok(seconds(subject.engine_mut().run_many(&jobs, on_event)).await?.0)
        };
        let seconds_together = self.median("a list, several texts at once", together).await?;
        let (texts, features) = (CATALOGUE_TEXTS, rows.len());
        Ok(Catalogue { texts, text_tokens, features, seconds_one_by_one, seconds_together })
    }

    async fn go(&mut self, way: Way) -> Measured<Answers> {
        match way {
            Way::OneByOne { read_again } => self.one_by_one(read_again).await,
            Way::Together => self.together().await,
            Way::OutOfTheText(speculation) => self.out_of_the_text(speculation).await,
        }
    }

    async fn one_by_one(&mut self, read_again: bool) -> Measured<Answers> {
        let mut all = Answers::default();
        self.subject.engine_mut().clear_prefix_cache();
        for row in self.job.rows.clone() {
            let one = match read_again {
                true => self.alone(&row).await?,
                false => self.answers(&self.of_rows(vec![row])).await?,
            };
            all.rows.extend(one.rows);
            all.stats.decode_steps += one.stats.decode_steps;
        }
        Ok(all)
    }

    /// Reads the text for one feature alone.
    async fn alone(&mut self, row: &RowRequest) -> Measured<Answers> {
        self.subject.engine_mut().clear_prefix_cache();
        self.answers(&self.of_rows(vec![row.clone()])).await
    }

    async fn together(&mut self) -> Measured<Answers> {
        self.subject.engine_mut().clear_prefix_cache();
        self.answers(&self.job.clone()).await
    }

    /// As an extraction does it: what the answers may be is found out anew.
    async fn out_of_the_text(&mut self, speculation: Speculation) -> Measured<Answers> {
        let Self { subject, job, source, known, watch, .. } = self;
        let engine = subject.engine_mut();
        engine.clear_prefix_cache();
        engine.set_speculation(speculation);
        let spans = source.as_ref().map(|source| source.spans(&job.prefix));
        let recited = Recited { answers: known };
        let constraint = spans.as_ref().map_or(&recited as &dyn Constraint, |spans| spans);
        answers(engine, job, Some(constraint), watch).await
    }

    async fn answers(&mut self, job: &Job) -> Measured<Answers> {
        answers(self.subject.engine_mut(), job, None, &mut self.watch).await
    }

    async fn time(&mut self, job: &Job) -> Measured<f64> {
        Ok(seconds(self.answers(job)).await?.0)
    }

    /// These rows of the whole text.
    fn of_rows(&self, rows: Vec<RowRequest>) -> Job {
        let (prefix, stop_tokens) = (self.job.prefix.clone(), self.job.stop_tokens.clone());
        Job { prefix, rows, stop_tokens }
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
}

/// The prompts of [`CATALOGUE_TEXTS`] texts of `tokens` tokens each, cut from `text` at different places and read so often.
fn prefixes_of_texts(text: &[u32], tokens: usize, readings: usize) -> Vec<Vec<u32>> {
    let part = |number: usize| -> Vec<u32> {
        text.iter()
            .cycle()
            .skip(number * text.len() / CATALOGUE_TEXTS)
            .take(tokens)
            .copied()
            .collect()
    };
    (0..CATALOGUE_TEXTS).map(|number| part(number).repeat(readings)).collect()
}

/// Runs a job to its end.
async fn answers(
    engine: &mut Engine,
    job: &Job,
    constraint: Option<&dyn Constraint>,
    watch: &mut Watch<'_>,
) -> Measured<Answers> {
    let mut rows = vec![Vec::new(); job.rows.len()];
    let on_event = &mut |event| {
        if let Event::Row { index, tokens, .. } = event {
            rows[index] = tokens.iter().map(|token| token.id).collect();
        }
        watch.ask()
    };
    let stats = engine.run_constrained(job, constraint, on_event).await?;
    Ok(Answers { rows, stats })
}

/// What `run` gives and the seconds it took.
async fn seconds<T, E: Into<BenchError>>(
    run: impl Future<Output = Result<T, E>>,
) -> Measured<(f64, T)> {
    let start = Instant::now();
    let result = run.await.map_err(Into::into)?;
    Ok((start.elapsed().as_secs_f64(), result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_texts_of_a_list_are_the_same() {
        let text: Vec<u32> = (0..61).collect();
        for readings in [1, 2] {
            let prefixes = prefixes_of_texts(&text, 20, readings);
            for (number, prefix) in prefixes.iter().enumerate() {
                assert_eq!(prefix.len(), 20 * readings);
                assert_eq!(prefix[..20], prefix[20 * (readings - 1)..]);
                assert!(
                    !prefixes[..number].contains(prefix),
                    "text {number}, read {readings} times"
                );
            }
        }
    }
}
