//! A training run: epochs of steps, validation by decoding, checkpoints.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::Tensor;
use hangtag_task::metrics::Counts;
use hangtag_task::{Product, Tokenize, metrics};
use hangtag_weights::adapter::{Adapter, AdapterConfig, Linear};
use sha2::{Digest, Sha256};

use crate::TrainError;
use crate::augment::{ForeignNames, augmented, foreign_names};
use crate::base::Base;
use crate::checkpoint::{self, Progress};
use crate::config::TrainConfig;
use crate::decode::{DecodeOptions, decode};
use crate::device::{memory_in_use, release_memory};
use crate::example::{Example, examples};
use crate::kernel::{AdamwStep, Moments, Rotation, adamw};
use crate::log::Log;
use crate::lora::Layout;
use crate::memory::{Way, fit};
use crate::model::{Model, StepOptions};
use crate::pack::{LayoutKind, Packed, Piece, fill, pieces};
use crate::rng::{Rng, mix};

/// Tokens that a feature's line and its answer may take beside the text.
const RUN_TOKENS: usize = 96;

/// A tokenizer that several threads may use.
pub type SharedTokenizer<'a> = &'a (dyn Tokenize + Sync);

/// What a run reports.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainEvent {
    /// Some steps are done.
    Steps(StepReport),
    /// The validation set was decoded.
    Evaluated(EvaluationReport),
    /// The device's memory holds only a part of a step at once, or only with blocks computed again.
    Smaller {
        /// Sequences at a time.
        sequences: usize,
        /// Whether blocks are computed again.
        recompute: bool,
    },
    /// A checkpoint was written.
    Saved {
        /// Steps done.
        step: u32,
    },
}

/// How training goes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StepReport {
    /// Steps done.
    pub step: u32,
    /// Share of the run that is done.
    pub done: f64,
    /// Mean loss of a label since the last report.
    pub loss: f64,
    /// Length of the gradient at the last step.
    pub gradient_norm: f64,
    /// Learning rate of the last step.
    pub learning_rate: f32,
    /// Tokens a second since the last report, padding not counted.
    pub tokens_per_second: f64,
    /// (Product, feature) pairs a second since the last report.
    pub pairs_per_second: f64,
    /// Memory of the GPU in use by all programs, in bytes.
    pub memory_bytes: Option<u64>,
}

/// How good the adapter is.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct EvaluationReport {
    /// Epochs done.
    pub epoch: u32,
    /// Steps done.
    pub step: u32,
    /// Of the strict metric: every feature counts.
    pub f1: f64,
    /// Share of right answers, those without a value included.
    pub accuracy: f64,
    /// Share of features with a value that got another.
    pub wrong: f64,
    /// Share of features without a value that got one.
    pub invented: f64,
    /// Whether it is the best so far.
    pub best: bool,
    /// Seconds that decoding took.
    pub seconds: f64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The validation stopped getting better.
    StoppedEarly,
    /// The observer asked to stop; the checkpoint is written.
    Interrupted,
}

/// A run's data and settings.
pub struct Run<'a> {
    /// Settings.
    pub config: &'a TrainConfig,
    /// The frozen base.
    pub base: &'a Base,
    /// What the adapter is for, as it will say itself.
    pub base_name: &'a str,
    /// The base's tokenizer.
    pub tokenizer: SharedTokenizer<'a>,
    /// Products to train on.
    pub train: &'a [Product],
    /// Products to validate with; may be empty.
    pub val: &'a [Product],
    /// An adapter to continue from.
    pub init: Option<&'a Adapter>,
    /// Folder of the run.
    pub out: &'a Path,
}

/// The adapter that `config` asks for.
///
/// # Errors
/// When a target is no layer.
pub fn adapter_config(
    config: &TrainConfig,
    base: &Base,
    base_name: &str,
) -> Result<AdapterConfig, TrainError> {
    let targets = match config.lora.targets.is_empty() {
        true => Linear::of_family(base.config.family).collect(),
        false => config.lora.linears()?,
    };
    Ok(AdapterConfig {
        base: base_name.to_owned(),
        r: config.lora.rank,
        lora_alpha: config.lora.alpha,
        lora_dropout: config.lora.dropout,
        use_rslora: config.lora.rslora,
        targets: targets.into_iter().collect(),
    })
}

/// Trains, from the beginning or (with `resume`) from the folder's checkpoint. The adapter, the log and the learning curve are
/// written into the folder after each evaluation; without a validation set the last adapter counts as the best.
///
/// # Errors
/// What stopped it. The last checkpoint and the best adapter stay in the folder.
pub fn train(
    run: &Run<'_>,
    resume: bool,
    observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
) -> Result<Ending, TrainError> {
    Trainer::new(run, resume)?.run(observe)
}

struct Trainer<'a> {
    run: &'a Run<'a>,
    layout: Layout,
    rotation: Rotation,
    foreign: ForeignNames,
    state: Moments,
    progress: Progress,
    way: Way,
    val_examples: Vec<Example>,
    log: Log,
    meter: Meter,
}

/// What happened since the last report.
struct Meter {
    since: Instant,
    losses: Vec<Tensor>,
    weight: f64,
    tokens: usize,
    pairs: usize,
}

impl Meter {
    fn new() -> Self {
        Self { since: Instant::now(), losses: Vec::new(), weight: 0.0, tokens: 0, pairs: 0 }
    }
}

impl<'a> Trainer<'a> {
    fn new(run: &'a Run<'a>, resume: bool) -> Result<Self, TrainError> {
        let (config, base) = (run.config, run.base);
        config.check()?;
        if run.train.is_empty() {
            return Err(TrainError::Data {
                file: "training data".to_owned(),
                problem: "there is no product in it".to_owned(),
            });
        }
        let adapter = adapter_config(config, base, run.base_name)?;
        let layout = Layout::new(&adapter, &base.config, &base.device)?;
        let positions = base.config.max_position_embeddings.min(config.data.length.max(256) + 512);
        if config.data.max_prefix_tokens + RUN_TOKENS > positions {
            return Err(TrainError::Setting {
                setting: "data.max_prefix_tokens",
                problem: format!(
                    "the model knows {positions} positions: give at most {}",
                    positions.saturating_sub(RUN_TOKENS)
                ),
            });
        }
        let identity = identity(run)?;
        let (progress, state) = match resume {
            true => resumed(run, &identity, layout.len())?,
            false => (Progress::new(identity), fresh(run, &layout)?),
        };
        let val = match config.evaluation.limit {
            0 => run.val,
            limit => &run.val[..limit.min(run.val.len())],
        };
        Ok(Self {
            rotation: Rotation::new(&base.config, positions, &base.device)?,
            foreign: foreign_names(run.train),
            val_examples: tokenised(val, config, run.tokenizer)?,
            log: Log::open(run.out, resume)?,
            meter: Meter::new(),
            way: Way { sequences: config.data.sequences, recompute: config.run.recompute },
            run,
            layout,
            state,
            progress,
        })
    }

    fn run(
        mut self,
        observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<Ending, TrainError> {
        let config = self.run.config;
        self.fit_memory(observe)?;
        while self.progress.epoch < config.optimizer.epochs {
            if self.epoch(observe)?.is_break() {
                self.save(observe)?;
                return Ok(Ending::Interrupted);
            }
            self.progress.epoch += 1;
            self.progress.step_of_epoch = 0;
            let last = self.progress.epoch == config.optimizer.epochs;
            let due = last || self.progress.epoch.is_multiple_of(config.evaluation.every_epochs);
            let stop = due && self.evaluate(observe)?.is_break();
            self.save(observe)?;
            if stop {
                return Ok(Ending::Interrupted);
            }
            let patience = config.evaluation.patience;
            if patience > 0 && self.progress.since_best >= patience {
                return Ok(Ending::StoppedEarly);
            }
        }
        Ok(Ending::Finished)
    }

    /// The rest of the epoch that has begun.
    fn epoch(
        &mut self,
        observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        let config = self.run.config;
        let steps = self.batches()?;
        self.meter = Meter::new();
        for (index, micro) in steps.iter().enumerate().skip(self.progress.step_of_epoch as usize) {
            let done = (f64::from(self.progress.epoch) + index as f64 / steps.len() as f64)
                / f64::from(config.optimizer.epochs);
            let squares = self.step(micro, done)?;
            self.progress.step += 1;
            self.progress.step_of_epoch += 1;
            let step = self.progress.step;
            if step.is_multiple_of(config.run.log_steps) || index + 1 == steps.len() {
                let report = self.report(done, &squares)?;
                self.log.steps(&report)?;
                if observe(&TrainEvent::Steps(report)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if config.run.checkpoint_steps > 0 && step.is_multiple_of(config.run.checkpoint_steps) {
                self.save(observe)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One step of the optimiser; returns the sum of squares of the gradient and the labels' weight.
    fn step(&mut self, micro: &[Packed], done: f64) -> Result<(Tensor, f32), TrainError> {
        let (config, base) = (self.run.config, self.run.base);
        let rounding = config.base.rounding;
        let model =
            Model::new(base, &self.layout, &self.rotation, &self.state.parameters, rounding)?;
        let (mut gradient, mut weight): (Option<Tensor>, f32) = (None, 0.0);
        for (index, packed) in micro.iter().enumerate() {
            let options = StepOptions {
                recompute: self.way.recompute,
                dropout: config.lora.dropout,
                seed: mix(config.seed ^ mix(u64::from(self.progress.step) << 16 | index as u64)),
            };
            let outcome = model.step(&model.on_device(packed)?, &options)?;
            gradient = Some(match gradient {
                Some(sum) => (sum + outcome.gradient)?,
                None => outcome.gradient,
            });
            weight += packed.weight();
            self.meter.losses.push(outcome.loss);
            self.meter.tokens += packed.num_tokens;
            self.meter.pairs += packed.num_runs;
        }
        self.meter.weight += f64::from(weight);
        let Some(gradient) = gradient else {
            return Ok((Tensor::zeros(1, candle_core::DType::F32, &base.device)?, 1.0));
        };
        let squares = gradient.sqr()?.sum_all()?.reshape(1)?;
        let weights = Tensor::new(&[weight], &base.device)?;
        let o = &config.optimizer;
        let rate = o.rate(done);
        let step = AdamwStep {
            step: self.progress.step + 1,
            rate,
            high_rate: rate * o.lora_plus_ratio,
            high_rate_from: self.layout.a_len,
            beta1: o.beta1,
            beta2: o.beta2,
            eps: o.eps,
            decay: o.weight_decay,
            max_norm: o.max_grad_norm,
        };
        self.state = adamw(&self.state, &gradient, &squares, &weights, &step)?;
        Ok((squares, weight))
    }

    /// Reads back what happened since the last report, which waits for the device.
    fn report(
        &mut self,
        done: f64,
        (squares, weight): &(Tensor, f32),
    ) -> Result<StepReport, TrainError> {
        let meter = std::mem::replace(&mut self.meter, Meter::new());
        let losses: Vec<f32> = match meter.losses.as_slice() {
            [] => Vec::new(),
            losses => Tensor::cat(losses, 0)?.to_vec1()?,
        };
        let loss = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / meter.weight.max(1.0);
        let gradient_norm = f64::from(squares.to_vec1::<f32>()?[0]).sqrt() / f64::from(*weight);
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Err(TrainError::NotFinite { step: self.progress.step });
        }
        let seconds = meter.since.elapsed().as_secs_f64();
        self.meter.since = Instant::now();
        Ok(StepReport {
            step: self.progress.step,
            done,
            loss,
            gradient_norm,
            learning_rate: self.run.config.optimizer.rate(done),
            tokens_per_second: meter.tokens as f64 / seconds,
            pairs_per_second: meter.pairs as f64 / seconds,
            memory_bytes: memory_in_use(&self.run.base.device),
        })
    }

    /// The batches of the epoch that is about to begin or to go on: the same for the same seed and epoch.
    fn batches(&self) -> Result<Vec<Vec<Packed>>, TrainError> {
        let config = self.run.config;
        let mut rng = Rng::for_purpose(config.seed, 1 + u64::from(self.progress.epoch));
        let products: Vec<Product> = self
            .run
            .train
            .iter()
            .map(|product| {
                augmented(product, &config.augment, &config.data, &self.foreign, &mut rng)
            })
            .filter(|product| !product.features.is_empty())
            .collect();
        let mut examples = tokenised(&products, config, self.run.tokenizer)?;
        rng.shuffle(&mut examples);
        let d = &config.data;
        let pieces = examples
            .iter()
            .flat_map(|example| pieces(example, d.layout, d.chain, d.length, d.loss_per));
        let mut sequences = fill(pieces.collect(), d.length, d.layout == LayoutKind::Packed);
        rng.shuffle(&mut sequences);
        let at_once = self.way.sequences;
        let of_step = |step: &[Vec<Piece<'_>>]| step.chunks(at_once).map(Packed::new).collect();
        Ok(sequences.chunks(d.sequences * d.accumulate).map(of_step).collect())
    }

    /// On a GPU, finds by trial how much of a step its memory holds at once.
    fn fit_memory(
        &mut self,
        observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let device = self.run.base.device.clone();
        if !device.is_cuda() {
            return Ok(());
        }
        let wanted = self.way;
        let limit = self.run.config.run.memory_limit();
        self.way = fit(wanted, limit, &mut |way| {
            release_memory(&device);
            self.way = way;
            match self.rehearse() {
                Ok(()) => Ok(memory_in_use(&device)),
                Err(TrainError::Compute(error)) if is_out_of_memory(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        if self.way != wanted {
            let _ = observe(&TrainEvent::Smaller {
                sequences: self.way.sequences,
                recompute: self.way.recompute,
            });
        }
        Ok(())
    }

    /// Computes the longest part of the epoch's steps, and throws the gradient away.
    fn rehearse(&self) -> Result<(), TrainError> {
        let batches = self.batches()?;
        let longest = batches.iter().flatten().max_by_key(|packed| packed.num_tokens);
        let Some(packed) = longest else { return Ok(()) };
        let (base, rounding) = (self.run.base, self.run.config.base.rounding);
        let model =
            Model::new(base, &self.layout, &self.rotation, &self.state.parameters, rounding)?;
        let options = StepOptions {
            recompute: self.way.recompute,
            dropout: self.run.config.lora.dropout,
            seed: 0,
        };
        // Reading the loss waits for the device.
        model.step(&model.on_device(packed)?, &options)?.loss.to_vec1::<f32>()?;
        Ok(())
    }

    /// Decodes the validation set, and keeps the adapter if it is the best.
    fn evaluate(
        &mut self,
        observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        let parameters: Vec<f32> = self.state.parameters.to_vec1()?;
        if self.val_examples.is_empty() {
            self.keep_adapter(&parameters)?;
            return Ok(ControlFlow::Continue(()));
        }
        let started = Instant::now();
        let counts = self.validate()?;
        let f1 = counts.f1();
        let best = self.progress.best.is_none_or(|(best, _)| f1 > best);
        if best {
            self.progress.best = Some((f1, self.progress.epoch));
            self.keep_adapter(&parameters)?;
        }
        self.progress.since_best = if best { 0 } else { self.progress.since_best + 1 };
        let report = EvaluationReport {
            epoch: self.progress.epoch,
            step: self.progress.step,
            f1,
            accuracy: counts.accuracy(),
            wrong: counts.share_wrong(),
            invented: counts.share_invented(),
            best,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.log.evaluation(&report)?;
        Ok(observe(&TrainEvent::Evaluated(report)))
    }

    fn validate(&self) -> Result<Counts, TrainError> {
        let (run, data) = (self.run, &self.run.config.data);
        let rounding = run.config.base.rounding;
        let model =
            Model::new(run.base, &self.layout, &self.rotation, &self.state.parameters, rounding)?;
        let options = DecodeOptions { length: data.length, rows: 2 * data.length * data.sequences };
        let products = &run.val[..self.val_examples.last().map_or(0, |last| last.product + 1)];
        let answers = decode(&model, products, &self.val_examples, run.tokenizer, options)?;
        let mut counts = Counts::default();
        for (product, answers) in products.iter().zip(answers) {
            for answer in answers {
                let accepted = product.accepted(&answer.name);
                counts.add(metrics::score(accepted.as_deref(), answer.value.as_deref()));
            }
        }
        Ok(counts)
    }

    fn keep_adapter(&self, parameters: &[f32]) -> Result<(), TrainError> {
        let version = self.run.config.data.task_version;
        let adapter = self.layout.to_adapter(parameters, version)?;
        let config = &self.run.base.config;
        let element = self.run.config.run.adapter_dtype.element();
        let saved = adapter.save(self.run.out, config, element);
        saved.map_err(|error| TrainError::Adapter(error.to_string()))
    }

    fn save(
        &self,
        observe: &mut dyn FnMut(&TrainEvent) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        checkpoint::save(self.run.out, &self.progress, &self.state)?;
        let _ = observe(&TrainEvent::Saved { step: self.progress.step });
        Ok(())
    }
}

/// candle and cuBLAS say it in their own words.
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    ["out_of_memory", "out of memory", "alloc_failed"].iter().any(|words| text.contains(words))
}

/// The state before the first step.
fn fresh(run: &Run<'_>, layout: &Layout) -> Result<Moments, TrainError> {
    let values = match run.init {
        Some(adapter) => layout.from_adapter(adapter)?,
        None => layout.init(&mut Rng::for_purpose(run.config.seed, 0)),
    };
    let parameters = Tensor::from_vec(values, layout.len(), &run.base.device)?;
    Ok(Moments { first: parameters.zeros_like()?, second: parameters.zeros_like()?, parameters })
}

fn resumed(run: &Run<'_>, identity: &str, len: usize) -> Result<(Progress, Moments), TrainError> {
    let (progress, state) = checkpoint::load(run.out, &run.base.device)?;
    let path: PathBuf = checkpoint::path(run.out);
    if progress.identity != identity || state.parameters.elem_count() != len {
        return Err(TrainError::Checkpoint {
            path,
            problem: "it is of a run with other data or settings; give the same ones, or start again without --resume"
                .to_owned(),
        });
    }
    Ok((progress, state))
}

/// A hash of everything that decides what a run computes.
fn identity(run: &Run<'_>) -> Result<String, TrainError> {
    let mut hash = Sha256::new();
    hash.update(json(run.config)?);
    hash.update(json(run.base_name)?);
    for product in run.train.iter().chain(run.val) {
        hash.update(json(product)?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, TrainError> {
    serde_json::to_vec(value).map_err(|error| TrainError::Data {
        file: "training data".to_owned(),
        problem: error.to_string(),
    })
}

/// The examples of all products, tokenised on every core.
fn tokenised(
    products: &[Product],
    config: &TrainConfig,
    tokenizer: SharedTokenizer<'_>,
) -> Result<Vec<Example>, TrainError> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let share = products.len().div_ceil(cores).max(1);
    let (version, max) = (config.data.task_version, config.data.max_prefix_tokens);
    let of_share = |first: usize, share: &[Product]| -> Result<Vec<Example>, TrainError> {
        let mut all = Vec::new();
        for (index, product) in share.iter().enumerate() {
            all.extend(examples(version, first + index, product, max, tokenizer)?);
        }
        Ok(all)
    };
    let results: Vec<Result<Vec<Example>, TrainError>> = std::thread::scope(|scope| {
        let of_share = &of_share;
        let threads: Vec<_> = products
            .chunks(share)
            .enumerate()
            .map(|(index, part)| scope.spawn(move || of_share(index * share, part)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all = Vec::new();
    for result in results {
        all.extend(result?);
    }
    Ok(all)
}
