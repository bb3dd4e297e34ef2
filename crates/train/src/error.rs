use std::path::PathBuf;

use hangtag_task::TaskError;
use hangtag_weights::hf::HfError;
use hangtag_weights::safetensors::SafeTensorsError;
use hangtag_weights::{BlockError, ConfigError, GgufError};

/// Why training could not begin or go on. Checkpoints written before stay usable.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A tensor operation failed: out of memory, or a device that went away.
    #[error("computing: {0}")]
    Compute(#[from] candle_core::Error),
    /// The base model's file is damaged.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The base model's folder is damaged.
    #[error(transparent)]
    Hf(#[from] HfError),
    /// The base model is of no supported family.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The base model's blocks are damaged.
    #[error("tensor {tensor}: {source}")]
    Blocks {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        source: BlockError,
    },
    /// A tensor of the base model has another shape than its description implies.
    #[error(
        "tensor {tensor}: its shape is {found:?}, the model's description implies {expected:?}"
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// Row-major shape found.
        found: Vec<usize>,
        /// Row-major shape implied.
        expected: Vec<usize>,
    },
    /// A text or a feature cannot be asked.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A setting makes no sense.
    #[error("{setting}: {problem}")]
    Setting {
        /// Name of the setting, as in the configuration file.
        setting: &'static str,
        /// What is wrong, and what to give.
        problem: String,
    },
    /// The adapter to continue from cannot be used.
    #[error("{0}")]
    Adapter(String),
    /// There is nothing to train on.
    #[error("{file}: {problem}")]
    Data {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// No GPU to train on.
    #[error("{problem}")]
    NoCuda {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// One sequence is more than the device's memory, or the part of it that may be used, holds.
    #[error(
        "one sequence at a time takes {needed} of the GPU's memory (run.memory_gb: {limit}); give a smaller data.length or \
         lora.rank, or base.precision = \"4bit\""
    )]
    Memory {
        /// What it takes.
        needed: String,
        /// What may be used.
        limit: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no checkpoint, or it is damaged.
    #[error("{0}: start again without --resume")]
    NoCheckpoint(SafeTensorsError),
    /// A checkpoint cannot be resumed.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Loss or gradients were no numbers.
    #[error(
        "the loss is not a number since step {step}; the last good checkpoint is kept: resume from it with a lower learning rate"
    )]
    NotFinite {
        /// The step, from 1.
        step: u32,
    },
}

impl TrainError {
    pub(crate) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
