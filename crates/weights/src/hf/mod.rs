//! Folders in the form of Hugging Face transformers: `config.json`, safetensors, `tokenizer.json`.

mod config;
mod first_phi;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod metadata;
mod names;

pub use config::{SpecialTokens, from_json as config_from_json, to_json as config_to_json};
#[cfg(not(target_arch = "wasm32"))]
pub use folder::{
    HfFolder, INDEX_FILE, SINGLE_FILE, TOKENIZER_FILES, check_description, weight_files,
};
pub use metadata::metadata_of;
pub use names::{HfPart, parts};

use crate::config::ConfigError;
use crate::metadata::MetadataError;
use crate::safetensors::SafeTensorsError;

/// Name of the file that describes the architecture.
pub const CONFIG_FILE: &str = "config.json";

/// Why a HF folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HfError {
    /// A file is no JSON of the expected form.
    #[error("config or tokenizer: {0}")]
    Json(#[from] serde_json::Error),
    /// The model is of another family.
    #[error(
        "{CONFIG_FILE}: model_type \"{model_type}\" is not supported; use a llama, mistral or phi model"
    )]
    UnsupportedModel {
        /// `model_type` of the file.
        model_type: String,
    },
    /// The model or tokenizer uses what Hangtag does not support.
    #[error("{setting} = {value} is not supported")]
    Unsupported {
        /// The setting.
        setting: String,
        /// Its value.
        value: String,
    },
    /// A setting that may change what the model computes, and that Hangtag does not know.
    #[error(
        "{CONFIG_FILE}: {setting} = {value} is not known to Hangtag, so the model may not be computed as it should; if \
         it changes nothing, delete the line"
    )]
    UnknownSetting {
        /// The setting.
        setting: String,
        /// Its value, shortened.
        value: String,
    },
    /// A setting is missing or makes no sense.
    #[error("{CONFIG_FILE}: {setting} is {found}, expected {expected}")]
    Invalid {
        /// The setting.
        setting: String,
        /// Its value.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The model cannot be said in HF's form.
    #[error("the model has {feature}, which transformers has no setting for; export it as GGUF")]
    NotInHf {
        /// The feature.
        feature: String,
    },
    /// The values of `config.json` contradict each other.
    #[error("{CONFIG_FILE}: {0}")]
    Config(#[from] ConfigError),
    /// The tokenizer's metadata is missing or of the wrong type.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The tokenizer is not supported, or damaged.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// The weights could not be read.
    #[error(transparent)]
    Weights(#[from] SafeTensorsError),
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}
