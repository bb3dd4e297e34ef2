//! A run on a tiny model: interrupted and resumed is the same as uninterrupted, to the bit.

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::Device;
use hangtag_task::{Product, TaskError, Tokenize};
use hangtag_weights::adapter::{Adapter, WEIGHTS_FILE};

use crate::base::Base;
use crate::config::{AdapterDtype, TrainConfig};
use crate::lora::Layout;
use crate::model_tests::golden;
use crate::trainer::{Ending, Run, TrainEvent, train};
use crate::{TrainError, checkpoint};

/// A byte a token, from 60 on.
struct Bytes;

impl Tokenize for Bytes {
    fn encode_start(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        self.encode_continuation(text)
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        Ok(text.bytes().map(|byte| 60 + u32::from(byte)).collect())
    }

    fn decode(&self, tokens: &[u32]) -> String {
        tokens.iter().map(|&token| token.saturating_sub(60) as u8 as char).collect()
    }
}

fn products() -> Vec<Product> {
    let row = |i: usize| {
        let text = format!("Shoe {i} red, size 4{i}");
        format!(
            r#"{{"id":"{i}","category":"Shoes","text":"{text}","features":{{"Size":"4{i}","Color":"red","Sole":null}}}}"#
        )
    };
    (0..6).filter_map(|i| Product::from_json(&row(i)).ok()).collect()
}

fn config() -> TrainConfig {
    let text = "[lora]\nrank = 2\ndropout = 0.1\n[data]\nlength = 128\nmax_prefix_tokens = 64\nsequences = 1\n\
                [augment]\nname_style = 0.3\n[optimizer]\nepochs = 2\n[run]\nlog_steps = 1\ncheckpoint_steps = 0\n";
    TrainConfig::from_toml(text, "test").unwrap()
}

fn run(
    base: &Base,
    config: &TrainConfig,
    out: &Path,
    resume: bool,
    stop_at: Option<u32>,
) -> Result<Ending, TrainError> {
    let products = products();
    let run = Run {
        config,
        base,
        base_name: "tiny",
        tokenizer: &Bytes,
        train: &products,
        val: &[],
        init: None,
        out,
    };
    train(&run, resume, &mut |event| match event {
        TrainEvent::Steps(report) if Some(report.step) == stop_at => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let mut base = golden("llama");
    // The tiny model knows 64 positions; its angles reach further.
    base.config.max_position_embeddings = 256;
    let (config, whole, parts) =
        (config(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(&base, &config, whole.path(), false, None).unwrap(), Ending::Finished);
    assert_eq!(run(&base, &config, parts.path(), false, Some(3)).unwrap(), Ending::Interrupted);
    let read = |folder: &Path| std::fs::read(checkpoint::path(folder)).unwrap();
    assert_ne!(read(whole.path()), read(parts.path()));
    assert_eq!(run(&base, &config, parts.path(), true, None).unwrap(), Ending::Finished);
    assert_eq!(read(whole.path()), read(parts.path()));

    let adapter = |folder: &Path| std::fs::read(folder.join(WEIGHTS_FILE)).unwrap();
    assert_eq!(adapter(whole.path()), adapter(parts.path()));

    let other = TrainConfig { seed: 2, ..config };
    let error = run(&base, &other, parts.path(), true, None).unwrap_err().to_string();
    assert!(error.contains("other data or settings"), "{error}");
}

/// The adapter of a run that stores it as `dtype`, and the parameters of the run's checkpoint.
fn adapter_and_checkpoint(base: &Base, dtype: AdapterDtype) -> (Vec<f32>, Vec<f32>) {
    let mut config = config();
    config.run.adapter_dtype = dtype;
    let folder = tempfile::tempdir().unwrap();
    run(base, &config, folder.path(), false, None).unwrap();
    let adapter = Adapter::load(folder.path(), &base.config, Some("tiny")).unwrap();
    let layout = Layout::new(&adapter.config, &base.config, &Device::Cpu).unwrap();
    let (_, state) = checkpoint::load(folder.path(), &Device::Cpu).unwrap();
    (layout.from_adapter(&adapter).unwrap(), state.parameters.to_vec1().unwrap())
}

#[test]
fn only_the_adapter_is_rounded() {
    let mut base = golden("llama");
    base.config.max_position_embeddings = 256;
    let (written, exact) = adapter_and_checkpoint(&base, AdapterDtype::F32);
    assert_eq!(written, exact);
    let (written, kept) = adapter_and_checkpoint(&base, AdapterDtype::F16);
    assert_eq!(kept, exact);
    assert_ne!(written, exact);
    let rounded: Vec<f32> =
        exact.iter().map(|&number| half::f16::from_f32(number).to_f32()).collect();
    assert_eq!(written, rounded);
}

/// What the trainer does where a GPU's memory is short.
#[test]
fn parts_of_a_step_and_blocks_computed_again_come_to_the_same() {
    let mut base = golden("llama");
    base.config.max_position_embeddings = 256;
    let trained = |sequences: usize, accumulate: usize, recompute: bool| {
        let mut config = config();
        (config.data.sequences, config.data.accumulate) = (sequences, accumulate);
        (config.run.recompute, config.lora.dropout) = (recompute, 0.0);
        let folder = tempfile::tempdir().unwrap();
        run(&base, &config, folder.path(), false, None).unwrap();
        let (_, state) = checkpoint::load(folder.path(), &Device::Cpu).unwrap();
        state.parameters.to_vec1::<f32>().unwrap()
    };
    let furthest = |one: &[f32], other: &[f32]| {
        one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let whole = trained(2, 1, false);
    assert!(furthest(&whole, &trained(1, 2, true)) < 1e-4);
    // Other steps are another run.
    assert!(furthest(&whole, &trained(1, 1, false)) > 1e-4);
}
