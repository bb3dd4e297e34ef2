//! The frozen base model on the training device.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use hangtag_weights::{Mlp, ModelConfig, Norm, blocks};

use crate::TrainError;
use crate::kernel::{NormParams, dequantize};
use crate::tensors::Tensors;

/// Numbers held as f32 at a time while reading: 16 MB.
const CHUNK: usize = 1 << 22;

/// How the frozen matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum BasePrecision {
    /// In blocks of 4 bits (8 where the file has 8), dequantised at each use: for large models.
    #[default]
    #[serde(rename = "4bit")]
    FourBit,
    /// As the activations: bf16 on a GPU.
    #[serde(rename = "16bit")]
    SixteenBit,
}

/// A linear layer's frozen matrix (rows, columns): several of the model's tensors below each other.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    parts: Vec<FrozenPart>,
    rows: usize,
    columns: usize,
}

#[derive(Debug, Clone)]
enum FrozenPart {
    /// Quantised blocks as bytes.
    Blocks { bytes: Tensor, dtype: blocks::DType, rows: usize },
    /// (rows, columns) in the type of the activations.
    Dense(Tensor),
}

impl Frozen {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The whole matrix (rows, columns) as `dtype`.
    pub(crate) fn dense(&self, dtype: DType) -> candle_core::Result<Tensor> {
        let parts: candle_core::Result<Vec<Tensor>> = self
            .parts
            .iter()
            .map(|part| match part {
                FrozenPart::Dense(matrix) => matrix.to_dtype(dtype),
                FrozenPart::Blocks { bytes, dtype: from, rows } => {
                    dequantize(bytes, *from, (*rows, self.columns), dtype)
                }
            })
            .collect();
        match parts?.as_slice() {
            [one] => Ok(one.clone()),
            parts => Tensor::cat(parts, 0),
        }
    }
}

/// One decoder block's frozen tensors.
#[derive(Debug, Clone)]
pub(crate) struct FrozenBlock {
    pub(crate) attn_norm: NormParams,
    /// None where attention and MLP share the first.
    pub(crate) mlp_norm: Option<NormParams>,
    /// Queries, keys, values below each other.
    pub(crate) qkv: Frozen,
    pub(crate) qkv_bias: Option<Tensor>, // f32
    pub(crate) o: Frozen,
    pub(crate) o_bias: Option<Tensor>, // f32
    /// Gate above up, or up alone.
    pub(crate) up: Frozen,
    pub(crate) up_bias: Option<Tensor>, // f32
    pub(crate) down: Frozen,
    pub(crate) down_bias: Option<Tensor>, // f32
}

/// The frozen base model.
#[derive(Debug, Clone)]
pub struct Base {
    pub(crate) config: ModelConfig,
    /// Type of the activations.
    pub(crate) dtype: DType,
    pub(crate) device: Device,
    pub(crate) embedding: Tensor, // (vocab_size, hidden) of the activations' type
    pub(crate) output: Tensor,    // the same tensor where the model ties them
    pub(crate) output_bias: Option<Tensor>, // (vocab_size) f32
    pub(crate) output_norm: NormParams,
    pub(crate) layers: Vec<FrozenBlock>,
}

/// Reads tensors onto a device.
struct Loader<'a> {
    tensors: &'a dyn Tensors,
    precision: BasePrecision,
    dtype: DType,
    device: &'a Device,
}

impl Loader<'_> {
    fn missing(name: &str) -> TrainError {
        hangtag_weights::GgufError::NoTensor { tensor: name.to_owned() }.into()
    }

    /// The type of a tensor of `shape`; `None` if the model has none of this name.
    fn dtype_of(&self, name: &str, shape: &[usize]) -> Result<Option<blocks::DType>, TrainError> {
        match self.tensors.describe(name) {
            None => Ok(None),
            Some((dtype, found)) if found == shape => Ok(Some(dtype)),
            Some((_, found)) => {
                Err(TrainError::Shape { tensor: name.to_owned(), found, expected: shape.to_vec() })
            }
        }
    }

    /// Hands the numbers of rows `0..rows` to `take`, some rows at a time, so that little is held as f32.
    fn each_chunk(
        &self,
        name: &str,
        (rows, columns): (usize, usize),
        dtype: blocks::DType,
        take: &mut dyn FnMut(Vec<f32>),
    ) -> Result<(), TrainError> {
        // Whole heads, whose rows a folder of transformers has in another order.
        let head = self.tensors.config().head_dim;
        let step = (CHUNK / columns.max(1)).next_multiple_of(head).max(head);
        for start in (0..rows).step_by(step) {
            let bytes = self.tensors.rows(name, start..rows.min(start + step))?;
            take(
                blocks::dequantize(dtype, &bytes)
                    .map_err(|source| TrainError::Blocks { tensor: name.to_owned(), source })?,
            );
        }
        Ok(())
    }

    fn vector(&self, name: &str, len: usize) -> Result<Option<Tensor>, TrainError> {
        let Some(dtype) = self.dtype_of(name, &[len])? else {
            return Ok(None);
        };
        let mut values = Vec::new();
        self.each_chunk(name, (1, len), dtype, &mut |chunk| values.extend(chunk))?;
        Ok(Some(Tensor::from_vec(values, len, self.device)?))
    }

    fn matrix(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Option<Tensor>, TrainError> {
        let Some(dtype) = self.dtype_of(name, &[rows, columns])? else {
            return Ok(None);
        };
        let shape = (rows, columns);
        // Converted as it is read: a large model's embedding would take four bytes a number otherwise, twice.
        Ok(Some(match self.dtype {
            DType::BF16 => {
                let mut values: Vec<bf16> = Vec::with_capacity(rows * columns);
                self.each_chunk(name, shape, dtype, &mut |chunk| {
                    values.extend(chunk.into_iter().map(bf16::from_f32));
                })?;
                Tensor::from_vec(values, shape, self.device)?
            }
            other => {
                let mut values: Vec<f32> = Vec::with_capacity(rows * columns);
                self.each_chunk(name, shape, dtype, &mut |chunk| values.extend(chunk))?;
                Tensor::from_vec(values, shape, &Device::Cpu)?
                    .to_dtype(other)?
                    .to_device(self.device)?
            }
        }))
    }

    fn norm(&self, name: &str) -> Result<NormParams, TrainError> {
        let config = self.tensors.config();
        let weight = format!("{name}.weight");
        Ok(NormParams {
            weight: self
                .vector(&weight, config.hidden_size)?
                .ok_or_else(|| Self::missing(&weight))?,
            shift: self.vector(&format!("{name}.bias"), config.hidden_size)?,
            eps: config.norm_eps,
            centre: config.norm == Norm::LayerNorm,
        })
    }

    /// The tensors `names` with their numbers of rows, below each other.
    fn frozen(&self, names: &[(String, usize)], columns: usize) -> Result<Frozen, TrainError> {
        let parts: Result<Vec<FrozenPart>, TrainError> =
            names.iter().map(|(name, rows)| self.part(name, *rows, columns)).collect();
        let rows = names.iter().map(|(_, rows)| rows).sum();
        Ok(Frozen { parts: parts?, rows, columns })
    }

    fn part(&self, name: &str, rows: usize, columns: usize) -> Result<FrozenPart, TrainError> {
        if self.precision == BasePrecision::SixteenBit {
            let matrix = self.matrix(name, rows, columns)?.ok_or_else(|| Self::missing(name))?;
            return Ok(FrozenPart::Dense(matrix));
        }
        let stored = self.dtype_of(name, &[rows, columns])?.ok_or_else(|| Self::missing(name))?;
        let is_blocks =
            matches!(stored, blocks::DType::Q4_0 | blocks::DType::Q4_1 | blocks::DType::Q8_0);
        let (dtype, bytes) = if is_blocks {
            (stored, self.tensors.rows(name, 0..rows)?)
        } else {
            let mut bytes = Vec::new();
            self.each_chunk(name, (rows, columns), stored, &mut |chunk| {
                bytes.extend(blocks::quantize_q4_0(&chunk));
            })?;
            (blocks::DType::Q4_0, bytes)
        };
        let count = bytes.len();
        Ok(FrozenPart::Blocks { bytes: Tensor::from_vec(bytes, count, self.device)?, dtype, rows })
    }

    fn block(&self, layer: usize) -> Result<FrozenBlock, TrainError> {
        let c = self.tensors.config();
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let bias = |part: &str, len| self.vector(&format!("blk.{layer}.{part}.bias"), len);
        let (q_rows, kv_rows) =
            (c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim);
        let fused = self.tensors.describe(&name("attn_qkv")).is_some();
        let qkv_names = match fused {
            true => vec![(name("attn_qkv"), q_rows + 2 * kv_rows)],
            false => {
                vec![(name("attn_q"), q_rows), (name("attn_k"), kv_rows), (name("attn_v"), kv_rows)]
            }
        };
        let up_names = match c.mlp {
            Mlp::SwiGlu => {
                vec![(name("ffn_gate"), c.intermediate_size), (name("ffn_up"), c.intermediate_size)]
            }
            Mlp::GeluTanh => vec![(name("ffn_up"), c.intermediate_size)],
        };
        let norm = |part: &str| self.norm(&format!("blk.{layer}.{part}"));
        Ok(FrozenBlock {
            attn_norm: norm("attn_norm")?,
            mlp_norm: if c.parallel_block { None } else { Some(norm("ffn_norm")?) },
            qkv: self.frozen(&qkv_names, c.hidden_size)?,
            qkv_bias: bias("attn_qkv", q_rows + 2 * kv_rows)?,
            o: self.frozen(&[(name("attn_output"), c.hidden_size)], q_rows)?,
            o_bias: bias("attn_output", c.hidden_size)?,
            up: self.frozen(&up_names, c.hidden_size)?,
            up_bias: bias("ffn_up", c.intermediate_size)?,
            down: self.frozen(&[(name("ffn_down"), c.hidden_size)], c.intermediate_size)?,
            down_bias: bias("ffn_down", c.hidden_size)?,
        })
    }
}

impl Base {
    /// Reads a model onto `device`; activations are bf16 on a GPU and f32 on the CPU, unless `dtype` says otherwise.
    ///
    /// # Errors
    /// When a tensor is missing, damaged or of another shape, or the device has no room.
    pub fn load(
        tensors: &dyn Tensors,
        precision: BasePrecision,
        dtype: Option<DType>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let config = tensors.config().clone();
        let default = if device.is_cuda() { DType::BF16 } else { DType::F32 };
        let dtype = dtype.unwrap_or(default);
        let loader = Loader { tensors, precision, dtype, device };
        let (words, hidden) = (config.vocab_size, config.hidden_size);
        let matrix = |name: &str| loader.matrix(name, words, hidden);
        let embedding =
            matrix("token_embd.weight")?.ok_or_else(|| Loader::missing("token_embd.weight"))?;
        let output = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => matrix("output.weight")?.ok_or_else(|| Loader::missing("output.weight"))?,
        };
        let layers: Result<Vec<FrozenBlock>, TrainError> =
            (0..config.num_hidden_layers).map(|layer| loader.block(layer)).collect();
        Ok(Self {
            layers: layers?,
            output_norm: loader.norm("output_norm")?,
            output_bias: loader.vector("output.bias", words)?,
            embedding,
            output,
            dtype,
            device: device.clone(),
            config,
        })
    }

    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }
}
