//! The models and results that `goldens/record.py` recorded from transformers.

use anyhow::{Context, Result};
use candle_core::{DType, Device};
use hangtag_weights::{FileSource, Gguf};
use std::path::{Path, PathBuf};

/// Names of the golden models, the file stems in `goldens/`.
pub const NAMES: [&str; 3] = ["phi", "llama", "mistral"];

/// Prompts that were recorded for each model.
pub const NUM_PROMPTS: usize = 3;

/// One prompt with what transformers made of it.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The text.
    pub text: String,
    /// The text's token ids.
    pub tokens: Vec<u32>,
    /// (tokens, vocab_size), row-major.
    pub logits: Vec<f32>,
    /// The tokens that follow when the likeliest is taken each time.
    pub greedy: Vec<u32>,
}

/// Path of `file` in `goldens/`.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(file)
}

/// Opens the golden model `name` as it is stored: matrices in F16.
///
/// # Errors
/// When the file is missing or damaged.
pub fn open(name: &str) -> Result<Gguf<FileSource>> {
    let source = FileSource::open(path(&format!("{name}.gguf")))?;
    Ok(pollster::block_on(Gguf::open(vec![source]))?)
}

/// Reads the prompts recorded with the golden model `name`.
///
/// # Errors
/// When the file is missing or lacks a tensor.
pub fn prompts(name: &str) -> Result<Vec<Prompt>> {
    let path = path(&format!("{name}.safetensors"));
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu)
        .with_context(|| format!("reading {}", path.display()))?;
    let get = |kind: &str, index: usize| {
        let key = format!("{kind}.{index}");
        let tensor = tensors.get(&key);
        tensor.with_context(|| format!("{} has no {key}", path.display()))
    };
    let ids = |kind: &str, index: usize| -> Result<Vec<u32>> {
        Ok(get(kind, index)?.to_dtype(DType::U32)?.to_vec1()?)
    };
    (0..NUM_PROMPTS)
        .map(|i| {
            Ok(Prompt {
                text: String::from_utf8(get("text", i)?.to_vec1()?)?,
                tokens: ids("tokens", i)?,
                logits: get("logits", i)?.flatten_all()?.to_vec1()?,
                greedy: ids("greedy", i)?,
            })
        })
        .collect()
}
