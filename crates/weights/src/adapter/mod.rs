//! LoRA adapters in the form of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! A matrix W (out, in) of the base becomes W + scale · B · A, with A (r, in) and B (out, r)
//! (<https://arxiv.org/abs/2106.09685>). Adapters are held in the order of rows that GGUF has.

mod config;
mod file;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod linear;
mod mean;
mod merge;

pub use config::AdapterConfig;
pub use linear::{Linear, Place};

use crate::safetensors::SafeTensorsError;
use std::collections::BTreeMap;

/// Name of the file with the settings.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Name of the file with the weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// A LoRA adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Rank, scale, and what is adapted.
    pub config: AdapterConfig,
    /// Version of the prompt format that it was trained with; [`UNSAID`](crate::task_version::UNSAID) where its file names none, as PEFT's.
    pub task_version: u32,
    /// The matrices by layer, from 0: every target in every layer.
    pub modules: BTreeMap<(usize, Linear), Lora>,
}

/// What is added to one matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// (r, in), row-major.
    pub a: Vec<f32>,
    /// (out, r), row-major, rows in GGUF's order.
    pub b: Vec<f32>,
}

/// Why an adapter was refused, or could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The settings are no JSON of the expected form.
    #[error("{CONFIG_FILE}: {0}")]
    Json(#[from] serde_json::Error),
    /// A setting makes no sense.
    #[error("{CONFIG_FILE}: {setting} is {found}, expected {expected}")]
    Invalid {
        /// The setting.
        setting: String,
        /// Its value.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The adapter is more than plain LoRA.
    #[error(
        "{CONFIG_FILE}: {setting} = {value} is not supported; train plain LoRA on linear modules, without it"
    )]
    Unsupported {
        /// The setting.
        setting: String,
        /// Its value.
        value: String,
    },
    /// The adapter was made for another model.
    #[error(
        "the adapter was made for {adapter}, and the base is {base}; use the base that it was made for, or, if they \
         are the same weights, put the base's name into base_model_name_or_path of {CONFIG_FILE}"
    )]
    OtherBase {
        /// What the adapter names as its base.
        adapter: String,
        /// The base at hand.
        base: String,
    },
    /// A matrix does not fit the model.
    #[error(
        "tensor {tensor}: shape {found:?}, and the base {base} needs {expected:?}; the adapter was made for {adapter}"
    )]
    Shape {
        /// The tensor of the adapter.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the base needs.
        expected: Vec<usize>,
        /// The base at hand.
        base: String,
        /// What the adapter names as its base.
        adapter: String,
    },
    /// Adapters that were to be averaged are not of one kind.
    #[error(
        "adapters cannot be averaged: {setting} is {first} in the first and {other} in another; take adapters that were \
         trained on from the same one"
    )]
    Different {
        /// The setting.
        setting: &'static str,
        /// Its value in the first adapter.
        first: String,
        /// Its value in another.
        other: String,
    },
    /// The file has a tensor that belongs to no target.
    #[error("{file}, tensor {tensor}: {problem}")]
    UnexpectedTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Why it is not expected, and what to do.
        problem: String,
    },
    /// The weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] SafeTensorsError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::config::{Family, Mlp, ModelConfig, Norm, RopeStyle};

    /// 2 layers, hidden 6, 2 heads of 4 over 1 key-value head, feed-forward 10.
    pub(crate) fn llama() -> ModelConfig {
        ModelConfig {
            family: Family::Llama,
            vocab_size: 12,
            hidden_size: 6,
            intermediate_size: 10,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 4,
            max_position_embeddings: 32,
            norm: Norm::RmsNorm,
            norm_eps: 1e-5,
            parallel_block: false,
            rotary_dim: 4,
            rope_theta: 10_000.0,
            rope_style: RopeStyle::Interleaved,
            mlp: Mlp::SwiGlu,
            sliding_window: None,
            tie_word_embeddings: true,
        }
    }

    /// 2 layers, hidden 8, 2 heads of 4, feed-forward 10.
    pub(crate) fn phi() -> ModelConfig {
        ModelConfig {
            family: Family::Phi,
            hidden_size: 8,
            num_key_value_heads: 2,
            norm: Norm::LayerNorm,
            parallel_block: true,
            rope_style: RopeStyle::Halves,
            mlp: Mlp::GeluTanh,
            tie_word_embeddings: false,
            ..llama()
        }
    }
}
