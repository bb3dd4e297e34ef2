//! `hangtag export`: a model with an adapter merged in, for other programs.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Result;
use hangtag_task::TaskVersion;
use hangtag_weights::export::{
    Base, CARD_FILE, ExportError, Format, GgufType, Options, Report, export,
};
use hangtag_weights::manifest::MANIFEST_FILE;
use hangtag_weights::{Adapter, ConfidenceMap, Metadata, registry, task_version};

use crate::args::{ExportArgs, ExportFormat};
use crate::failure::{Failure, bad_input, failed};
use crate::{fetch, hub, model, progress};

const WHAT_A_BASE_IS: &str = "--base takes a GGUF file of the llama or phi family, a package folder (with manifest.json), a folder \
                              of Hugging Face transformers (with config.json), a model of the hub such as hf:microsoft/phi-2, or a known \
                              name such as smollm2-135m";

pub fn run(args: &ExportArgs) -> Result<()> {
    tell(args, &export_to(args)?)
}

/// Writes what the arguments ask for, and says nothing.
pub fn export_to(args: &ExportArgs) -> Result<Report> {
    let name = name(args)?;
    let mut base = open(&args.base, args.quiet)?;
    let adapter = match &args.adapter {
        Some(folder) => Some(load_adapter("--adapter", folder, &base)?),
        None => None,
    };
    let confidence = match &args.adapter {
        Some(folder) => {
            // An adapter without a card is nothing out of the ordinary.
            base.card = fs::read_to_string(folder.join(CARD_FILE)).ok();
            ConfidenceMap::of_adapter(folder).map_err(|error| {
                bad_input(format!("--adapter {}: {error}", folder.display()))
                    .hint("hangtag evaluate --fit-confidence writes the file; without it confidence is as the model has it")
            })?
        }
        None => ConfidenceMap::from_metadata(base.weights.metadata()).map_err(bad_input)?,
    };
    let task_version = task_version(args, &base, adapter.as_ref())?;
    let options = Options {
        format: format(args.format),
        shard_bytes: args.shard_size,
        name,
        base: base.name.unwrap_or_else(|| args.base.clone()),
        adapter: adapter_name(args).or(base.adapter),
        trained_on: base.trained_on,
        card: base.card,
        confidence,
        licence: args.licence.clone().or(base.licence).unwrap_or("NOASSERTION".to_owned()),
        task_version,
    };
    let bar = progress::share(args.quiet, "exporting");
    let report = export(&base.weights, adapter.as_ref(), &args.out, &options, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    Ok(report.map_err(failure)?)
}

/// The version of the questions that the exported model answers: what the user says, the adapter, or the base.
fn task_version(args: &ExportArgs, base: &Known, adapter: Option<&Adapter>) -> Result<u32> {
    let said = match (args.task_version, adapter) {
        (Some(version), _) => version.number(),
        (None, Some(adapter)) => adapter.task_version,
        (None, None) => task_version::of_metadata(base.weights.metadata()).map_err(bad_input)?,
    };
    let known = TaskVersion::try_from(said).map_err(|_| {
        bad_input(format!(
            "the model answers version {said} of the questions, which this hangtag does not know"
        ))
        .hint("get a newer hangtag, or say with --task-version how the model is to be asked")
    })?;
    Ok(known.number())
}

/// The weights to export, and what is known of them.
pub struct Known {
    pub weights: Base,
    /// The base's own name, which adapters record.
    name: Option<String>,
    /// An adapter that was merged in before.
    adapter: Option<String>,
    /// What that was trained on.
    trained_on: Option<String>,
    /// Text of the model card.
    card: Option<String>,
    licence: Option<String>,
}

/// The model that `--base` names.
pub fn open(base: &str, quiet: bool) -> Result<Known> {
    let path = &hub::resolve(base, quiet)?;
    if path.join(MANIFEST_FILE).is_file() {
        return open_package(path);
    }
    if path.is_dir() {
        if !path.join("config.json").is_file() {
            return Err(bad_input(format!(
                "--base {}: the folder holds no manifest.json and no config.json",
                base
            ))
            .hint(WHAT_A_BASE_IS)
            .into());
        }
        let weights = Base::open_hf(path).map_err(base_failure)?;
        let name = hub::Reference::parse(base).and_then(Result::ok);
        return Ok(Known { name: name.map(|name| name.repository), ..unnamed(weights) });
    }
    if path.exists() {
        return Ok(unnamed(Base::open_gguf(model::open_files(path)?).map_err(base_failure)?));
    }
    if base.contains(['/', '\\']) || base.ends_with(".gguf") {
        return Err(bad_input(format!("--base {}: no such file or folder", base))
            .hint(WHAT_A_BASE_IS)
            .into());
    }
    let path = fetch::get(base, quiet)?;
    if path.is_dir() {
        return open_package(&path);
    }
    let known = registry::find(base);
    let weights = Base::open_gguf(model::open_files(&path)?).map_err(base_failure)?;
    Ok(Known {
        name: known.map(|model| model.hub_name.to_owned()),
        licence: known.map(|model| model.licence.to_owned()),
        ..unnamed(weights)
    })
}

fn open_package(folder: &Path) -> Result<Known> {
    let json = fs::read_to_string(folder.join(MANIFEST_FILE))
        .map_err(|error| bad_input(format!("{}: {MANIFEST_FILE}: {error}", folder.display())))?;
    let (manifest, files) = model::read_package(folder, &json)?;
    let card = manifest.card.and_then(|card| fs::read_to_string(folder.join(card)).ok());
    Ok(Known {
        weights: Base::open_gguf(files).map_err(base_failure)?,
        name: Some(manifest.base),
        adapter: manifest.adapter,
        trained_on: manifest.trained_on,
        card,
        licence: Some(manifest.licence),
    })
}

/// Files that do not say which base they are.
fn unnamed(weights: Base) -> Known {
    let licence = |metadata: &Metadata| {
        let licence = metadata.opt_str("general.license").ok().flatten();
        licence.map(str::to_owned)
    };
    let licence = licence(weights.metadata());
    Known { weights, name: None, adapter: None, trained_on: None, card: None, licence }
}

/// The adapter in `folder`, which must have been made for `base`; errors call it `what`.
pub fn load_adapter(what: &str, folder: &Path, base: &Known) -> Result<Adapter> {
    if let Some(adapter) = &base.adapter {
        return Err(bad_input(format!("the base already has the adapter {adapter} merged in"))
            .hint("give the base that both adapters were made for")
            .into());
    }
    let adapter = Adapter::load(folder, base.weights.config(), base.name.as_deref());
    Ok(adapter.map_err(|error| {
        bad_input(format!("{what} {}: {error}", folder.display())).hint(
            "an adapter is a folder with adapter_config.json and adapter_model.safetensors, as PEFT and hangtag write it",
        )
    })?)
}

fn adapter_name(args: &ExportArgs) -> Option<String> {
    let folder = args.adapter.as_ref()?;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    Some(folder.file_name()?.to_string_lossy().into_owned())
}

/// The model's name, which is also that of its files.
fn name(args: &ExportArgs) -> Result<String> {
    let folder = || args.out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(folder).unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || ". _-+".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 200 || !name.chars().all(plain) {
        return Err(bad_input(format!("the name {name:?} is no good name for a file"))
            .hint("give another with --name: letters, digits, spaces and . _ - +")
            .into());
    }
    Ok(name)
}

fn format(format: ExportFormat) -> Format {
    match format {
        ExportFormat::Q4_0 => Format::Gguf(GgufType::Q4_0),
        ExportFormat::Q8_0 => Format::Gguf(GgufType::Q8_0),
        ExportFormat::F16 => Format::Gguf(GgufType::F16),
        ExportFormat::F32 => Format::Gguf(GgufType::F32),
        ExportFormat::Safetensors => Format::SafeTensors,
        ExportFormat::Gptq => Format::Gptq,
    }
}

/// A base that cannot be opened.
fn base_failure(error: ExportError) -> Failure {
    bad_input(error).hint(WHAT_A_BASE_IS)
}

/// What could not be written is the disk's fault; the rest is the input's.
fn failure(error: ExportError) -> Failure {
    match error {
        ExportError::Io { .. } => {
            failed(error).hint("see that there is room on the disk, and that it can be written to")
        }
        error => bad_input(error),
    }
}

fn tell(args: &ExportArgs, report: &Report) -> Result<()> {
    if args.json {
        writeln!(stdout(), "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    if !args.quiet {
        eprintln!(
            "{}: {:.1} MB, {:.2} bits a weight",
            report.format,
            report.bytes as f64 / 1e6,
            report.bits_per_weight
        );
    }
    writeln!(stdout(), "{}", args.out.display())?;
    Ok(())
}
