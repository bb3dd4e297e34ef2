//! A HF folder on disk as a source of tensors by GGUF's names.

use super::{CONFIG_FILE, HfError, HfPart, config_from_json, metadata_of, parts};
use crate::adapter::Linear;
use crate::config::{Family, ModelConfig};
use crate::metadata::Metadata;
use crate::row_order;
use crate::safetensors::{SafeTensors, SafeTensorsError};
use crate::source::FileSource;
use crate::tokenizer::metadata_from_hf;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

const INDEX_FILE: &str = "model.safetensors.index.json";
const SINGLE_FILE: &str = "model.safetensors";

/// A model in a HF folder, read on demand.
#[derive(Debug)]
pub struct HfFolder {
    name: String,
    config: ModelConfig,
    metadata: Metadata,
    files: Vec<SafeTensors<FileSource>>,
    /// The file that holds each HF tensor.
    places: BTreeMap<String, usize>,
}

impl HfFolder {
    /// Reads `config.json`, the tokenizer, and the headers of the weights in `folder`.
    ///
    /// # Errors
    /// When a file is missing or damaged, the model or its tokenizer is not supported, or a tensor is missing.
    pub fn open(folder: &Path) -> Result<Self, HfError> {
        let config = config_from_json(&read(&folder.join(CONFIG_FILE))?)?;
        let name = folder.file_name().map_or("model".into(), |name| name.to_string_lossy());
        let mut metadata = metadata_of(&config, &name);
        let tokenizer = read(&folder.join("tokenizer.json"))?;
        let tokenizer_config = read(&folder.join("tokenizer_config.json"))?;
        metadata_from_hf(&mut metadata, &tokenizer, &tokenizer_config, config.vocab_size)?;
        let mut files = Vec::new();
        let mut places = BTreeMap::new();
        for file in weight_files(folder)? {
            let source = FileSource::open(folder.join(file)).map_err(SafeTensorsError::from)?;
            let file = pollster::block_on(SafeTensors::open(source))?;
            places.extend(file.tensors().map(|(name, _)| (name.to_owned(), files.len())));
            files.push(file);
        }
        let folder = Self { name: folder.display().to_string(), config, metadata, files, places };
        folder.check()?;
        Ok(folder)
    }

    /// The model's architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The metadata that a GGUF file of this model has, with its tokenizer.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Names and row-major shapes of the tensors that a GGUF file of this model has, in its usual order.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        tensors(&self.config)
    }

    /// The numbers of some rows of a tensor by its GGUF name, in GGUF's order, (rows, columns) row-major. A vector
    /// is one row.
    ///
    /// # Errors
    /// When the model has no such tensor or rows, or reading fails.
    pub fn read_rows(&self, tensor: &str, rows: Range<usize>) -> Result<Vec<f32>, HfError> {
        let no_tensor =
            || SafeTensorsError::NoTensor { file: self.name.clone(), tensor: tensor.to_owned() };
        let all = self.tensors();
        let (name, shape) = all.iter().find(|(name, _)| name == tensor).ok_or_else(no_tensor)?;
        let parts = parts(name, shape[0], &self.config).ok_or_else(no_tensor)?;
        let mut numbers = Vec::new();
        for part in parts {
            match shape.as_slice() {
                [_] => numbers.extend(self.vector(&part)?),
                _ => {
                    let (start, end) =
                        (rows.start.max(part.rows.start), rows.end.min(part.rows.end));
                    if start < end {
                        let first = part.rows.start;
                        numbers.extend(self.matrix_rows(&part, start - first..end - first)?);
                    }
                }
            }
        }
        Ok(numbers)
    }

    fn vector(&self, part: &HfPart) -> Result<Vec<f32>, HfError> {
        let numbers = pollster::block_on(self.file(&part.name)?.read_rows(&part.name, 0..1))?;
        Ok(if part.permuted {
            row_order::to_gguf(&numbers, self.config.head_dim, 1)
        } else {
            numbers
        })
    }

    /// Rows of one HF matrix in GGUF's order. Where that is another, the whole heads around them are read.
    fn matrix_rows(&self, part: &HfPart, rows: Range<usize>) -> Result<Vec<f32>, HfError> {
        let file = self.file(&part.name)?;
        if !part.permuted {
            return Ok(pollster::block_on(file.read_rows(&part.name, rows))?);
        }
        let head_dim = self.config.head_dim;
        let start = rows.start / head_dim * head_dim;
        let end = rows.end.next_multiple_of(head_dim);
        let columns = file.tensor(&part.name)?.columns();
        let heads = pollster::block_on(file.read_rows(&part.name, start..end))?;
        let heads = row_order::to_gguf(&heads, head_dim, columns);
        Ok(heads[(rows.start - start) * columns..(rows.end - start) * columns].to_vec())
    }

    fn file(&self, tensor: &str) -> Result<&SafeTensors<FileSource>, SafeTensorsError> {
        let place = self.places.get(tensor).and_then(|&place| self.files.get(place));
        place.ok_or_else(|| SafeTensorsError::NoTensor {
            file: self.name.clone(),
            tensor: tensor.to_owned(),
        })
    }

    /// Checks that every tensor is there in the shape that `config.json` implies.
    fn check(&self) -> Result<(), HfError> {
        for (name, shape) in self.tensors() {
            for part in parts(&name, shape[0], &self.config).unwrap_or_default() {
                let file = self.file(&part.name)?;
                let found = &file.tensor(&part.name)?.shape;
                let mut expected = shape.clone();
                expected[0] = part.rows.len();
                if *found != expected {
                    return Err(HfError::Weights(SafeTensorsError::BadTensor {
                        file: file.name().to_owned(),
                        tensor: part.name,
                        problem: format!(
                            "its shape is {found:?}, {CONFIG_FILE} implies {expected:?}"
                        ),
                    }));
                }
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, HfError> {
    fs::read_to_string(path)
        .map_err(|source| HfError::Io { path: path.display().to_string(), source })
}

/// The names of the files with weights: those of the index, or the only one.
fn weight_files(folder: &Path) -> Result<BTreeSet<String>, HfError> {
    let index = folder.join(INDEX_FILE);
    if !index.exists() {
        return Ok([SINGLE_FILE.to_owned()].into());
    }
    let json: Value = serde_json::from_str(&read(&index)?)?;
    let files = json["weight_map"].as_object().into_iter().flatten();
    let names: Option<BTreeSet<String>> =
        files.map(|(_, file)| file.as_str().map(str::to_owned)).collect();
    match names.filter(|names| !names.is_empty() && !names.iter().any(|n| n.contains(['/', '\\'])))
    {
        Some(names) => Ok(names),
        None => Err(HfError::Invalid {
            setting: format!("weight_map of {INDEX_FILE}"),
            found: json["weight_map"].to_string().chars().take(80).collect(),
            expected: "tensors with the files beside it that hold them".to_owned(),
        }),
    }
}

/// Names and shapes of a GGUF file's tensors; Q, K and V of phi in one, as the published files have them.
fn tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (hidden, llama) = (config.hidden_size, config.family == Family::Llama);
    let mut tensors = vec![("token_embd.weight".to_owned(), vec![config.vocab_size, hidden])];
    let norm = |tensors: &mut Vec<_>, name: &str| {
        tensors.push((format!("{name}.weight"), vec![hidden]));
        if !llama {
            tensors.push((format!("{name}.bias"), vec![hidden]));
        }
    };
    for layer in 0..config.num_hidden_layers {
        norm(&mut tensors, &format!("blk.{layer}.attn_norm"));
        if llama {
            norm(&mut tensors, &format!("blk.{layer}.ffn_norm"));
        }
        let mut names: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for linear in Linear::of_family(config.family) {
            let fused = |_: &str| !llama;
            if let Some(place) = linear.place(config, layer, fused) {
                let columns = linear.shape(config).1;
                names.insert(place.tensor, (place.rows.end, columns));
            }
        }
        for (name, (rows, columns)) in names {
            if !llama {
                tensors.push((name.replace(".weight", ".bias"), vec![rows]));
            }
            tensors.push((name, vec![rows, columns]));
        }
    }
    norm(&mut tensors, "output_norm");
    if !config.tie_word_embeddings {
        tensors.push(("output.weight".to_owned(), vec![config.vocab_size, hidden]));
        if !llama {
            tensors.push(("output.bias".to_owned(), vec![config.vocab_size]));
        }
    }
    tensors
}
