//! Tokenizers, as the metadata of a GGUF file describes them: in the form of Hugging Face, and, with the feature
//! `tokenizer`, at work.

mod byte_level;
#[cfg(feature = "tokenizer")]
mod encode;
mod from_hf;
mod sentence_piece;
mod to_hf;
mod vocabulary;

#[cfg(feature = "tokenizer")]
pub use encode::{Position, Tokenizer};
pub use from_hf::metadata_from_hf;
pub use to_hf::HfTokenizer;

use crate::metadata::MetadataError;

/// Why a tokenizer could not be built, or a text not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A metadata value is missing or of the wrong type.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The model's tokenizer is of another kind.
    #[error(
        "tokenizer \"{model}\" (tokenizer.ggml.model) is not supported; use a model with a \"gpt2\" or \"llama\" one"
    )]
    UnsupportedModel {
        /// `tokenizer.ggml.model` of the file.
        model: String,
    },
    /// The rule that splits text into words is not known.
    #[error(
        "pre-tokenizer \"{pre}\" (tokenizer.ggml.pre) is not supported; supported are {}",
        byte_level::PRE_TOKENIZERS.join(", ")
    )]
    UnsupportedPreTokenizer {
        /// `tokenizer.ggml.pre` of the file.
        pre: String,
    },
    /// The vocabulary contradicts itself.
    #[error("the model's vocabulary is damaged: {problem}")]
    BadVocabulary {
        /// Which token or merge, and what is wrong with it.
        problem: String,
    },
    /// The `tokenizers` crate refused.
    #[error("tokenizing: {message}")]
    Encode {
        /// What it said.
        message: String,
    },
}

impl TokenizerError {
    fn bad(problem: impl Into<String>) -> Self {
        Self::BadVocabulary { problem: problem.into() }
    }

    fn encode(error: impl std::fmt::Display) -> Self {
        Self::Encode { message: error.to_string() }
    }
}
