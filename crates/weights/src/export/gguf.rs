//! A model package: GGUF files and `manifest.json`.

use super::encode::{Tally, encode};
use super::merged::{Merged, is_linear};
use super::{CARD_FILE, ExportError, GgufType, Options, TensorReport, io_error, write_file};
use crate::atomic::AtomicFile;
use crate::blocks::DType;
use crate::confidence::ConfidenceMap;
use crate::gguf::{GgufError, GgufWriter, shard_file_name};
use crate::manifest::{MANIFEST_FILE, Manifest, ManifestFile};
use crate::metadata::Metadata;
use crate::source::FileSource;
use crate::task_version;
use std::path::Path;

/// Writes the GGUF files of the model, then the manifest with their hashes.
pub(super) fn write(
    merged: &mut Merged<'_>,
    gguf_type: GgufType,
    folder: &Path,
    options: &Options,
) -> Result<Vec<TensorReport>, ExportError> {
    let mut writer = GgufWriter::new(metadata(merged, gguf_type, options))?;
    for (name, shape) in merged.base().tensors() {
        writer.add_tensor(&name, dtype(&name, &shape, gguf_type, merged), &shape)?;
    }
    let shards = writer.split(options.shard_bytes.unwrap_or(u64::MAX));
    let mut reports = Vec::new();
    let mut files = Vec::new();
    for (number, shard) in shards.iter().enumerate() {
        let name = match shards.len() {
            1 => format!("{}.gguf", options.name),
            count => shard_file_name(&options.name, number, count),
        };
        let path = folder.join(&name);
        let mut file = AtomicFile::create(&path).map_err(|error| io_error(&path, error))?;
        let streamed = shard.write_streamed(&mut file, &mut |tensor, out| {
            let mut tally = Tally::new(&tensor.name, tensor.dtype);
            let (rows, columns) = (tensor.rows(), tensor.columns());
            let encoded = |numbers: Vec<f32>| encode(&tensor.name, tensor.dtype, &numbers);
            merged.each_piece(&tensor.name, 0..rows, columns, encoded, |rows| {
                tally.add(&rows);
                Ok(out.write_all(&rows.bytes).map_err(GgufError::Write)?)
            })?;
            reports.push(tally.report(&tensor.shape));
            Ok::<_, ExportError>(())
        });
        streamed.map_err(|error: ExportError| error.at(&path))?;
        file.commit().map_err(|error| io_error(&path, error))?;
        let source = FileSource::open(&path)?;
        files.push(pollster::block_on(ManifestFile::of(&name, &source, |_| {}))?);
    }
    write_about(files, folder, options)?;
    Ok(reports)
}

/// Writes what says what the GGUF files are: the model card, if there is one, and the manifest.
fn write_about(
    files: Vec<ManifestFile>,
    folder: &Path,
    options: &Options,
) -> Result<(), ExportError> {
    if let Some(card) = &options.card {
        write_file(&folder.join(CARD_FILE), card.as_bytes())?;
    }
    let manifest = Manifest {
        name: options.name.clone(),
        base: options.base.clone(),
        adapter: options.adapter.clone(),
        trained_on: options.trained_on.clone(),
        card: options.card.as_ref().map(|_| CARD_FILE.to_owned()),
        licence: options.licence.clone(),
        task_version: options.task_version,
        presets: Vec::new(),
        files,
    };
    write_file(&folder.join(MANIFEST_FILE), manifest.to_json()?.as_bytes())
}

fn dtype(name: &str, shape: &[usize], gguf_type: GgufType, merged: &Merged<'_>) -> DType {
    let [rows, columns] = shape else { return DType::F32 };
    let wanted = match gguf_type {
        GgufType::Q4_0 if !is_linear(name, *rows, merged.config()) => DType::Q8_0,
        other => other.dtype(),
    };
    // Rows that are no whole blocks stay floats, as llama.cpp leaves them.
    if columns.is_multiple_of(wanted.block_size()) { wanted } else { DType::F16 }
}

/// The base's metadata, with what is said of the file put right.
fn metadata(merged: &Merged<'_>, gguf_type: GgufType, options: &Options) -> Metadata {
    let mut metadata = merged.base().metadata().clone();
    // Numbers of llama.cpp's `llama_ftype`.
    let file_type: u32 = match gguf_type {
        GgufType::F32 => 0,
        GgufType::F16 => 1,
        GgufType::Q4_0 => 2,
        GgufType::Q8_0 => 7,
    };
    metadata.insert("general.file_type", file_type);
    metadata.insert("general.quantization_version", 2_u32);
    metadata.insert("general.name", options.name.as_str());
    ConfidenceMap::replace_in(&mut metadata, options.confidence);
    task_version::replace_in(&mut metadata, options.task_version);
    metadata
}
