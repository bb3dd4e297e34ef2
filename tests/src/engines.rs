//! Engines for tests, on whatever GPU there is.

use crate::goldens;
use crate::require::require;
use crate::variants::Variant;
use anyhow::Result;
use hangtag_engine::{
    Constraint, Engine, EngineError, EngineOptions, Event, Finish, GeneratedToken, Gpu, GpuOptions,
    Job, JobStats,
};
use hangtag_weights::{ByteSource, DType, Gguf, MemorySource, ModelConfig};
use std::ops::ControlFlow;

/// A GPU, or `None` after saying loudly that `what` was not tested.
pub fn gpu(what: &str, baseline: bool) -> Option<Gpu> {
    let options = GpuOptions { baseline };
    require(what, pollster::block_on(Gpu::request(&options)))
}

/// Options small enough for a tiny model, exact so that what is computed together equals what is computed alone.
pub fn small_options() -> EngineOptions {
    EngineOptions {
        context_tokens: 1024,
        max_rows: 64,
        exact_products: true,
        ..EngineOptions::default()
    }
}

/// Loads a whole model.
///
/// # Errors
/// When the file is damaged or the engine refuses it.
pub fn load<S: ByteSource>(gpu: Gpu, gguf: &Gguf<S>, options: EngineOptions) -> Result<Engine> {
    let config = ModelConfig::from_gguf(gguf)?;
    Ok(pollster::block_on(Engine::load(gpu, gguf, config, options, |_| {}))?)
}

/// An engine for the golden model `name` with all weights in `dtype`; `None` without a GPU.
///
/// # Errors
/// When the golden file is missing or damaged.
pub fn engine(
    name: &str,
    dtype: DType,
    baseline: bool,
    options: EngineOptions,
) -> Result<Option<Engine>> {
    let Some(gpu) = gpu(&format!("{name}: engine"), baseline) else { return Ok(None) };
    Ok(Some(load(gpu, &model(name, dtype)?, options)?))
}

/// The golden model `name` with all weights in `dtype`.
///
/// # Errors
/// When the golden file is missing or damaged.
pub fn model(name: &str, dtype: DType) -> Result<Gguf<MemorySource>> {
    Variant::read(&goldens::open(name)?)?.open(dtype, dtype)
}

/// One row's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The tokens, the one that ended it included.
    pub tokens: Vec<GeneratedToken>,
    /// What ended it.
    pub finish: Finish,
}

impl Answer {
    /// The tokens' ids.
    pub fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }
}

/// Runs `job` to its end.
///
/// # Errors
/// Whatever the engine reports.
///
/// # Panics
/// When a row is reported twice, not at all, or does not exist.
pub fn run(engine: &mut Engine, job: &Job) -> Result<(Vec<Answer>, JobStats), EngineError> {
    run_constrained(engine, job, None)
}

/// As [`run`], with answers that keep to `constraint`.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// As [`run`].
pub fn run_constrained(
    engine: &mut Engine,
    job: &Job,
    constraint: Option<&dyn Constraint>,
) -> Result<(Vec<Answer>, JobStats), EngineError> {
    let mut answers = Answers::of(job);
    let stats = pollster::block_on(engine.run_constrained(job, constraint, &mut |event| {
        answers.take(event);
        ControlFlow::Continue(())
    }))?;
    Ok((answers.all(), stats))
}

/// Runs jobs together to their end.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// As [`run`], and when a job does not tell that it begins.
pub fn run_many(
    engine: &mut Engine,
    jobs: &[(&Job, Option<&dyn Constraint>)],
) -> Result<(Vec<Vec<Answer>>, Vec<JobStats>), EngineError> {
    let mut answers: Vec<Answers> = jobs.iter().map(|(job, _)| Answers::of(job)).collect();
    let stats = pollster::block_on(engine.run_many(jobs, &mut |job, event| {
        answers[job].take(event);
        ControlFlow::Continue(())
    }))?;
    Ok((answers.into_iter().map(Answers::all).collect(), stats))
}

/// The answers to a job as they come.
struct Answers {
    rows: Vec<Option<Answer>>,
    has_begun: bool,
}

impl Answers {
    fn of(job: &Job) -> Self {
        Self { rows: vec![None; job.rows.len()], has_begun: false }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Prefill { .. } => self.has_begun = true,
            Event::Decode { .. } => {}
            Event::Row { index, tokens, finish } => {
                let before = self.rows[index].replace(Answer { tokens, finish });
                assert!(before.is_none(), "row {index} was reported twice");
            }
        }
    }

    fn all(self) -> Vec<Answer> {
        assert!(self.has_begun, "the job did not tell that it begins");
        let rows = self.rows.into_iter().enumerate();
        rows.map(|(i, answer)| answer.unwrap_or_else(|| panic!("row {i} was never reported")))
            .collect()
    }
}
