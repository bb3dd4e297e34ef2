//! Models on the processor, by candle's own decoders: for computers and browsers without a usable GPU, and as a check of the engine,
//! with which it has no arithmetic in common.
//!
//! A text is read once; its features are answered one after the other.

mod decoder;
mod error;
mod memory;

pub use decoder::{Pause, ProcessorDecoder};
pub use error::ProcessorError;
pub use memory::fit;
