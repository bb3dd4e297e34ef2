//! Models on disk, without a GPU: GGUF and safetensors, LoRA adapters, quantised blocks, model configurations,
//! tokenizers, package manifests, and the models that Hangtag knows by name.
//!
//! Everything but [`fetch`], [`trained`], [`export`], [`atomic`] and what works on paths also compiles to wasm32. All reading goes through
//! [`ByteSource`], so a local file, an HTTP range and a browser file are the same to the rest.
//! Files are not trusted: a hostile or cut file gives a typed error.

pub mod adapter;
#[cfg(not(target_arch = "wasm32"))]
pub mod atomic;
pub mod blocks;
pub mod confidence;
pub mod config;
mod counted;
#[cfg(not(target_arch = "wasm32"))]
pub mod export;
#[cfg(not(target_arch = "wasm32"))]
pub mod fetch;
pub mod gguf;
pub mod hash;
pub mod hf;
pub mod manifest;
pub mod metadata;
pub mod random;
pub mod registry;
pub mod row_order;
pub mod safetensors;
pub mod source;
pub mod task_version;
pub mod tokenizer;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

pub use adapter::{Adapter, AdapterConfig, AdapterError, Linear, Lora};
pub use blocks::{BlockError, DType};
pub use confidence::{BetaMap, ConfidenceError, ConfidenceMap};
pub use config::{ConfigError, Family, Mlp, ModelConfig, Norm, RopeStyle};
pub use gguf::{Gguf, GgufError, GgufWriter, TensorInfo};
pub use manifest::{Manifest, ManifestError, ManifestFile};
pub use metadata::{Array, Metadata, MetadataError, Value};
#[cfg(not(target_arch = "wasm32"))]
pub use source::FileSource;
pub use source::{ByteSource, MemorySource, SourceError};
pub use tokenizer::TokenizerError;
#[cfg(feature = "tokenizer")]
pub use tokenizer::{Position, Tokenizer};
