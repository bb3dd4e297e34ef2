use std::future::Future;
use std::ops::ControlFlow;

use hangtag_engine::{Constraint, Engine, EngineError, Event, Job, JobStats};

/// What a decoder has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens that the key-value cache holds, prefix and all rows together.
    pub context_tokens: usize,
    /// Highest number of positions that the model knows.
    pub max_position_embeddings: usize,
}

/// Runs jobs of token ids: the engine, or a script in tests.
pub trait Decode {
    /// What fits.
    fn limits(&self) -> Limits;

    /// Runs one job, whose answers keep to `constraint`, and reports it through `on_event`; `Break` cancels it.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] after a `Break`; otherwise whatever stopped the job. Rows reported before stay valid.
    fn run(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>>;

    /// Runs several jobs; `on_event` is told the number of the job with each event. One after the other, where a decoder
    /// knows no better.
    ///
    /// # Errors
    /// As [`Decode::run`], of the first job that has one.
    fn run_many(
        &mut self,
        jobs: &[(&Job, Option<&dyn Constraint>)],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<Vec<JobStats>, EngineError>> {
        async move {
            let mut stats = Vec::new();
            for (number, (job, constraint)) in jobs.iter().enumerate() {
                let on_event = &mut |event| on_event(number, event);
                stats.push(self.run(job, *constraint, on_event).await?);
            }
            Ok(stats)
        }
    }
}

impl Decode for Engine {
    fn limits(&self) -> Limits {
        Limits {
            context_tokens: self.options().context_tokens,
            max_position_embeddings: self.config().max_position_embeddings,
        }
    }

    fn run(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>> {
        self.run_constrained(job, constraint, on_event)
    }

    fn run_many(
        &mut self,
        jobs: &[(&Job, Option<&dyn Constraint>)],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<Vec<JobStats>, EngineError>> {
        Engine::run_many(self, jobs, on_event)
    }
}
