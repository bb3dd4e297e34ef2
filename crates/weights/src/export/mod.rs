//! Exporting a base, with or without an adapter merged in, for other programs: GGUF, HF safetensors, GPTQ.
//!
//! Weights are merged in f32 and written a few rows at a time, so that memory does not grow with the model. The folder
//! is written under another name and renamed when it is whole.

mod base;
mod encode;
mod gguf;
mod gptq;
mod hf;
mod merged;
mod report;

pub use base::Base;
pub use report::{Report, TensorReport};

use crate::adapter::{Adapter, AdapterError};
use crate::blocks::{BlockError, DType};
use crate::confidence::{ConfidenceError, ConfidenceMap};
use crate::config::ConfigError;
use crate::gguf::GgufError;
use crate::hf::HfError;
use crate::manifest::ManifestError;
use crate::safetensors::SafeTensorsError;
use crate::source::SourceError;
use crate::tokenizer::TokenizerError;
use merged::Merged;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file with the report.
pub const REPORT_FILE: &str = "export-report.json";
/// Name of the model card in a package.
pub const CARD_FILE: &str = "README.md";

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// GGUF with all matrices as this type, but embedding and output, which are Q8_0 beside Q4_0. Vectors are F32.
    Gguf(GgufType),
    /// A HF folder: matrices F16, vectors F32.
    SafeTensors,
    /// A HF folder with GPTQ's 4-bit form of the very numbers that a Q4_0 file holds; embedding and output F16.
    Gptq,
}

/// How the matrices of a GGUF file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types)] // ggml's names
pub enum GgufType {
    /// 4 bits, with the scales of least squared error.
    Q4_0,
    /// 8 bits.
    Q8_0,
    /// 16-bit floats.
    F16,
    /// 32-bit floats.
    F32,
}

/// What an export is called and how it is split.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is written.
    pub format: Format,
    /// Largest size of a file's tensors in bytes; a larger tensor gets a file of its own. `None` for one file.
    pub shard_bytes: Option<u64>,
    /// Name of the model, also of its GGUF file.
    pub name: String,
    /// Name of the base, for the manifest.
    pub base: String,
    /// Name of the adapter merged in, for the manifest.
    pub adapter: Option<String>,
    /// What the adapter was trained on, in a few words, for the manifest.
    pub trained_on: Option<String>,
    /// Text of the model card, in Markdown; packages get it as [`CARD_FILE`].
    pub card: Option<String>,
    /// How sure the model may be of its answers, for the metadata of GGUF files.
    pub confidence: Option<ConfidenceMap>,
    /// SPDX expression of the weights' licence, for the manifest.
    pub licence: String,
    /// Version of the prompt format that the model was trained with, for the manifest and the files' metadata.
    pub task_version: u32,
}

/// How far an export is, in numbers of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Weights written.
    pub done: u64,
    /// Weights in all.
    pub total: u64,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the errors of the parts
pub enum ExportError {
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error(transparent)]
    Hf(#[from] HfError),
    #[error(transparent)]
    SafeTensors(#[from] SafeTensorsError),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Blocks(#[from] BlockError),
    #[error(transparent)]
    Confidence(#[from] ConfidenceError),
    /// A tensor cannot be stored this way.
    #[error("tensor {tensor}: {problem}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The folder to write has something in it.
    #[error("{}: the folder is not empty; name another, or empty it", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ExportError {
    /// Names the file that was being written when writing itself failed.
    fn at(self, path: &Path) -> Self {
        match self {
            Self::Gguf(GgufError::Write(source))
            | Self::SafeTensors(SafeTensorsError::Write(source)) => io_error(path, source),
            other => other,
        }
    }
}

/// Writes `base`, with `adapter` merged in, into the new folder `out`: the weights, what goes with them in this
/// format, and `export-report.json`, which is also returned.
///
/// # Errors
/// When `out` has something in it, a tensor cannot be read or stored this way or holds numbers that are not finite,
/// or a file cannot be written. Nothing is left at `out` then.
pub fn export(
    base: &Base,
    adapter: Option<&Adapter>,
    out: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ExportError> {
    let not_empty = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if not_empty || out.is_file() {
        return Err(ExportError::NotEmpty { folder: out.to_owned() });
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = out.with_file_name(name);
    // What an export that was killed has left.
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|error| io_error(&part, error))?;
    }
    fs::create_dir_all(&part).map_err(|error| io_error(&part, error))?;
    let written = write(base, adapter, &part, options, progress);
    let renamed = written.and_then(|report| {
        if out.exists() {
            fs::remove_dir(out).map_err(|error| io_error(out, error))?;
        }
        fs::rename(&part, out).map_err(|error| io_error(out, error))?;
        Ok(report)
    });
    if renamed.is_err() {
        // The first error is the one to tell.
        fs::remove_dir_all(&part).ok();
    }
    renamed
}

fn write(
    base: &Base,
    adapter: Option<&Adapter>,
    folder: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ExportError> {
    let mut merged = Merged::new(base, adapter, progress);
    let tensors = match options.format {
        Format::Gguf(gguf_type) => gguf::write(&mut merged, gguf_type, folder, options)?,
        Format::SafeTensors => hf::write(&mut merged, hf::Layout::Plain, folder, options)?,
        Format::Gptq => hf::write(&mut merged, hf::Layout::Gptq, folder, options)?,
    };
    let report = Report::new(options.format, tensors);
    write_file(&folder.join(REPORT_FILE), report.to_json()?.as_bytes())?;
    Ok(report)
}

impl GgufType {
    fn dtype(self) -> DType {
        match self {
            Self::Q4_0 => DType::Q4_0,
            Self::Q8_0 => DType::Q8_0,
            Self::F16 => DType::F16,
            Self::F32 => DType::F32,
        }
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    crate::atomic::write(path, bytes).map_err(|error| io_error(path, error))
}

fn io_error(path: &Path, source: io::Error) -> ExportError {
    ExportError::Io { path: path.to_owned(), source }
}
