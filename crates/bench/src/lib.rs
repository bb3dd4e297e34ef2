//! What a GPU can do, what the engine makes of it, and what each idea gains: the same figures natively, in a browser and in Node.js.

mod error;
mod kernels;
mod progress;
mod recited;
mod report;
mod run;
mod subject;

pub use error::BenchError;
pub use progress::Progress;
pub use report::{
    Catalogue, Decode, Features, KernelReport, LimitsReport, Prefill, Report, Rung, ShortReport,
};
pub use run::{Bench, Settings};
pub use subject::{Subject, TEXT, features};
