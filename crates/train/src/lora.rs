//! The trainable low-rank factors (LoRA, Hu et al. 2021): where each lies among the parameters, and what it is in a step.
//!
//! All factors lie in one vector of f32, so that the optimiser's step is one kernel: first every A (rank, in), then every
//! B (out, rank), both in the order of layers and of [`Group::ALL`].

use candle_core::{DType, Device, Tensor};
use hangtag_task::TaskVersion;
use hangtag_weights::adapter::{Adapter, AdapterConfig, Linear, Lora};
use hangtag_weights::{Mlp, ModelConfig};

use crate::TrainError;
use crate::kernel::{Parts, block_diagonal};
use crate::rng::Rng;

/// Linear layers that read the same input and run as one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Qkv,
    O,
    Up,
    Down,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Qkv, Self::O, Self::Up, Self::Down];

    /// The group's layers with their numbers of rows, and its number of columns.
    fn linears(self, c: &ModelConfig) -> (Vec<(Linear, usize)>, usize) {
        let (q, kv) = (c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim);
        match self {
            Self::Qkv => (vec![(Linear::Q, q), (Linear::K, kv), (Linear::V, kv)], c.hidden_size),
            Self::O => (vec![(Linear::O, c.hidden_size)], q),
            Self::Up => {
                let up = (Linear::Up, c.intermediate_size);
                match c.mlp {
                    Mlp::SwiGlu => (vec![(Linear::Gate, c.intermediate_size), up], c.hidden_size),
                    Mlp::GeluTanh => (vec![up], c.hidden_size),
                }
            }
            Self::Down => (vec![(Linear::Down, c.hidden_size)], c.intermediate_size),
        }
    }
}

/// Where the factors of one group of one layer lie.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) layer: usize,
    pub(crate) group: Group,
    /// The adapted layers and their rows.
    linears: Vec<(Linear, usize)>,
    columns: usize,
    rank: usize,
    a_offset: usize,
    b_offset: usize,
    pub(crate) parts: Parts,
}

/// A group's factors as the forward pass uses them, in the type of the activations.
#[derive(Debug, Clone)]
pub(crate) struct Factors {
    /// (parts · rank, in).
    pub(crate) a: Tensor,
    /// (out, parts · rank), already scaled; zeros outside its blocks.
    pub(crate) b: Tensor,
    pub(crate) parts: Parts,
}

/// The layout of all factors of an adapter.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) slots: Vec<Slot>,
    /// Length of all A factors together; the B factors follow.
    pub(crate) a_len: usize,
    len: usize,
    pub(crate) scale: f32,
    config: AdapterConfig,
}

impl Layout {
    /// Lays out the factors that `config` asks for.
    ///
    /// # Errors
    /// When the rank is 0, no layer is adapted, or one is that the model does not have.
    pub fn new(
        config: &AdapterConfig,
        model: &ModelConfig,
        device: &Device,
    ) -> Result<Self, TrainError> {
        check(config, model)?;
        let (rank, mut slots, mut a_len, mut b_len) = (config.r, Vec::new(), 0, 0);
        for layer in 0..model.num_hidden_layers {
            for group in Group::ALL {
                let (all, columns) = group.linears(model);
                let (mut row, mut ranges, mut linears) = (0, Vec::new(), Vec::new());
                for (linear, rows) in all {
                    if config.targets.contains(&linear) {
                        ranges.push(row..row + rows);
                        linears.push((linear, rows));
                    }
                    row += rows;
                }
                if linears.is_empty() {
                    continue;
                }
                let parts = Parts::new(row, &ranges, rank, device)?;
                let (a_offset, b_offset) = (a_len, b_len);
                a_len += parts.width() * columns;
                b_len += parts.b_len();
                slots.push(Slot {
                    layer,
                    group,
                    linears,
                    columns,
                    rank,
                    a_offset,
                    b_offset,
                    parts,
                });
            }
        }
        slots.iter_mut().for_each(|slot| slot.b_offset += a_len);
        Ok(Self { slots, a_len, len: a_len + b_len, scale: config.scale(), config: config.clone() })
    }

    /// Number of trainable parameters.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is trainable.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fresh parameters as PEFT draws them: A uniform within 1/√in, B zero.
    pub(crate) fn init(&self, rng: &mut Rng) -> Vec<f32> {
        let mut values = vec![0.0; self.len];
        for slot in &self.slots {
            let bound = 1.0 / (slot.columns as f32).sqrt();
            let a = &mut values[slot.a_offset..slot.a_offset + slot.parts.width() * slot.columns];
            a.iter_mut().for_each(|value| *value = (2.0 * rng.uniform() - 1.0) * bound);
        }
        values
    }

    /// Every slot's factors for a step with these `parameters` (len) f32.
    pub(crate) fn factors(
        &self,
        parameters: &Tensor,
        dtype: DType,
    ) -> Result<Vec<Factors>, TrainError> {
        let all_a = parameters.narrow(0, 0, self.a_len)?.to_dtype(dtype)?;
        self.slots
            .iter()
            .map(|slot| {
                let (width, columns) = (slot.parts.width(), slot.columns);
                let a =
                    all_a.narrow(0, slot.a_offset, width * columns)?.reshape((width, columns))?;
                let b = parameters.narrow(0, slot.b_offset, slot.parts.b_len())?;
                let b = block_diagonal(&b, &slot.parts, self.scale, dtype)?;
                Ok(Factors { a, b, parts: slot.parts.clone() })
            })
            .collect()
    }

    /// The parameters as an adapter in PEFT's terms, which were trained on the prompt's form `version`.
    ///
    /// # Errors
    /// When `parameters` is not of this layout.
    pub fn to_adapter(
        &self,
        parameters: &[f32],
        version: TaskVersion,
    ) -> Result<Adapter, TrainError> {
        if parameters.len() != self.len {
            return Err(TrainError::Adapter(format!(
                "{} parameters where the adapter has {}",
                parameters.len(),
                self.len
            )));
        }
        let mut adapter = Adapter {
            config: self.config.clone(),
            task_version: version.number(),
            modules: Default::default(),
        };
        for slot in &self.slots {
            let (mut a_at, mut b_at) = (slot.a_offset, slot.b_offset);
            for &(linear, rows) in &slot.linears {
                let (a_len, b_len) = (slot.rank * slot.columns, rows * slot.rank);
                let lora = Lora {
                    a: parameters[a_at..a_at + a_len].to_vec(),
                    b: parameters[b_at..b_at + b_len].to_vec(),
                };
                adapter.modules.insert((slot.layer, linear), lora);
                a_at += a_len;
                b_at += b_len;
            }
        }
        Ok(adapter)
    }

    /// The parameters that an adapter holds, in this layout.
    ///
    /// # Errors
    /// When it lacks a factor, or one has another size.
    pub fn from_adapter(&self, adapter: &Adapter) -> Result<Vec<f32>, TrainError> {
        let mut values = vec![0.0; self.len];
        for slot in &self.slots {
            let (mut a_at, mut b_at) = (slot.a_offset, slot.b_offset);
            for &(linear, rows) in &slot.linears {
                let (a_len, b_len) = (slot.rank * slot.columns, rows * slot.rank);
                let place = format!("layer {}, {linear:?}", slot.layer);
                let lora = adapter.modules.get(&(slot.layer, linear)).ok_or_else(|| {
                    TrainError::Adapter(format!("the adapter has no factors for {place}"))
                })?;
                if lora.a.len() != a_len || lora.b.len() != b_len {
                    return Err(TrainError::Adapter(format!(
                        "the adapter's factors for {place} have {} and {} numbers, the model wants {a_len} and {b_len}",
                        lora.a.len(),
                        lora.b.len()
                    )));
                }
                values[a_at..a_at + a_len].copy_from_slice(&lora.a);
                values[b_at..b_at + b_len].copy_from_slice(&lora.b);
                a_at += a_len;
                b_at += b_len;
            }
        }
        Ok(values)
    }
}

fn check(config: &AdapterConfig, model: &ModelConfig) -> Result<(), TrainError> {
    let setting = |setting, problem: String| Err(TrainError::Setting { setting, problem });
    if config.r == 0 || config.r > model.hidden_size {
        let most = model.hidden_size;
        return setting(
            "lora.rank",
            format!("{} is no rank: give 1 to {most}, such as 16", config.r),
        );
    }
    if !(config.lora_alpha > 0.0 && config.lora_alpha.is_finite()) {
        return setting(
            "lora.alpha",
            format!("{} is no scale: give a number over 0", config.lora_alpha),
        );
    }
    if !(0.0..1.0).contains(&config.lora_dropout) {
        return setting(
            "lora.dropout",
            format!("{} is no share: give 0 to below 1", config.lora_dropout),
        );
    }
    let known: Vec<Linear> = Linear::of_family(model.family).collect();
    if let Some(other) = config.targets.iter().find(|target| !known.contains(target)) {
        return setting(
            "lora.targets",
            format!("models of this family have no {other}: choose among {known:?}"),
        );
    }
    if config.targets.is_empty() {
        return setting("lora.targets", format!("no layer is adapted: choose among {known:?}"));
    }
    Ok(())
}
