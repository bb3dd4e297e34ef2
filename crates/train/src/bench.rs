//! How fast this machine trains a model of a known shape: random weights, random tokens, the steps of a real run.

use std::time::Instant;

use candle_core::{Device, Tensor};
use hangtag_weights::adapter::AdapterConfig;
use hangtag_weights::random::{RandomWeights, SHAPES, shape};

use crate::TrainError;
use crate::base::{Base, BasePrecision};
use crate::device::memory_in_use;
use crate::kernel::{AdamwStep, Moments, Rotation, adamw};
use crate::lora::Layout;
use crate::model::{Model, Rounding, StepOptions};
use crate::pack::{Packed, Piece, Run};
use crate::rng::Rng;
use crate::tensors::GgufTensors;

/// What to measure.
#[derive(Debug, Clone)]
pub struct TrainBench {
    /// Name of a known shape.
    pub shape: String,
    /// Sequences of a batch.
    pub batch: usize,
    /// Tokens of a sequence.
    pub length: usize,
    /// Compute each block again in the backward pass.
    pub recompute: bool,
    /// How the frozen base is held.
    pub precision: BasePrecision,
    /// Whether the export's rounding is trained through.
    pub rounding: Rounding,
    /// Rank of the adapter, on all linear layers.
    pub rank: usize,
    /// Steps timed, after three that are not.
    pub steps: usize,
}

/// What was measured.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TrainBenchReport {
    /// Tokens a second: median over the steps.
    pub tokens_per_second: f64,
    /// Median seconds of a step.
    pub step_seconds: f64,
    /// Trainable parameters.
    pub trainable: usize,
    /// Memory of the GPU in use at the end, in bytes, freed memory that is kept for later included.
    pub memory_bytes: Option<u64>,
}

impl TrainBench {
    /// Runs it.
    ///
    /// # Errors
    /// When the shape is not known, or the device has no room.
    pub fn run(&self, device: &Device) -> Result<TrainBenchReport, TrainError> {
        let config = shape(&self.shape).ok_or_else(|| TrainError::Setting {
            setting: "shape",
            problem: format!("\"{}\" is not known: choose among {}", self.shape, SHAPES.join(", ")),
        })?;
        let gguf = pollster::block_on(RandomWeights::open(&self.shape, &config))?;
        let base = Base::load(&GgufTensors::new(gguf)?, self.precision, None, device)?;
        let adapter = AdapterConfig {
            base: self.shape.clone(),
            r: self.rank,
            lora_alpha: 2.0 * self.rank as f32,
            lora_dropout: 0.0,
            use_rslora: false,
            targets: hangtag_weights::adapter::Linear::of_family(base.config.family).collect(),
        };
        let layout = Layout::new(&adapter, &base.config, device)?;
        let rotation = Rotation::new(&base.config, self.length, device)?;
        let parameters = Tensor::from_vec(layout.init(&mut Rng::new(1)), layout.len(), device)?;
        let mut state = Moments {
            first: parameters.zeros_like()?,
            second: parameters.zeros_like()?,
            parameters,
        };
        let packed = self.batch(base.config.vocab_size);
        let mut seconds = Vec::new();
        for step in 0..self.steps + 3 {
            let started = Instant::now();
            state = self.step(&base, &layout, &rotation, state, &packed, step as u32 + 1)?;
            // Waits for the device.
            let first = state.parameters.narrow(0, 0, 1)?.to_vec1::<f32>()?;
            if !first.iter().all(|value| value.is_finite()) {
                return Err(TrainError::NotFinite { step: step as u32 + 1 });
            }
            seconds.push(started.elapsed().as_secs_f64());
        }
        let mut timed = seconds.split_off(3);
        timed.sort_by(f64::total_cmp);
        let step_seconds = timed[timed.len() / 2];
        Ok(TrainBenchReport {
            tokens_per_second: (self.batch * self.length) as f64 / step_seconds,
            step_seconds,
            trainable: layout.len(),
            memory_bytes: memory_in_use(device),
        })
    }

    /// Full sequences in which every token is a label, as plain language modelling has it.
    fn batch(&self, words: usize) -> Packed {
        let mut rng = Rng::new(2);
        let sequences: Vec<Vec<u32>> = (0..self.batch)
            .map(|_| (0..self.length).map(|_| rng.below(words) as u32).collect())
            .collect();
        let of = |tokens: &Vec<u32>| {
            let labels = (0..tokens.len() - 1).map(|at| (at, tokens[at + 1], 1.0)).collect();
            vec![Piece { prefix: &[], runs: vec![Run { tokens: tokens.clone(), labels }] }]
        };
        Packed::new(&sequences.iter().map(of).collect::<Vec<_>>())
    }

    fn step(
        &self,
        base: &Base,
        layout: &Layout,
        rotation: &Rotation,
        state: Moments,
        packed: &Packed,
        step: u32,
    ) -> Result<Moments, TrainError> {
        let model = Model::new(base, layout, rotation, &state.parameters, self.rounding)?;
        let options = StepOptions { recompute: self.recompute, ..StepOptions::default() };
        let outcome = model.step(&model.on_device(packed)?, &options)?;
        let squares = outcome.gradient.sqr()?.sum_all()?.reshape(1)?;
        let weight = Tensor::new(&[packed.weight()], &base.device)?;
        let settings = AdamwStep {
            step,
            rate: 1e-4,
            high_rate: 1e-4,
            high_rate_from: layout.a_len,
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            decay: 0.0,
            max_norm: 1.0,
        };
        Ok(adamw(&state, &outcome.gradient, &squares, &weight, &settings)?)
    }
}
