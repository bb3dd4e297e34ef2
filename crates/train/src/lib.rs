//! Trains LoRA adapters for the base model, on a CUDA GPU or the CPU.
//!
//! ```text
//! products ─ augment ─ examples ─ pack ─┐
//! base (frozen, 4 bit) ── model ────────┴─ loss and gradients ─ AdamW ─ checkpoint ─ adapter (PEFT)
//!                           └── decode ─ validation F1
//! ```
//! Tensors are candle's; the backward pass is written out in [`model`](mod@model) and the operations that candle lacks
//! are in [`kernel`](mod@kernel).

mod augment;
mod base;
mod bench;
mod checkpoint;
mod config;
mod decode;
mod device;
mod error;
mod example;
#[cfg(test)]
mod gradient_tests;
mod kernel;
mod log;
mod lora;
mod memory;
mod model;
#[cfg(test)]
mod model_tests;
mod pack;
mod rng;
mod tensors;
mod trainer;
#[cfg(test)]
mod trainer_tests;

pub use base::{Base, BasePrecision};
pub use bench::{TrainBench, TrainBenchReport};
pub use candle_core::{DType, Device};
pub use config::{AdapterDtype, DOCUMENTED as DOCUMENTED_CONFIG, Schedule, TrainConfig};
pub use device::{DeviceKind, memory_in_use, open_device};
pub use error::TrainError;
pub use log::learning_curve;
pub use lora::Layout;
pub use model::Rounding;
pub use pack::{LayoutKind, LossPer};
pub use tensors::{GgufTensors, Tensors};
pub use trainer::{
    Ending, EvaluationReport, Run, SharedTokenizer, StepReport, TrainEvent, adapter_config, train,
};
