//! Decoder inference on any WebGPU device, made for many short answers about one text.
//!
//! Token ids in, token ids out. A [`Job`]'s prefix is computed once and its keys and values stay in the
//! cache as long as there is room; all suffixes are computed as one ragged batch; all rows are decoded together, and rows that
//! have ended leave. The same shaders run natively and in the browser.

mod constraint;
mod decoder;
mod engine;
mod error;
mod gpu;
pub mod kernel;
mod load;
pub mod matrix;
pub mod measure;
mod plan;
mod prefix_store;
mod rows;
mod source;
mod speculation;
pub mod tuning;

pub use constraint::{Constraint, TokenSet};
pub use engine::{Engine, Event, Finish, GeneratedToken, Job, JobStats, RowRequest};
pub use error::EngineError;
pub use gpu::{Gpu, GpuInfo, GpuOptions, GpuUsage, Tier};
pub use load::LoadProgress;
pub use plan::{EngineOptions, MemoryPlan};
pub use source::ProductInfo;
pub use speculation::Speculation;

#[cfg(test)]
mod tests;
