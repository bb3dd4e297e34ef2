//! What is exported: a GGUF model or a HF folder.

use super::ExportError;
use crate::blocks;
use crate::config::ModelConfig;
use crate::gguf::Gguf;
use crate::hf::HfFolder;
use crate::metadata::Metadata;
use crate::source::FileSource;
use std::ops::Range;
use std::path::Path;

/// A base model as a source of f32 weights by GGUF's names and in its order, read on demand.
#[derive(Debug)]
pub enum Base {
    /// One GGUF file, or all shards of one.
    Gguf(Box<Gguf<FileSource>>, ModelConfig),
    /// A HF folder.
    Hf(Box<HfFolder>),
}

impl Base {
    /// Opens a GGUF model.
    ///
    /// # Errors
    /// When a file is damaged, or the model's family is not supported.
    pub fn open_gguf(files: Vec<FileSource>) -> Result<Self, ExportError> {
        let gguf = pollster::block_on(Gguf::open(files))?;
        let config = ModelConfig::from_gguf(&gguf)?;
        Ok(Self::Gguf(Box::new(gguf), config))
    }

    /// Opens a HF folder.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the model or its tokenizer is not supported.
    pub fn open_hf(folder: &Path) -> Result<Self, ExportError> {
        Ok(Self::Hf(Box::new(HfFolder::open(folder)?)))
    }

    /// The model's architecture.
    pub fn config(&self) -> &ModelConfig {
        match self {
            Self::Gguf(_, config) => config,
            Self::Hf(folder) => folder.config(),
        }
    }

    /// The metadata of a GGUF file of the model, with its tokenizer.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::Gguf(gguf, _) => gguf.metadata(),
            Self::Hf(folder) => folder.metadata(),
        }
    }

    /// Names and row-major shapes of the tensors, in the order of the file.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Gguf(gguf, _) => {
                gguf.tensors().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect()
            }
            Self::Hf(folder) => folder.tensors(),
        }
    }

    /// The numbers of some of a tensor's rows, (rows, columns) row-major. A vector is one row.
    ///
    /// # Errors
    /// When there is no such tensor or row, or reading fails.
    pub fn read_rows(&self, tensor: &str, rows: Range<usize>) -> Result<Vec<f32>, ExportError> {
        match self {
            Self::Gguf(gguf, _) => {
                let tensor = gguf.tensor(tensor)?;
                let bytes = pollster::block_on(gguf.read_rows(tensor, rows))?;
                Ok(blocks::dequantize(tensor.dtype, &bytes)?)
            }
            Self::Hf(folder) => Ok(folder.read_rows(tensor, rows)?),
        }
    }
}
