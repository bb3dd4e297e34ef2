//! What can go wrong between a model file and an answer.

use hangtag_weights::GgufError;

use crate::plan::MemoryPlan;

/// An error of the engine. Texts name the thing and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No GPU adapter was offered.
    #[error(
        "no GPU was found: {0}. In a browser, turn WebGPU on; natively, install a Vulkan, Metal or \
         DirectX 12 driver (on Debian without a GPU: mesa-vulkan-drivers)"
    )]
    NoGpu(String),
    /// The device refused an operation.
    #[error("the GPU reported an error: {0}")]
    Device(String),
    /// The device went away: driver reset, unplugged, or the browser took it back.
    #[error("the GPU was lost ({0}): load the model again")]
    DeviceLost(String),
    /// The GPU has no room for what was planned.
    #[error(
        "the GPU ran out of memory: {plan} are needed. Close other programs that use the GPU, \
         or take a smaller context or model"
    )]
    OutOfMemory {
        /// What was to be allocated.
        plan: MemoryPlan,
    },
    /// The GPU has no room for what a step needs for itself.
    #[error(
        "the GPU ran out of memory at work. Close other programs that use the GPU, or take a smaller context or model"
    )]
    RanOutOfMemory,
    /// The plan is over the limit that the caller set.
    #[error(
        "the model does not fit: {plan} are needed, {limit_bytes} bytes are allowed. \
         Take a smaller context or model, or raise the limit"
    )]
    OverMemoryLimit {
        /// What would be allocated.
        plan: MemoryPlan,
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// One buffer would be larger than this GPU can bind.
    #[error(
        "{what} needs a buffer of {needed_bytes} bytes, and this GPU binds {limit_bytes} at most: \
         take a smaller context"
    )]
    BufferTooLarge {
        /// The buffer's use.
        what: &'static str,
        /// Its size.
        needed_bytes: u64,
        /// The adapter's limit.
        limit_bytes: u64,
    },
    /// The options contradict each other or the model.
    #[error("{0}")]
    Options(String),
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor {name} is {found:?}, and the model's configuration asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The configuration's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// A size that the kernels do not do.
    #[error("{what} is {found}, and must be {rule}")]
    Unsupported {
        /// The size's name in the configuration.
        what: &'static str,
        /// Its value.
        found: usize,
        /// What would do.
        rule: &'static str,
    },
    /// Reading the model failed.
    #[error(transparent)]
    Weights(#[from] GgufError),
    /// A job is malformed.
    #[error("{0}")]
    Job(String),
    /// A row needs more context than there is.
    #[error(
        "row {row} needs {needed} tokens of context (its text and its answer), and {available} are \
         left: shorten the text or enlarge the context"
    )]
    Context {
        /// Index of the row in the job.
        row: usize,
        /// Prefix, suffix and answer together, in tokens.
        needed: usize,
        /// Tokens of context.
        available: usize,
    },
    /// The model computed values that are no numbers.
    #[error("the model's output is not a number (row {row}): the weights are damaged or overflow")]
    NotFinite {
        /// Index of the row in the job.
        row: usize,
    },
    /// Another decoder, in the engine's place, failed.
    #[error("{0}")]
    Decoder(String),
    /// The caller stopped the job.
    #[error("stopped")]
    Cancelled,
}

impl EngineError {
    /// Whether less memory would do: a smaller batch or context may help.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(
            self,
            Self::OutOfMemory { .. }
                | Self::RanOutOfMemory
                | Self::OverMemoryLimit { .. }
                | Self::BufferTooLarge { .. }
        )
    }
}
