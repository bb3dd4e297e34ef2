//! `export-report.json`: what was stored, and how far it is from the merged weights.

use super::{ExportError, Format, GgufType};
use crate::hf::HfError;
use serde::Serialize;

/// An export's tensors with the errors that storing them made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The format, as the command calls it.
    pub format: &'static str,
    /// Size of all tensors in bytes.
    pub bytes: u64,
    /// Bits for each weight, over all tensors.
    pub bits_per_weight: f64,
    /// Each tensor, in the order in which they were written.
    pub tensors: Vec<TensorReport>,
}

/// One stored tensor against the merged f32 weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorReport {
    /// Name in the file.
    pub name: String,
    /// Row-major shape of the weights.
    pub shape: Vec<usize>,
    /// How it is stored.
    pub dtype: &'static str,
    /// Bits for each weight, scales included.
    pub bits_per_weight: f64,
    /// Root of the sum of squared errors over the sum of squared weights.
    pub relative_rms_error: f64,
    /// Largest error.
    pub max_abs_error: f32,
    /// Size in bytes.
    pub bytes: u64,
}

impl Report {
    pub(super) fn new(format: Format, tensors: Vec<TensorReport>) -> Self {
        let bytes = tensors.iter().map(|tensor| tensor.bytes).sum();
        let weights = |tensor: &TensorReport| tensor.shape.iter().product::<usize>() as f64;
        let total: f64 = tensors.iter().map(weights).sum();
        Self {
            format: format.name(),
            bytes,
            bits_per_weight: bytes as f64 * 8.0 / total.max(1.0),
            tensors,
        }
    }

    /// The report as indented JSON with a newline at the end.
    ///
    /// # Errors
    /// When an error is no number that JSON knows.
    pub fn to_json(&self) -> Result<String, ExportError> {
        Ok(serde_json::to_string_pretty(self).map_err(HfError::Json)? + "\n")
    }
}

impl Format {
    /// The format's name, as the command calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gguf(GgufType::Q4_0) => "q4_0",
            Self::Gguf(GgufType::Q8_0) => "q8_0",
            Self::Gguf(GgufType::F16) => "f16",
            Self::Gguf(GgufType::F32) => "f32",
            Self::SafeTensors => "safetensors",
            Self::Gptq => "gptq",
        }
    }
}
