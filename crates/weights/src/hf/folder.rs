//! A HF folder on disk as a source of tensors by GGUF's names.

use super::{CONFIG_FILE, HfError, HfPart, config_from_json, first_phi, metadata_of, parts};
use crate::adapter::Linear;
use crate::config::{Family, ModelConfig};
use crate::metadata::Metadata;
use crate::row_order;
use crate::safetensors::{SafeTensors, SafeTensorsError, Tensor};
use crate::source::FileSource;
use crate::task_version;
use crate::tokenizer::metadata_from_hf;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Name of the file that says which file holds which tensor.
pub const INDEX_FILE: &str = "model.safetensors.index.json";
/// Name of the file with all weights where there is no index.
pub const SINGLE_FILE: &str = "model.safetensors";
/// Names of the files that describe the tokenizer.
pub const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// A model in a HF folder, read on demand.
#[derive(Debug)]
pub struct HfFolder {
    name: String,
    config: ModelConfig,
    metadata: Metadata,
    files: Vec<SafeTensors<FileSource>>,
    /// Where each HF tensor lies.
    places: BTreeMap<String, Place>,
}

/// Where a HF tensor lies: in a tensor of its own name, or in some rows (elements, in a vector) of an older folder's.
#[derive(Debug)]
struct Place {
    file: usize,
    tensor: String,
    rows: Range<usize>,
}

impl HfFolder {
    /// Reads `config.json`, the tokenizer, and the headers of the weights in `folder`.
    ///
    /// # Errors
    /// When a file is missing or damaged, the model or its tokenizer is not supported, or a tensor is missing.
    pub fn open(folder: &Path) -> Result<Self, HfError> {
        let (config, mut metadata) = describe(folder)?;
        let mut files = Vec::new();
        let mut places = BTreeMap::new();
        for file in weight_files(folder)? {
            let source = FileSource::open(folder.join(file)).map_err(SafeTensorsError::from)?;
            let file = pollster::block_on(SafeTensors::open(source))?;
            for (tensor, info) in file.tensors() {
                for (name, rows) in names_in(tensor, info, &config) {
                    let place = Place { file: files.len(), tensor: tensor.to_owned(), rows };
                    places.insert(name, place);
                }
            }
            files.push(file);
        }
        // Every file of an export says it.
        if let Some(file) = files.first() {
            task_version::replace_in(&mut metadata, task_version::of_file(file)?);
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
        let (file, place) = self.place(&part.name)?;
        let numbers = pollster::block_on(file.read_rows(&place.tensor, 0..1))?;
        let numbers = &numbers[place.rows.clone()];
        Ok(if part.permuted {
            row_order::to_gguf(numbers, self.config.head_dim, 1)
        } else {
            numbers.to_vec()
        })
    }

    /// Rows of one HF matrix in GGUF's order. Where that is another, the whole heads around them are read.
    fn matrix_rows(&self, part: &HfPart, rows: Range<usize>) -> Result<Vec<f32>, HfError> {
        let (file, place) = self.place(&part.name)?;
        let first = place.rows.start;
        let read = |rows: Range<usize>| {
            let rows = first + rows.start..first + rows.end;
            pollster::block_on(file.read_rows(&place.tensor, rows))
        };
        if !part.permuted {
            return Ok(read(rows)?);
        }
        let head_dim = self.config.head_dim;
        let start = rows.start / head_dim * head_dim;
        let end = rows.end.next_multiple_of(head_dim);
        let columns = file.tensor(&place.tensor)?.columns();
        let heads = row_order::to_gguf(&read(start..end)?, head_dim, columns);
        Ok(heads[(rows.start - start) * columns..(rows.end - start) * columns].to_vec())
    }

    fn place(&self, name: &str) -> Result<(&SafeTensors<FileSource>, &Place), SafeTensorsError> {
        let place = self.places.get(name);
        let found = place.and_then(|place| Some((self.files.get(place.file)?, place)));
        found.ok_or_else(|| SafeTensorsError::NoTensor {
            file: self.name.clone(),
            tensor: name.to_owned(),
        })
    }

    /// Checks that every tensor is there in the shape that `config.json` implies.
    fn check(&self) -> Result<(), HfError> {
        for (name, shape) in self.tensors() {
            for part in parts(&name, shape[0], &self.config).unwrap_or_default() {
                let (file, place) = self.place(&part.name)?;
                let mut found = file.tensor(&place.tensor)?.shape.clone();
                found[0] = place.rows.len();
                let mut expected = shape.clone();
                expected[0] = part.rows.len();
                if found != expected {
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

/// Sees that the model and its tokenizer are supported, before there are any weights.
///
/// # Errors
/// As [`HfFolder::open`], weights aside.
pub fn check_description(folder: &Path) -> Result<(), HfError> {
    describe(folder).map(|_| ())
}

fn describe(folder: &Path) -> Result<(ModelConfig, Metadata), HfError> {
    let config = config_from_json(&read(&folder.join(CONFIG_FILE))?)?;
    let name = folder.file_name().map_or("model".into(), |name| name.to_string_lossy());
    let mut metadata = metadata_of(&config, &name);
    let [tokenizer, tokenizer_config] = TOKENIZER_FILES.map(|file| read(&folder.join(file)));
    metadata_from_hf(&mut metadata, &tokenizer?, &tokenizer_config?, config.vocab_size)?;
    Ok((config, metadata))
}

/// The HF tensors that a file's tensor is, with their rows of it: itself, or those of an older name.
fn names_in(name: &str, tensor: &Tensor, config: &ModelConfig) -> Vec<(String, Range<usize>)> {
    let rows = tensor.shape.first().copied().unwrap_or_default();
    let older = first_phi::tensors(name, config);
    // One of another size is not taken apart; the names that it should have had are then missing.
    if older.last().is_some_and(|(_, last)| last.end == rows) {
        return older;
    }
    vec![(name.to_owned(), 0..rows)]
}

fn read(path: &Path) -> Result<String, HfError> {
    fs::read_to_string(path)
        .map_err(|source| HfError::Io { path: path.display().to_string(), source })
}

/// The names of the files with weights in `folder`: those of the index, or the only one.
///
/// # Errors
/// When the index cannot be read, or names no files beside it.
pub fn weight_files(folder: &Path) -> Result<BTreeSet<String>, HfError> {
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
