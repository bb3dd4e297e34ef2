use hangtag_engine::EngineError;
use hangtag_task::{TaskError, TaskVersion};
use hangtag_weights::{ConfidenceError, ConfigError, MetadataError, TokenizerError};

use crate::Extraction;

/// Why a model could not be loaded or a text not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The text or the features cannot be asked about.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The model's metadata describe no decoder of a supported family.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The model's metadata hold no usable tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The model's metadata hold a map of confidence that is none.
    #[error(transparent)]
    Confidence(#[from] ConfidenceError),
    /// The engine could not take the model.
    #[error(transparent)]
    Load(EngineError),
    /// Tokens that the model has no embedding for.
    #[error(
        "the tokenizer has {tokenizer} tokens and the model only {model} embeddings: \
         this file mixes two models; export it again"
    )]
    Vocabulary {
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding.
        model: usize,
    },
    /// The model was trained on a form of the prompt that is not known here.
    #[error(
        "the model answers version {found} of the questions, and this program asks versions 1 to {}: get a newer one",
        TaskVersion::LATEST
    )]
    TaskVersion {
        /// The model's version.
        found: u32,
    },
    /// The model's metadata name its version of the prompt, but not as a number.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Not even a short window of the text fits beside the longest feature.
    #[error(
        "a context of {context_tokens} tokens is too small for these features: at least {needed_tokens} are needed; \
         raise the context or shorten the features' names"
    )]
    ContextTooSmall {
        /// Tokens there are.
        context_tokens: usize,
        /// Tokens that the longest feature needs beside the shortest window.
        needed_tokens: usize,
    },
    /// The caller stopped the extraction.
    #[error("stopped with {} answers", finished.features.len())]
    Cancelled {
        /// Features answered before; of a text in several windows, from the windows read so far.
        finished: Box<Extraction>,
    },
    /// The engine failed on the way.
    #[error("{source} (after {} answers)", finished.features.len())]
    Engine {
        /// What failed.
        source: EngineError,
        /// Features answered before; of a text in several windows, from the windows read so far.
        finished: Box<Extraction>,
    },
    /// The engine ended a job without an answer for this feature: a defect of the engine.
    #[error("the engine gave no answer for feature {feature:?}; please report this")]
    NoAnswer {
        /// The feature's name.
        feature: String,
        /// The features answered.
        finished: Box<Extraction>,
    },
}

impl ExtractError {
    /// Whether less GPU memory would do: a smaller batch or context may help.
    pub fn is_memory(&self) -> bool {
        match self {
            Self::Load(source) | Self::Engine { source, .. } => source.is_memory(),
            _ => false,
        }
    }

    /// What was answered before the error, if anything was asked at all.
    pub fn finished(&self) -> Option<&Extraction> {
        match self {
            Self::Cancelled { finished }
            | Self::Engine { finished, .. }
            | Self::NoAnswer { finished, .. } => Some(finished),
            _ => None,
        }
    }
}
