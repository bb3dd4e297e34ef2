//! Safetensors, the file format of Hugging Face weights: a JSON header with the place of each tensor, then the bytes.
//!
//! Format: <https://github.com/huggingface/safetensors#format>. The header is read alone, so that tensors can be read
//! and written one at a time whatever the size of the file. The format's own library is not used: it wants the whole file in
//! memory or mapped, which a browser's file never is, and its errors name neither file nor, often, tensor.

mod reader;
mod writer;

pub use reader::{SafeTensors, Tensor};
pub use writer::SafeTensorsWriter;

use crate::blocks::DType;
use crate::source::SourceError;

/// The member of the header that is no tensor.
const METADATA: &str = "__metadata__";

/// How the elements of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    BF16,
    /// 32-bit signed integers: packed numbers of GPTQ.
    I32,
}

impl Element {
    const ALL: [Self; 4] = [Self::F32, Self::F16, Self::BF16, Self::I32];

    /// The format's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::I32 => "I32",
        }
    }

    /// Size of one element in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The same type as weights are stored with elsewhere; `None` for integers.
    pub const fn dtype(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::BF16 => Some(DType::BF16),
            Self::I32 => None,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|element| element.name() == name)
    }
}

/// Why a safetensors file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SafeTensorsError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is something else, or damaged.
    #[error("{file}: no safetensors file, or damaged: {problem}")]
    BadHeader {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The file has no tensor of that name.
    #[error("{file} has no tensor {tensor}")]
    NoTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor's type, shape or place makes no sense.
    #[error("{file}, tensor {tensor}: {problem}")]
    BadTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// Writing failed.
    #[error("writing safetensors: {0}")]
    Write(#[from] std::io::Error),
}
