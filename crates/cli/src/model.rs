//! `--model`: from a file, a package folder or a name to a loaded model.

use std::fs;
use std::path::Path;

use anyhow::Result;
use hangtag_engine::{Engine, EngineError, EngineOptions, Gpu, GpuOptions, LoadProgress};
use hangtag_extract::{Answers, ExtractError, Extractor};
use hangtag_task::TaskVersion;
use hangtag_weights::{
    ByteSource, FileSource, Gguf, GgufError, Manifest, ModelConfig, Tokenizer, registry,
};
use indicatif::ProgressBar;

use crate::args::ModelArgs;
use crate::failure::{Failure, bad_input, failed};
use crate::hub::{self, Reference};
use crate::{fetch, import, progress};

/// A hint for every model that is none.
pub const WHAT_A_MODEL_IS: &str = "--model takes a GGUF file of the llama or phi family, a package folder (with manifest.json), a folder of \
                                   Hugging Face transformers (with config.json), a model of the hub such as hf:microsoft/phi-2, or a known name \
                                   such as smollm2-135m";

/// A hint for a model whose way of being asked is not known.
const OF_ONE_AGE: &str = "get a hangtag and a model of the same age";

/// Loads the model that the arguments name; a known name is fetched first where it is missing.
pub fn load(args: &ModelArgs) -> Result<Extractor> {
    let files = open(&args.model, args.quiet)?;
    let gguf = pollster::block_on(Gguf::open(files))
        .map_err(|error| bad_input(&error).hint(hint_for(&error)))?;
    // Before the GPU is asked for: a wrong model is told as such on every computer.
    ModelConfig::from_gguf(&gguf)
        .map_err(|error| bad_input(format!("{}: {error}", args.model)).hint(WHAT_A_MODEL_IS))?;
    Tokenizer::from_gguf(gguf.metadata())
        .map_err(|error| bad_input(format!("{}: {error}", args.model)).hint(WHAT_A_MODEL_IS))?;

    let (gpu, options) = opened(args)?;
    let bar = progress::bytes(args.quiet, "loading the model");
    let loaded = pollster::block_on(Extractor::load(gguf, gpu, options, show_on(&bar)));
    bar.finish_and_clear();
    let mut extractor = loaded.map_err(|error| failure(&error))?;
    if args.free_answers {
        extractor.set_answers(Answers::Free);
    }
    Ok(extractor)
}

/// Loads a model without a tokenizer.
pub fn load_engine<S: ByteSource>(
    args: &ModelArgs,
    gguf: &Gguf<S>,
    config: ModelConfig,
) -> Result<Engine> {
    let (gpu, options) = opened(args)?;
    let bar = progress::bytes(args.quiet, "loading the model");
    let loaded = pollster::block_on(Engine::load(gpu, gguf, config, options, show_on(&bar)));
    bar.finish_and_clear();
    Ok(loaded.map_err(|error| of_loading(&error))?)
}

fn show_on(bar: &ProgressBar) -> impl FnMut(LoadProgress) {
    |loaded| {
        bar.set_length(loaded.total_bytes);
        bar.set_position(loaded.loaded_bytes);
    }
}

/// The GPU and the engine's sizes that the arguments ask for.
fn opened(args: &ModelArgs) -> Result<(Gpu, EngineOptions)> {
    let gpu = pollster::block_on(Gpu::request(&GpuOptions { baseline: args.baseline_tier }))
        .map_err(failed)?;
    let mut options = EngineOptions { exact_products: args.exact, ..EngineOptions::default() };
    if let Some(context_tokens) = args.context {
        options.context_tokens = context_tokens as usize;
    }
    Ok((gpu, options))
}

/// What an adapter calls the base that it is for: its name on the hub where it has one, else what the user typed.
pub fn base_name(model: &str) -> String {
    if let Some(Ok(reference)) = Reference::parse(model) {
        return reference.repository;
    }
    registry::find(model).map_or(model, |known| known.hub_name).to_owned()
}

/// What an error of the extraction means for the exit code, and what to do about it.
pub fn failure(error: &ExtractError) -> Failure {
    match error {
        ExtractError::Task(_) => bad_input(error),
        ExtractError::Config(_)
        | ExtractError::Tokenizer(_)
        | ExtractError::Confidence(_)
        | ExtractError::Metadata(_)
        | ExtractError::Vocabulary { .. } => bad_input(error).hint(WHAT_A_MODEL_IS),
        ExtractError::ContextTooSmall { needed_tokens, .. } => {
            bad_input(error).hint(format!("give --context {needed_tokens} or more"))
        }
        ExtractError::TaskVersion { .. } => bad_input(error).hint(OF_ONE_AGE),
        ExtractError::Load(source) => of_loading(source),
        ExtractError::Cancelled { .. }
        | ExtractError::Engine { .. }
        | ExtractError::NoAnswer { .. } => failed(error),
    }
}

fn hint_for(error: &GgufError) -> &'static str {
    match error {
        GgufError::NotGguf { .. } | GgufError::UnsupportedType { .. } => WHAT_A_MODEL_IS,
        _ => "the file is damaged or not whole: get it again",
    }
}

/// A damaged or unsuitable file and options that contradict each other are the user's; the rest is the GPU's.
fn of_loading(error: &EngineError) -> Failure {
    match error {
        EngineError::Weights(error) => bad_input(error).hint(hint_for(error)),
        EngineError::Shape { .. } | EngineError::Unsupported { .. } | EngineError::Options(_) => {
            bad_input(error)
        }
        _ => failed(error),
    }
}

/// Whether `path` is a folder of Hugging Face transformers and no package.
pub fn is_hf_folder(path: &Path) -> bool {
    path.join("config.json").is_file() && !path.join("manifest.json").exists()
}

/// The files of the model, opened, shards in order. A folder of transformers is converted to 4 bits first, once.
pub fn open(model: &str, quiet: bool) -> Result<Vec<FileSource>> {
    let path = hub::resolve(model, quiet)?;
    if is_hf_folder(&path) {
        let name = match Reference::parse(model) {
            Some(Ok(reference)) => reference.repository,
            _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        return open_package(&import::four_bit(&path, &name, quiet)?);
    }
    if path.is_dir() {
        return open_package(&path);
    }
    if path.exists() {
        return open_files(&path);
    }
    if model.ends_with(".gguf") || model.contains(['/', '\\']) {
        return Err(bad_input(format!("--model {model}: no such file or folder"))
            .hint(WHAT_A_MODEL_IS)
            .into());
    }
    let path = fetch::get(model, quiet)?;
    if path.is_dir() { open_package(&path) } else { open_files(&path) }
}

/// Opens a GGUF file, or all parts of a split one.
pub fn open_files(path: &Path) -> Result<Vec<FileSource>> {
    let files = FileSource::open_shards(path);
    Ok(files.map_err(|error| {
        bad_input(error)
            .hint("see that it can be read; all parts of a split model must lie in one folder")
    })?)
}

/// Opens a package folder: its manifest says which files are the model.
fn open_package(folder: &Path) -> Result<Vec<FileSource>> {
    let shown = folder.display();
    let json = fs::read_to_string(folder.join("manifest.json")).map_err(|error| {
        bad_input(format!("{shown}: no model package, manifest.json: {error}"))
            .hint(WHAT_A_MODEL_IS)
    })?;
    Ok(read_package(folder, &json)?.1)
}

/// The manifest of a package, out of its text, and the files that it lists.
pub fn read_package(folder: &Path, json: &str) -> Result<(Manifest, Vec<FileSource>)> {
    let shown = folder.display();
    let manifest = Manifest::from_json(json)
        .map_err(|error| bad_input(format!("{shown}: {error}")).hint("get the package again"))?;
    if TaskVersion::from_number(manifest.task_version).is_none() {
        return Err(bad_input(format!(
            "{shown}: the model was made for version {} of the questions, and this hangtag asks versions 1 to {}",
            manifest.task_version,
            TaskVersion::LATEST
        ))
        .hint(OF_ONE_AGE)
        .into());
    }
    let files =
        manifest.files.iter().map(|file| open_packaged(&folder.join(&file.name), file.size));
    let files = files.collect::<Result<_>>()?;
    Ok((manifest, files))
}

/// Opens one file of a package. Its size shows a broken download; hashing gigabytes at each start would take too long.
fn open_packaged(path: &Path, size: u64) -> Result<FileSource> {
    let file = FileSource::open(path).map_err(bad_input)?;
    if file.len() != size {
        return Err(bad_input(format!(
            "{}: {} bytes, the package's manifest says {size}",
            path.display(),
            file.len()
        ))
        .hint("get the package again")
        .into());
    }
    Ok(file)
}
