//! HF folders: safetensors, `config.json` and the tokenizer; plain or with GPTQ's matrices.

use super::encode::{Tally, encode};
use super::gptq::{self, GROUP, PACKED, Packed};
use super::merged::Merged;
use super::{ExportError, Options, TensorReport, io_error, write_file};
use crate::adapter::Linear;
use crate::atomic::AtomicFile;
use crate::blocks::DType;
use crate::hf::{CONFIG_FILE, HfError, SpecialTokens, config_to_json, parts};
use crate::row_order;
use crate::safetensors::{Element, SafeTensorsError, SafeTensorsWriter};
use crate::task_version;
use crate::tokenizer::HfTokenizer;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

/// How the matrices of the layers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// As F16.
    Plain,
    /// In 4 bits.
    Gptq,
}

/// A HF tensor to write, and where it comes from.
struct Source {
    name: String,
    /// The GGUF tensor.
    gguf: String,
    /// Its rows, or elements of a vector.
    rows: Range<usize>,
    /// Columns of a matrix; `None` for a vector.
    columns: Option<usize>,
    permuted: bool,
    /// Whether it is stored in GPTQ's form.
    packed: bool,
}

/// Writes the folder.
pub(super) fn write(
    merged: &mut Merged<'_>,
    layout: Layout,
    folder: &Path,
    options: &Options,
) -> Result<Vec<TensorReport>, ExportError> {
    let sources = sources(merged, layout)?;
    let texts = texts(merged, layout)?;
    let groups = split(&sources, options.shard_bytes.unwrap_or(u64::MAX));
    let mut reports = Vec::new();
    let mut weight_map = Map::new();
    let mut total_bytes = 0;
    for (number, group) in groups.iter().enumerate() {
        let name = match groups.len() {
            1 => "model.safetensors".to_owned(),
            count => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        let mut writer = plan(group)?;
        task_version::add_to(&mut writer, options.task_version);
        weight_map.extend(writer.names().map(|tensor| (tensor.to_owned(), name.clone().into())));
        total_bytes += writer.num_bytes();
        let path = folder.join(&name);
        let mut file = AtomicFile::create(&path).map_err(|error| io_error(&path, error))?;
        write_file_of(merged, group, &writer, &mut file, &mut reports)
            .map_err(|error| error.at(&path))?;
        file.commit().map_err(|error| io_error(&path, error))?;
    }
    if groups.len() > 1 {
        let index = json!({ "metadata": { "total_size": total_bytes }, "weight_map": weight_map });
        let text = serde_json::to_string_pretty(&index).map_err(HfError::Json)? + "\n";
        write_file(&folder.join("model.safetensors.index.json"), text.as_bytes())?;
    }
    for (name, text) in texts {
        write_file(&folder.join(name), text.as_bytes())?;
    }
    Ok(reports)
}

/// The small files by name.
fn texts(merged: &Merged<'_>, layout: Layout) -> Result<[(&'static str, String); 3], ExportError> {
    let metadata = merged.base().metadata();
    let id = |key: &str| metadata.opt_u32(key).map_err(HfError::Metadata);
    let special = SpecialTokens {
        bos: id("tokenizer.ggml.bos_token_id")?,
        eos: id("tokenizer.ggml.eos_token_id")?,
    };
    let quantization = json!({
        "quant_method": "gptq",
        "checkpoint_format": "gptq",
        "bits": 4,
        "group_size": GROUP,
        "sym": true,
        "desc_act": false,
        "static_groups": false,
        "true_sequential": false,
        "damp_percent": 0.01,
        "lm_head": false,
    });
    let quantization = (layout == Layout::Gptq).then_some(quantization);
    let config = config_to_json(merged.config(), &special, "float16", quantization)?;
    let tokenizer = HfTokenizer::from_gguf(metadata)?;
    Ok([
        (CONFIG_FILE, config),
        ("tokenizer.json", tokenizer.tokenizer_json),
        ("tokenizer_config.json", tokenizer.config_json),
    ])
}

fn sources(merged: &Merged<'_>, layout: Layout) -> Result<Vec<Source>, ExportError> {
    let config = merged.config();
    let mut sources = Vec::new();
    for (gguf, shape) in merged.base().tensors() {
        let refuse = |problem: &str| {
            Err(ExportError::Tensor { tensor: gguf.clone(), problem: problem.to_owned() })
        };
        let Some(parts) = parts(&gguf, shape[0], config) else {
            return refuse("HF's model has no such tensor; export as GGUF");
        };
        let llama = Linear::of_family(config.family).any(|linear| linear == Linear::Gate);
        if llama && gguf.ends_with(".bias") {
            return refuse("HF's llama has no biases; export as GGUF");
        }
        for part in parts {
            let columns = shape.get(1).copied();
            let packed = layout == Layout::Gptq && part.linear.is_some();
            if packed
                && (!columns.is_some_and(|columns| columns.is_multiple_of(GROUP))
                    || !part.rows.len().is_multiple_of(PACKED))
            {
                return refuse(
                    "GPTQ needs columns in groups of 32 and rows in eights; export as GGUF or safetensors",
                );
            }
            sources.push(Source {
                name: part.name,
                gguf: gguf.clone(),
                rows: part.rows,
                columns,
                permuted: part.permuted,
                packed,
            });
        }
    }
    Ok(sources)
}

impl Source {
    fn shape(&self) -> Vec<usize> {
        std::iter::once(self.rows.len()).chain(self.columns).collect()
    }

    /// The tensors of the file: name, type, shape.
    fn stored(&self) -> Vec<(String, Element, Vec<usize>)> {
        let Some(columns) = self.columns else {
            return vec![(self.name.clone(), Element::F32, self.shape())];
        };
        if !self.packed {
            return vec![(self.name.clone(), Element::F16, self.shape())];
        }
        let rows = self.rows.len();
        let named = |kind: &str| self.part_name(kind);
        vec![
            (named("qweight"), Element::I32, vec![columns / PACKED, rows]),
            (named("qzeros"), Element::I32, vec![columns / GROUP, rows / PACKED]),
            (named("scales"), Element::F16, vec![columns / GROUP, rows]),
            (named("g_idx"), Element::I32, vec![columns]),
        ]
    }

    fn part_name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name.strip_suffix(".weight").unwrap_or(&self.name))
    }

    fn num_bytes(&self) -> u64 {
        let bytes = |(_, element, shape): (String, Element, Vec<usize>)| {
            (shape.iter().product::<usize>() * element.bytes()) as u64
        };
        self.stored().into_iter().map(bytes).sum()
    }
}

/// Groups of at most `max_bytes` each; a larger tensor gets a group of its own.
fn split(sources: &[Source], max_bytes: u64) -> Vec<&[Source]> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0_u64);
    for (at, source) in sources.iter().enumerate() {
        let size = source.num_bytes();
        if at > start && bytes.saturating_add(size) > max_bytes {
            groups.push(&sources[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    groups.push(&sources[start..]);
    groups
}

fn plan(group: &[Source]) -> Result<SafeTensorsWriter, ExportError> {
    let mut writer = SafeTensorsWriter::new();
    for (name, element, shape) in group.iter().flat_map(Source::stored) {
        writer.add_tensor(&name, element, &shape)?;
    }
    Ok(writer)
}

fn write_file_of(
    merged: &mut Merged<'_>,
    group: &[Source],
    writer: &SafeTensorsWriter,
    file: &mut dyn Write,
    reports: &mut Vec<TensorReport>,
) -> Result<(), ExportError> {
    let by_tensor: BTreeMap<String, &Source> = group
        .iter()
        .flat_map(|source| source.stored().into_iter().map(move |(name, ..)| (name, source)))
        .collect();
    // What is still to be written of the matrices begun. Scales stand at the end of the file, as their elements are
    // smaller; until then they take a sixteenth of a byte for each weight.
    let mut packed: BTreeMap<String, Packed> = BTreeMap::new();
    writer.write(file, &mut |name, out| {
        let Some(source) = by_tensor.get(name) else { return Ok(()) };
        if !source.packed {
            reports.push(write_plain(merged, source, out)?);
            return Ok(());
        }
        if !packed.contains_key(&source.name) {
            let (parts, report) = pack(merged, source)?;
            packed.insert(source.name.clone(), parts);
            reports.push(report);
        }
        let kind = name.rsplit('.').next().unwrap_or_default();
        let parts = packed.get_mut(&source.name);
        let bytes = parts.map_or(Vec::new(), |parts| {
            std::mem::take(match kind {
                "qweight" => &mut parts.qweight,
                "qzeros" => &mut parts.qzeros,
                "scales" => &mut parts.scales,
                _ => &mut parts.g_idx,
            })
        });
        out.write_all(&bytes).map_err(SafeTensorsError::Write)?;
        Ok::<_, ExportError>(())
    })
}

/// Writes a tensor as floats in HF's order of rows.
fn write_plain(
    merged: &mut Merged<'_>,
    source: &Source,
    out: &mut dyn Write,
) -> Result<TensorReport, ExportError> {
    let head_dim = merged.config().head_dim;
    let dtype = if source.columns.is_some() { DType::F16 } else { DType::F32 };
    let mut tally = Tally::new(&source.name, dtype);
    // All of a vector is one row of its GGUF tensor.
    let (rows, columns) = match source.columns {
        Some(columns) => (source.rows.clone(), columns),
        None => (0..1, source.rows.end),
    };
    let encoded = |numbers: Vec<f32>| {
        let numbers = match source.columns {
            Some(columns) if source.permuted => row_order::to_hf(&numbers, head_dim, columns),
            Some(_) => numbers,
            None => numbers[source.rows.clone()].to_vec(),
        };
        encode(&source.name, dtype, &numbers)
    };
    merged.each_piece(&source.gguf, rows, columns, encoded, |rows| {
        tally.add(&rows);
        Ok(out.write_all(&rows.bytes).map_err(SafeTensorsError::Write)?)
    })?;
    Ok(tally.report(&source.shape()))
}

/// A matrix in GPTQ's form: the blocks of a Q4_0 file, repacked.
fn pack(merged: &mut Merged<'_>, source: &Source) -> Result<(Packed, TensorReport), ExportError> {
    let head_dim = merged.config().head_dim;
    let columns = source.columns.unwrap_or_default();
    let mut tally = Tally::new(&source.name, DType::Q4_0);
    let mut blocks = Vec::new();
    let encoded = |numbers: Vec<f32>| {
        let numbers = match source.permuted {
            true => row_order::to_hf(&numbers, head_dim, columns),
            false => numbers,
        };
        encode(&source.name, DType::Q4_0, &numbers)
    };
    merged.each_piece(&source.gguf, source.rows.clone(), columns, encoded, |rows| {
        tally.add(&rows);
        blocks.extend(rows.bytes);
        Ok(())
    })?;
    let report = tally.report(&source.shape());
    Ok((gptq::pack(&blocks, source.rows.len(), columns), report))
}
