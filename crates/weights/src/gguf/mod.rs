//! GGUF, the file format of llama.cpp, versions 2 and 3, little-endian.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Sharding as llama.cpp's
//! `gguf-split` does it: `split.no`, `split.count` and `split.tensors.count` in each file's metadata,
//! everything else in the first.

mod cursor;
mod reader;
mod shards;
mod writer;

pub use reader::{Gguf, read_metadata};
pub use shards::{shard_file_name, shard_file_names};
pub use writer::GgufWriter;

use crate::blocks::DType;
use crate::metadata::MetadataError;
use crate::source::SourceError;

const MAGIC: [u8; 4] = *b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_DIMENSIONS: usize = 4;

/// Name, type, shape and place of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, as `blk.0.attn_q.weight`.
    pub name: String,
    /// How the elements are stored.
    pub dtype: DType,
    /// Row-major shape, `[rows, columns]` for a matrix: GGUF's `ne` reversed.
    pub shape: Vec<usize>,
    /// Number of the shard that holds the tensor, from 0.
    pub shard: usize,
    /// First byte of the tensor in its shard.
    pub offset: u64,
}

impl TensorInfo {
    /// Describes a tensor whose shape was checked to be stored as `dtype`.
    ///
    /// # Errors
    /// [`GgufError::BadTensor`] when a dimension is zero, there are none or more than four, the columns are
    /// not whole blocks, or the size in bytes overflows.
    pub fn new(
        name: impl Into<String>,
        dtype: DType,
        shape: impl Into<Vec<usize>>,
    ) -> Result<Self, GgufError> {
        let (name, shape) = (name.into(), shape.into());
        let bad = |problem: String| GgufError::BadTensor { tensor: name.clone(), problem };
        if shape.is_empty() || shape.len() > MAX_DIMENSIONS {
            return Err(bad(format!("it has {} dimensions", shape.len())));
        }
        if shape.contains(&0) {
            return Err(bad(format!("shape {shape:?} has a zero")));
        }
        let columns = shape[shape.len() - 1];
        if !columns.is_multiple_of(dtype.block_size()) {
            return Err(bad(format!(
                "{columns} columns are not whole blocks of {} as {dtype} needs",
                dtype.block_size()
            )));
        }
        // A quarter of the address space, so that f32 copies of the elements can be counted as well.
        shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
            .filter(|&elements| elements <= isize::MAX as usize / 4)
            .ok_or_else(|| bad(format!("shape {shape:?} is too large for this machine")))?;
        Ok(Self { name, dtype, shape, shard: 0, offset: 0 })
    }

    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Size in the file in bytes.
    pub fn num_bytes(&self) -> usize {
        self.rows() * self.row_bytes()
    }

    /// Number of rows: the product of all dimensions but the last; 1 for a vector.
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    /// Number of elements of a row: the last dimension.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Size of one row in bytes.
    pub fn row_bytes(&self) -> usize {
        self.columns() / self.dtype.block_size() * self.dtype.block_bytes()
    }
}

/// Why a GGUF file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is something else, or of a version that is not supported.
    #[error("{file}: {problem}")]
    NotGguf {
        /// The file.
        file: String,
        /// What it is instead, and what to do.
        problem: String,
    },
    /// The header contradicts itself or the file's size.
    #[error("{file}: damaged GGUF header: {problem}")]
    BadHeader {
        /// The file.
        file: String,
        /// What is wrong with which key or tensor.
        problem: String,
    },
    /// A metadata value that reading needs is missing or of another type.
    #[error("{file}: {source}")]
    Metadata {
        /// The file.
        file: String,
        /// What is wrong with which key.
        source: MetadataError,
    },
    /// A tensor's type is one that Hangtag does not read.
    #[error(
        "tensor {tensor} is stored as {type_name}, which is not supported; use a file in Q4_0, Q4_1, Q8_0, F16, \
         BF16, F32, Q4_K, Q5_K or Q6_K"
    )]
    UnsupportedType {
        /// The tensor.
        tensor: String,
        /// ggml's name of the type.
        type_name: String,
    },
    /// A tensor's shape or place makes no sense.
    #[error("tensor {tensor}: {problem}")]
    BadTensor {
        /// The tensor.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// The file has no tensor of that name.
    #[error("the model has no tensor {tensor}")]
    NoTensor {
        /// The tensor.
        tensor: String,
    },
    /// The files given are not all the shards of one model.
    #[error("shards: {problem}")]
    Shards {
        /// What is missing, doubled or contradictory.
        problem: String,
    },
    /// Writing failed.
    #[error("writing GGUF: {0}")]
    Write(#[from] std::io::Error),
}
