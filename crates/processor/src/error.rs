use hangtag_weights::Family;

/// Why a model cannot be run on the processor.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// candle derives the size of a head.
    #[error("on the processor head_dim must be hidden_size / num_attention_heads, and is {0}")]
    HeadDim(usize),
    /// candle has the rotary base of this family built in.
    #[error("on the processor rope_theta of {family:?} must be {expected}, and is {found}")]
    RopeTheta {
        /// The family.
        family: Family,
        /// What candle computes with.
        expected: f32,
        /// What the model was trained with.
        found: f32,
    },
    /// candle reads one file.
    #[error(
        "on the processor a model must be one file, and this one is split into {0}: export it without --shard-size"
    )]
    Split(usize),
    /// candle could not read the weights.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
