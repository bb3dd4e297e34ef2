//! `hangtag train`: an adapter for the base model, from products with known features.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use hangtag_extract::TaskTokenizer;
use hangtag_task::{Product, read_jsonl};
use hangtag_train::{
    Base, DOCUMENTED_CONFIG, Device, DeviceKind, Ending, GgufTensors, Run, Tensors, TrainConfig,
    TrainError, TrainEvent, open_device, train,
};
use hangtag_weights::hf::HfFolder;
use hangtag_weights::{Adapter, Gguf, Tokenizer};
use indicatif::ProgressBar;

use crate::args::{TrainArgs, TrainDevice};
use crate::failure::{Failure, bad_input, failed};
use crate::{hub, model, progress};

/// Parts of the progress bar.
const BAR_STEPS: u64 = 1000;

/// Runs the command.
pub fn run(args: &TrainArgs) -> Result<()> {
    if args.print_config {
        stdout().write_all(DOCUMENTED_CONFIG.as_bytes())?;
        return Ok(());
    }
    let config = config(args)?;
    let train_set = products(&args.data)?;
    let val_set = if args.val.is_empty() { Vec::new() } else { products(&args.val)? };
    refuse_leaks(&train_set, &val_set)?;

    let (tensors, tokenizer) = open_base(args)?;
    let base_name = model::base_name(&args.base);
    let init = match &args.init_adapter {
        Some(folder) => {
            Some(Adapter::load(folder, tensors.config(), Some(&base_name)).map_err(|error| {
                bad_input(format!("--init-adapter {}: {error}", folder.display()))
            })?)
        }
        None => None,
    };
    tell_of_another_version(args, &config, init.as_ref());
    let device = device(args.device)?;
    let base =
        Base::load(tensors.as_ref(), config.base.precision, None, &device).map_err(failure)?;
    let run = Run {
        config: &config,
        base: &base,
        base_name: &base_name,
        tokenizer: &TaskTokenizer(tokenizer),
        train: &train_set,
        val: &val_set,
        init: init.as_ref(),
        out: &args.out,
    };
    prepare(args, &config)?;
    follow(args, &run)
}

/// To teach an adapter another form of the prompt may be meant, or a setting that was forgotten.
fn tell_of_another_version(args: &TrainArgs, config: &TrainConfig, init: Option<&Adapter>) {
    let version = config.data.task_version;
    if let Some(init) = init.filter(|init| init.task_version != version.number() && !args.quiet) {
        eprintln!(
            "--init-adapter was trained on version {} of the questions, and this run teaches version {version} (data.task_version)",
            init.task_version
        );
    }
}

/// The base's weights and its tokenizer.
fn open_base(args: &TrainArgs) -> Result<(Box<dyn Tensors>, Tokenizer)> {
    let wrong = |error: &dyn Display| bad_input(format!("--base {}: {error}", args.base));
    let folder = &hub::resolve(&args.base, args.quiet)?;
    let tokenizer = |metadata: &_| Tokenizer::from_gguf(metadata).map_err(|error| wrong(&error));
    if model::is_hf_folder(folder) {
        let folder = HfFolder::open(folder).map_err(|error| wrong(&error))?;
        let tokenizer = tokenizer(folder.metadata())?;
        return Ok((Box::new(folder), tokenizer));
    }
    let files = model::open(&folder.to_string_lossy(), args.quiet)?;
    let gguf = pollster::block_on(Gguf::open(files)).map_err(bad_input)?;
    let tokenizer = tokenizer(gguf.metadata())?;
    let tensors = GgufTensors::new(gguf).map_err(|error| wrong(&error))?;
    Ok((Box::new(tensors), tokenizer))
}

/// Trains with a progress bar; Ctrl-C ends after the step, with a checkpoint.
fn follow(args: &TrainArgs, run: &Run<'_>) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)).map_err(failed)?;
    let bar = progress::count(args.quiet, BAR_STEPS as usize);
    let ending = train(run, args.resume, &mut |event| {
        show(&bar, event);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    bar.finish_and_clear();
    let folder = args.out.display();
    match ending.map_err(failure)? {
        Ending::Interrupted => {
            eprintln!("stopped; go on with the same command and --resume");
        }
        Ending::StoppedEarly => eprintln!("stopped early: the validation stopped getting better"),
        Ending::Finished => {}
    }
    eprintln!("adapter, metrics.jsonl and curve.svg are in {folder}");
    Ok(())
}

fn show(bar: &ProgressBar, event: &TrainEvent) {
    match event {
        TrainEvent::Steps(report) => {
            bar.set_position((report.done * BAR_STEPS as f64) as u64);
            let memory = match report.memory_bytes {
                Some(bytes) => format!("  {:.1} GB", bytes as f64 / 1e9),
                None => String::new(),
            };
            bar.set_message(format!(
                "step {}  loss {:.3}  {:.0} tokens/s  {:.0} answers/s{memory}  {} left",
                report.step,
                report.loss,
                report.tokens_per_second,
                report.pairs_per_second,
                indicatif::HumanDuration(bar.eta()),
            ));
        }
        TrainEvent::Evaluated(report) => {
            let line = format!(
                "epoch {}: F1 {:.1}  accuracy {:.1}%  wrong {:.1}%  invented {:.1}%{}  ({:.1} s)",
                report.epoch,
                100.0 * report.f1,
                100.0 * report.accuracy,
                100.0 * report.wrong,
                100.0 * report.invented,
                if report.best { "  best" } else { "" },
                report.seconds,
            );
            bar.suspend(|| eprintln!("{line}"));
        }
        TrainEvent::Smaller { sequences, recompute } => {
            let blocks = if *recompute { ", blocks computed again" } else { "" };
            let line = format!(
                "to fit the GPU's memory: {sequences} sequences at a time{blocks}; same result, slower"
            );
            bar.suspend(|| eprintln!("{line}"));
        }
        TrainEvent::Saved { .. } => {}
    }
}

/// The settings: the file's, and over them those of `--set`.
fn config(args: &TrainArgs) -> Result<TrainConfig> {
    let (mut text, file) = match &args.config {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| bad_input(format!("--config {}: {error}", path.display())))?;
            (text, path.display().to_string())
        }
        None => (String::new(), "--set".to_owned()),
    };
    let mut config = TrainConfig::from_toml(&text, &file).map_err(failure)?;
    for setting in &args.set {
        let (path, value) = setting.split_once('=').ok_or_else(|| {
            bad_input(format!("--set {setting}: write it as KEY=VALUE, such as optimizer.epochs=3"))
        })?;
        text = toml_line(path.trim(), value.trim());
        config = config.with(&text, &format!("--set {setting}")).map_err(failure)?;
    }
    Ok(config)
}

/// A setting as TOML; words need no quotes on the command line.
fn toml_line(path: &str, value: &str) -> String {
    let plain = value.parse::<f64>().is_ok()
        || matches!(value, "true" | "false")
        || value.starts_with(['[', '"']);
    if plain { format!("{path} = {value}\n") } else { format!("{path} = \"{value}\"\n") }
}

/// The products of all `files`. Bad rows are reported and left out.
fn products(files: &[PathBuf]) -> Result<Vec<Product>> {
    let mut all: Vec<Product> = Vec::new();
    let mut ids = HashSet::new();
    for path in files {
        let text = fs::read_to_string(path)
            .map_err(|error| bad_input(format!("{}: {error}", path.display())))?;
        let (mut good, mut bad) = (0, 0);
        for row in read_jsonl(&text) {
            match row {
                Ok(product) if ids.insert(product.id.clone()) => {
                    good += 1;
                    all.push(product);
                }
                Ok(product) => {
                    bad += 1;
                    eprintln!(
                        "warning: {}: the id \"{}\" is in another file too; left out",
                        path.display(),
                        product.id
                    );
                }
                Err(error) => {
                    bad += 1;
                    eprintln!("warning: {}, {error}; left out", path.display());
                }
            }
        }
        if good == 0 {
            return Err(bad_input(format!(
                "{}: no row can be used ({bad} are wrong)",
                path.display()
            ))
            .into());
        }
    }
    Ok(all)
}

/// A validation on what was trained on says nothing.
fn refuse_leaks(train: &[Product], val: &[Product]) -> Result<()> {
    let texts: HashSet<&str> = train.iter().map(|product| product.text.as_str()).collect();
    match val.iter().find(|product| texts.contains(product.text.as_str())) {
        None => Ok(()),
        Some(product) => Err(bad_input(format!(
            "the text of \"{}\" is in --data and in --val: take it out of one of them",
            product.id
        ))
        .into()),
    }
}

fn device(asked: TrainDevice) -> Result<Device> {
    let opened = match asked {
        TrainDevice::Cpu => open_device(DeviceKind::Cpu),
        TrainDevice::Cuda => open_device(DeviceKind::Cuda),
        TrainDevice::Auto => open_device(DeviceKind::Cuda).or_else(|error| {
            eprintln!("training on the processor: {error}");
            open_device(DeviceKind::Cpu)
        }),
    };
    Ok(opened.map_err(failure)?)
}

/// Makes the folder and writes the settings into it, so that the run can be told from others and repeated.
fn prepare(args: &TrainArgs, config: &TrainConfig) -> Result<()> {
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|error| failed(format!("{}: {error}", path.display())))
    };
    fs::create_dir_all(&args.out)
        .map_err(|error| failed(format!("--out {}: {error}", args.out.display())))?;
    write(&args.out.join("train.toml"), &config.to_toml().map_err(failure)?)?;
    Ok(())
}

/// What an error of the training means for the exit code.
pub fn failure(error: TrainError) -> Failure {
    match &error {
        TrainError::Compute(_) | TrainError::Io { .. } | TrainError::NotFinite { .. } => {
            let text = error.to_string().to_lowercase();
            let failure = failed(&error);
            match text.contains("out of memory") || text.contains("out_of_memory") {
                true => failure.hint(
                    "use less memory: --set run.recompute=true, a smaller data.sequences with a larger data.accumulate, \
                     or base.precision=4bit; the last checkpoint is kept for --resume",
                ),
                false => failure,
            }
        }
        _ => bad_input(error),
    }
}
