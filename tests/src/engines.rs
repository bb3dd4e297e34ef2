//! Engines for tests, on whatever GPU there is.

use crate::require::require;
use anyhow::Result;
use hangtag_engine::{
    Constraint, Engine, EngineError, EngineOptions, Event, Finish, GeneratedToken, Gpu, GpuOptions,
    Job, JobStats,
};
use hangtag_weights::{ByteSource, Gguf, ModelConfig};
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
    let mut answers: Vec<Option<Answer>> = vec![None; job.rows.len()];
    let stats = pollster::block_on(engine.run_constrained(job, constraint, &mut |event| {
        if let Event::Row { index, tokens, finish } = event {
            let before = answers[index].replace(Answer { tokens, finish });
            assert!(before.is_none(), "row {index} was reported twice");
        }
        ControlFlow::Continue(())
    }))?;
    let answers = answers.into_iter().enumerate();
    let answers =
        answers.map(|(i, answer)| answer.unwrap_or_else(|| panic!("row {i} was never reported")));
    Ok((answers.collect(), stats))
}
