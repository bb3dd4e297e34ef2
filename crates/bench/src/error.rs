use hangtag_engine::EngineError;
use hangtag_task::TaskError;
use hangtag_weights::TokenizerError;

/// Why a measurement has no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The features cannot be asked for.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The text cannot be made tokens of.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The engine or the GPU failed.
    #[error(transparent)]
    Engine(EngineError),
    /// The observer stopped it.
    #[error("the measurement was stopped")]
    Stopped,
}

impl From<EngineError> for BenchError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Cancelled => Self::Stopped,
            error => Self::Engine(error),
        }
    }
}
