//! The worker: keeps the model's files, holds the engine, serves the page's questions one after the other.
//!
//! Stop and Pause are heard at once: they set flags that running work checks whenever it reports progress.
//!
//! There are two workers, one for the GPU and one for the processor of a browser without. They differ in their [`Backend`] alone, and
//! each has the code of its own, so that nobody fetches the other's.
//!
//! [`Backend`]: backend::Backend

mod backend;
mod blob_reader;
mod bytes;
mod download;
mod failure;
mod files;
mod folder;
mod kept_text;
mod line;
mod measure;
mod meter;
mod on_gpu;
mod on_processor;
mod open;
mod own;
mod seat;
mod session;
mod shelf;
mod source;

/// Starts the worker that answers on the GPU; returns at once.
pub fn start_on_gpu() {
    session::start(on_gpu::OnGpu::default());
}

/// Starts the worker that answers on the processor; returns at once.
pub fn start_on_processor() {
    session::start(on_processor::OnProcessor::default());
}
