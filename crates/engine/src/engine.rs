//! The engine: prefixes are computed once and kept, all rows are decoded together behind them.

use std::ops::ControlFlow;

use hangtag_weights::{ByteSource, Gguf, ModelConfig};

use crate::constraint::Constraint;
use crate::decoder::{Batch, Chosen, Decoder};
use crate::error::EngineError;
use crate::gpu::{Gpu, GpuInfo};
use crate::kernel::Token;
use crate::load::LoadProgress;
use crate::plan::{EngineOptions, MemoryPlan, check_fit, check_options, fit, max_selected, plan};
use crate::prefix_store::{Place, PrefixStore, Reserved};
use crate::rows::{self, Row, RowId, Turn, Wave};
use crate::source::{ModelSource, ProductInfo};
use crate::speculation::{Pace, Speculation, drafts};

/// One description with all that is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Token ids that every row starts with.
    pub prefix: Vec<u32>,
    /// The rows.
    pub rows: Vec<RowRequest>,
    /// A row ends with the first of these.
    pub stop_tokens: Vec<u32>,
}

/// One question about the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRequest {
    /// Token ids after the prefix; at least one.
    pub suffix: Vec<u32>,
    /// Tokens of the answer at most; at least one.
    pub max_new_tokens: usize,
}

/// A decoded token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratedToken {
    /// Its id.
    pub id: u32,
    /// Its probability among the whole vocabulary.
    pub probability: f32,
}

/// Why a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// With a stop token, which is its last.
    Stop,
    /// At `max_new_tokens`.
    Length,
}

/// What happens while a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Tokens of the prefix that are in the cache.
    Prefill {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// A decode step was made.
    Decode {
        /// Rows that go on.
        active_rows: usize,
    },
    /// A row ended.
    Row {
        /// Its index in the job.
        index: usize,
        /// Its tokens, the stop token included.
        tokens: Vec<GeneratedToken>,
        /// Why it ended.
        finish: Finish,
    },
}

/// Figures of a finished job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobStats {
    /// Tokens of the prefix.
    pub prefix_tokens: usize,
    /// Those of them that were not computed for this job: they were in the cache already, or a job that runs together
    /// with this one has them too.
    pub cached_prefix_tokens: usize,
    /// Tokens of all suffixes.
    pub suffix_tokens: usize,
    /// Decoded tokens of all rows.
    pub generated_tokens: usize,
    /// Steps, of which each makes at least one token of every row that goes on.
    pub decode_steps: usize,
    /// Tokens that were tried ahead of their turn.
    pub drafted_tokens: usize,
    /// Those of them that were right, each of which saved its row a step.
    pub accepted_tokens: usize,
}

/// A model on a GPU.
#[derive(Debug)]
pub struct Engine {
    gpu: Gpu,
    config: ModelConfig,
    options: EngineOptions,
    memory: MemoryPlan,
    decoder: Decoder,
    products: Vec<ProductInfo>,
    store: PrefixStore,
    pace: Pace,
    /// Tokens of a step whose next ones may be asked for.
    max_selected: usize,
}

impl Engine {
    /// The memory that a model needs, from its headers alone.
    ///
    /// # Errors
    /// If tensors are missing or of another shape, or a size is not supported.
    pub fn plan<S: ByteSource>(
        gguf: &Gguf<S>,
        config: &ModelConfig,
        options: &EngineOptions,
    ) -> Result<MemoryPlan, EngineError> {
        check_options(options)?;
        Ok(plan(&ModelSource::find(gguf, config)?, config, options))
    }

    /// The largest sizes up to `options` with which a model is within the limits of `options` and of a GPU, and the memory that it then
    /// takes, from its headers alone. How much memory is free no GPU tells: see [`Engine::load`].
    ///
    /// # Errors
    /// As [`Engine::plan`], or if it is over a limit even with the smallest sizes.
    pub fn fit<S: ByteSource>(
        gguf: &Gguf<S>,
        config: &ModelConfig,
        options: &EngineOptions,
        gpu: &GpuInfo,
    ) -> Result<(EngineOptions, MemoryPlan), EngineError> {
        check_options(options)?;
        fit(&ModelSource::find(gguf, config)?, config, options, gpu)
    }

    /// As [`Engine::fit`], with sizes for which the GPU has the memory now: it is asked for all of it, and given it back.
    ///
    /// # Errors
    /// As [`Engine::fit`], or if there is no room even for the smallest sizes.
    pub async fn fit_now<S: ByteSource>(
        gguf: &Gguf<S>,
        config: &ModelConfig,
        options: &EngineOptions,
        gpu: &Gpu,
    ) -> Result<(EngineOptions, MemoryPlan), EngineError> {
        check_options(options)?;
        let source = ModelSource::find(gguf, config)?;
        let mut wanted = *options;
        loop {
            let (options, memory) = fit(&source, config, &wanted, gpu.describe())?;
            if gpu.has_room(memory.total_bytes()).await? {
                return Ok((options, memory));
            }
            wanted = options.smaller().ok_or(EngineError::OutOfMemory { plan: memory })?;
        }
    }

    /// Loads a model onto a GPU.
    ///
    /// # Errors
    /// As [`Engine::plan`]; what does not fit is refused with the figures before anything is read.
    pub async fn load<S: ByteSource>(
        gpu: Gpu,
        gguf: &Gguf<S>,
        config: ModelConfig,
        options: EngineOptions,
        progress: impl FnMut(LoadProgress),
    ) -> Result<Engine, EngineError> {
        check_options(&options)?;
        let source = ModelSource::find(gguf, &config)?;
        let memory = plan(&source, &config, &options);
        check_fit(&memory, &config, &options, gpu.describe())?;
        if !gpu.has_room(memory.total_bytes()).await? {
            return Err(EngineError::OutOfMemory { plan: memory });
        }
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let decoder = Decoder::load(&gpu, gguf, &source, &config, &options, progress).await;
        if scope.pop().await.is_some() {
            return Err(EngineError::OutOfMemory { plan: memory });
        }
        let decoder = decoder?;
        gpu.finish().await?;
        let products = source.products();
        let store = PrefixStore::new(options.context_tokens);
        let (pace, max_selected) = (Pace::default(), max_selected(&config, &options));
        Ok(Engine { gpu, config, options, memory, decoder, products, store, pace, max_selected })
    }

    /// The model's description.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The memory that the model takes.
    #[must_use]
    pub fn memory(&self) -> &MemoryPlan {
        &self.memory
    }

    /// The products that a step runs, for measurements.
    #[must_use]
    pub fn products(&self) -> &[ProductInfo] {
        &self.products
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The sizes it was loaded with.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Changes whether rows try drafted tokens. An engine that was loaded without has less room for them.
    pub fn set_speculation(&mut self, speculation: Speculation) {
        self.options.speculation = speculation;
    }

    /// Gives the device back for another model; this one's memory is freed.
    #[must_use]
    pub fn into_gpu(self) -> Gpu {
        self.gpu
    }

    /// Forgets all prefixes, so that the next job computes all of its own.
    pub fn clear_prefix_cache(&mut self) {
        self.store.clear();
    }

    /// Logits (tokens, vocab_size) of a text, computed afresh; for tests and measurements.
    ///
    /// # Errors
    /// If the text is longer than the context, or the GPU fails.
    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.check_tokens(tokens)?;
        self.check_length(0, tokens.len())?;
        self.store.clear();
        let mut logits = Vec::with_capacity(tokens.len() * self.config.vocab_size);
        for (i, chunk) in tokens.chunks(self.options.max_rows).enumerate() {
            let mut batch = prefix_batch(0, i * self.options.max_rows, chunk);
            batch.selected = (0..chunk.len() as u32).collect();
            logits.extend(self.decoder.logits(&self.gpu, &batch).await?);
        }
        Ok(logits)
    }

    /// Runs a job whose answers may be anything, as [`Engine::run_constrained`].
    ///
    /// # Errors
    /// As [`Engine::run_constrained`].
    pub async fn run(
        &mut self,
        job: &Job,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<JobStats, EngineError> {
        self.run_constrained(job, None, on_event).await
    }

    /// Runs several jobs, each as [`Engine::run_constrained`] would, as many at once as fit in the context and in a batch.
    /// `on_event` is told the number of the job with each event.
    ///
    /// # Errors
    /// As [`Engine::run_constrained`], of the first job that has one; rows reported before stay valid.
    pub async fn run_many(
        &mut self,
        jobs: &[(&Job, Option<&dyn Constraint>)],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> Result<Vec<JobStats>, EngineError> {
        for (job, _) in jobs {
            self.check_job(job)?;
        }
        let mut stats = Vec::new();
        while stats.len() < jobs.len() {
            let done = stats.len();
            let count = self.fitting(&jobs[done..]).max(1);
            let on_event = &mut |job: usize, event| on_event(done + job, event);
            stats.extend(self.run_together(&jobs[done..done + count], on_event).await?);
        }
        Ok(stats)
    }

    /// How many of the jobs, from the first on, run together whole.
    fn fitting(&self, jobs: &[(&Job, Option<&dyn Constraint>)]) -> usize {
        let (mut slots, mut rows) = (0, 0);
        let fits = |(job, _): &&(&Job, Option<&dyn Constraint>)| {
            slots += job.prefix.len() + job.rows.iter().map(rows::slots).sum::<usize>();
            rows += job.rows.len();
            slots <= self.options.context_tokens && rows <= self.options.max_rows
        };
        jobs.iter().take_while(fits).count()
    }

    /// Runs a job whose answers keep to `constraint`. Rows that do not fit at once follow in waves. `on_event` stops
    /// it with [`ControlFlow::Break`]; rows that have ended by then have been reported.
    ///
    /// # Errors
    /// If the job is malformed or too long, or the GPU fails; [`EngineError::Cancelled`] if stopped.
    pub async fn run_constrained(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<JobStats, EngineError> {
        self.check_job(job)?;
        let on_event = &mut |_, event| on_event(event);
        let stats = self.run_together(&[(job, constraint)], on_event).await?;
        Ok(stats.into_iter().next().unwrap_or_default())
    }

    /// Runs one job, or several that fit whole.
    async fn run_together(
        &mut self,
        jobs: &[(&Job, Option<&dyn Constraint>)],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> Result<Vec<JobStats>, EngineError> {
        let (jobs, constraints): (Vec<&Job>, Vec<_>) = jobs.iter().copied().unzip();
        let prefixes: Vec<&[u32]> = jobs.iter().map(|job| &job.prefix[..]).collect();
        let context = self.options.context_tokens;
        let room = context.saturating_sub(prefixes.iter().map(|prefix| prefix.len()).sum());
        let waves = rows::waves(&jobs, room, self.options.max_rows);
        let row_slots = waves.iter().map(|wave| rows::wave_slots(&jobs, wave)).max().unwrap_or(0);
        let reserved = self.store.reserve(&prefixes, row_slots).ok_or_else(|| {
            EngineError::Job(format!("the jobs need more than the context's {context} tokens"))
        })?;
        let ran = self.run_reserved(&jobs, &constraints, &reserved, waves, on_event).await;
        if ran.as_ref().is_err_and(|error| !matches!(error, EngineError::Cancelled)) {
            // A GPU may tell of an error late: nobody knows what was written since.
            self.store.clear();
        }
        ran
    }

    /// The prefixes, then the rows, wave by wave.
    async fn run_reserved(
        &mut self,
        jobs: &[&Job],
        constraints: &[Option<&dyn Constraint>],
        reserved: &Reserved,
        waves: Vec<Vec<RowId>>,
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> Result<Vec<JobStats>, EngineError> {
        self.prefill(jobs, &reserved.prefixes, on_event).await?;
        let stats = jobs.iter().zip(&reserved.prefixes).map(|(job, place)| JobStats {
            prefix_tokens: job.prefix.len(),
            cached_prefix_tokens: place.cached,
            ..JobStats::default()
        });
        let mut stats: Vec<JobStats> = stats.collect();
        for wave in waves {
            let mut wave = Wave::new(jobs, wave, reserved);
            self.run_wave(&mut wave, jobs, constraints, on_event, &mut stats).await?;
        }
        Ok(stats)
    }

    /// Computes what the cache lacks of the jobs' prefixes, which stand in `places`.
    async fn prefill(
        &mut self,
        jobs: &[&Job],
        places: &[Place],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let mut told = vec![None; places.len()];
        let mut all = Batch::default();
        for (first, start, tokens) in self.store.unwritten() {
            all.append(prefix_batch(first, start, tokens));
        }
        let mut steps = all.split(self.options.step_tokens);
        loop {
            for (number, (job, place)) in jobs.iter().zip(places).enumerate() {
                let total = job.prefix.len();
                let done = self.store.written(*place).min(total);
                if told[number].replace(done) != Some(done) {
                    send(&mut |event| on_event(number, event), Event::Prefill { done, total })?;
                }
            }
            let Some(batch) = steps.next() else { return Ok(()) };
            self.compute(&batch, 0).await?;
            self.store.mark_written(batch.ids.len());
        }
    }

    /// All suffixes as one ragged batch, then all rows token by token until each has ended.
    async fn run_wave(
        &mut self,
        wave: &mut Wave,
        jobs: &[&Job],
        constraints: &[Option<&dyn Constraint>],
        on_event: &mut dyn FnMut(usize, Event) -> ControlFlow<()>,
        stats: &mut [JobStats],
    ) -> Result<(), EngineError> {
        wave.suffix_tokens().for_each(|(job, tokens)| stats[job].suffix_tokens += tokens);
        for (batch, turns) in wave.suffix_batches(jobs, self.options.step_tokens) {
            self.step(batch, &turns, wave, constraints).await?;
        }
        loop {
            let finished = wave.take_finished(jobs);
            for Row { job, index, tokens, drafted, accepted, .. } in finished {
                stats[job].generated_tokens += tokens.len();
                stats[job].drafted_tokens += drafted;
                stats[job].accepted_tokens += accepted;
                let stopped = tokens.last().is_some_and(|t| jobs[job].stop_tokens.contains(&t.id));
                let finish = if stopped { Finish::Stop } else { Finish::Length };
                let event = Event::Row { index, tokens, finish };
                send(&mut |event| on_event(job, event), event)?;
            }
            if wave.len() == 0 {
                return Ok(());
            }
            for (job, active_rows) in wave.active_rows() {
                stats[job].decode_steps += 1;
                send(&mut |event| on_event(job, event), Event::Decode { active_rows })?;
            }
            let turns = self.turns(wave, jobs, constraints);
            self.step(wave.decode_batch(&turns), &turns, wave, constraints).await?;
        }
    }

    /// What each row of a decode step brings.
    fn turns(
        &self,
        wave: &Wave,
        jobs: &[&Job],
        constraints: &[Option<&dyn Constraint>],
    ) -> Vec<Turn> {
        let (speculation, vocab_size) = (self.options.speculation, self.config.vocab_size);
        let mut drafts = drafts(speculation, wave, jobs, constraints, vocab_size);
        let count = speculation.count(&self.pace, &drafts, self.max_selected);
        drafts.iter_mut().for_each(|draft| draft.truncate(count));
        drafts.into_iter().enumerate().map(|(place, draft)| Turn { place, draft }).collect()
    }

    /// The masks of the rows' turns, behind each token of a draft as if it were right; none without a constraint.
    fn allowed(
        &self,
        constraints: &[Option<&dyn Constraint>],
        wave: &Wave,
        turns: &[Turn],
    ) -> Vec<u32> {
        if constraints.iter().all(Option::is_none) {
            return Vec::new();
        }
        let words = self.config.vocab_size.div_ceil(32);
        let mut mask = Vec::with_capacity(turns.len() * words);
        for Turn { place, draft } in turns {
            let row = wave.row(*place);
            let said = row.tokens.len();
            let answer = [row.answer(), draft.clone()].concat();
            for end in said..=answer.len() {
                let allowed =
                    constraints[row.job].and_then(|c| c.allowed(row.index, &answer[..end]));
                match allowed.filter(|set| !set.is_empty()) {
                    Some(set) => set.write(&mut mask, words),
                    None => mask.resize(mask.len() + words, u32::MAX),
                }
            }
        }
        mask
    }

    /// Runs a step and gives the rows their next tokens.
    async fn step(
        &mut self,
        mut batch: Batch,
        turns: &[Turn],
        wave: &mut Wave,
        constraints: &[Option<&dyn Constraint>],
    ) -> Result<(), EngineError> {
        batch.allowed = self.allowed(constraints, wave, turns);
        // Of the suffixes' step the rows are known, of a decode step at best that a next text has one like it.
        let next = match batch.ids.len() == batch.selected.len() {
            true => batch.ids.len(),
            false => self.first_step(wave, constraints),
        };
        let mut chosen = self.compute(&batch, next).await?.into_iter();
        let mut drafts = Vec::with_capacity(turns.len());
        for Turn { place, draft } in turns {
            let own: Vec<Chosen> = chosen.by_ref().take(1 + draft.len()).collect();
            let row = wave.row_mut(*place);
            let accepted = row.accepted;
            row.accept(draft, &own, self.config.vocab_size)?;
            drafts.push((draft.len(), row.accepted - accepted));
        }
        self.pace.luck.record(drafts);
        Ok(())
    }

    /// Tokens that the first decode step of a wave is likely to have.
    fn first_step(&self, wave: &Wave, constraints: &[Option<&dyn Constraint>]) -> usize {
        let speculation = match constraints.iter().any(Option::is_some) {
            true => self.options.speculation,
            false => Speculation::Off,
        };
        speculation.first_step(&self.pace, wave.len(), self.max_selected)
    }

    /// Runs a step and takes note of what it cost.
    async fn compute(&mut self, batch: &Batch, next: usize) -> Result<Vec<Chosen>, EngineError> {
        let start = web_time::Instant::now();
        let chosen = self.decoder.step(&self.gpu, batch, next).await?;
        self.pace.cost.record(batch.ids.len(), start.elapsed().as_secs_f64());
        Ok(chosen)
    }

    fn check_job(&self, job: &Job) -> Result<(), EngineError> {
        self.check_tokens(&job.prefix)?;
        for (index, row) in job.rows.iter().enumerate() {
            if row.suffix.is_empty() || row.max_new_tokens == 0 {
                return Err(EngineError::Job(format!(
                    "row {index} has an empty suffix or asks for no tokens"
                )));
            }
            self.check_tokens(&row.suffix)?;
            let needed = job.prefix.len() + row.suffix.len() + row.max_new_tokens;
            self.check_length(index, needed)?;
        }
        // Also when there is no row, the prefix itself must fit.
        self.check_length(0, job.prefix.len())
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), EngineError> {
        match tokens.iter().find(|id| **id as usize >= self.config.vocab_size) {
            None => Ok(()),
            Some(id) => Err(EngineError::Job(format!(
                "token {id} is not in the model's vocabulary of {}: the tokenizer is another model's",
                self.config.vocab_size
            ))),
        }
    }

    fn check_length(&self, row: usize, needed: usize) -> Result<(), EngineError> {
        let available = self.options.context_tokens.min(self.config.max_position_embeddings);
        if needed > available {
            return Err(EngineError::Context { row, needed, available });
        }
        Ok(())
    }
}

fn send(
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    event: Event,
) -> Result<(), EngineError> {
    match on_event(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EngineError::Cancelled),
    }
}

/// Tokens of a prefix that begins at slot `first`, from position `start` on: they see each other and what stands before. All
/// that they see counts as prefix, so that attention reads it once for many of them; their own segment is empty.
fn prefix_batch(first: usize, start: usize, chunk: &[u32]) -> Batch {
    let first = first as u32;
    let tokens = (start as u32..).take(chunk.len()).map(|position| Token {
        position,
        prefix: position + 1,
        segment: first + position + 1,
        slot: first + position,
        first,
    });
    Batch { ids: chunk.to_vec(), tokens: tokens.collect(), ..Batch::default() }
}
