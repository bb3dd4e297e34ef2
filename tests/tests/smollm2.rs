//! The real SmolLM2-135M file against candle-transformers' quantised llama on the CPU.

use anyhow::{Context, Result};
use candle_core::quantized::gguf_file;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use hangtag_engine::{Engine, EngineOptions, Job, RowRequest};
use hangtag_tests::compare::{argmax, assert_close, nmse};
use hangtag_tests::engines::{gpu, load, run, small_options};
use hangtag_tests::require::require;
use hangtag_weights::{FileSource, Gguf, Position, Tokenizer, fetch};
use std::path::Path;
use std::sync::Once;

const NEW_TOKENS: usize = 32;
/// Rows share what comes before them; the prompts are this and one of [`PROMPTS`].
const PREFIX: &str = "### Product\n";
const PROMPTS: [&str; 5] = [
    "Linen shirt, blue, size M\n### Color\n",
    "The capital of France is",
    "Table lamp of brass, 38 cm high, 230 V\n### Height\n",
    "Running shoes for men by Fjell, 240 g, black and white, with a sole of natural rubber\n### Brand\n",
    "Écharpe en laine 🧣 (180 × 30 cm)\n",
];

/// One prompt's tokens, and what candle makes of them.
struct Expected {
    suffix: Vec<u32>,
    last_logits: Vec<f32>,
    greedy: Vec<u32>,
}

/// Makes candle compute with dequantised f32 weights: its fast kernels also round the activations to 8 bits, which
/// changes logits by a percent. Call it first in every test of this file.
fn exact_candle() {
    static ONCE: Once = Once::new();
    // SAFETY: all tests of this program begin here, and `Once` holds the others back meanwhile, so that no other thread
    // is past its first line and none reads the environment.
    ONCE.call_once(|| unsafe { std::env::set_var("CANDLE_DEQUANTIZE_ALL", "1") });
}

fn candle(path: &Path, prefix: &[u32], suffixes: &[Vec<u32>]) -> Result<Vec<Expected>> {
    let mut file = std::fs::File::open(path)?;
    let content = gguf_file::Content::read(&mut file)?;
    let mut model = ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?;
    let mut answer = |suffix: &Vec<u32>| {
        let mut step = |tokens: &[u32], position: usize| -> Result<Vec<f32>> {
            let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
            Ok(model.forward(&input, position)?.squeeze(0)?.to_vec1()?)
        };
        let prompt = [prefix, suffix].concat();
        let last_logits = step(&prompt, 0)?;
        let mut greedy = vec![argmax(&last_logits)];
        while greedy.len() < NEW_TOKENS {
            let position = prompt.len() + greedy.len() - 1;
            greedy.push(argmax(&step(&greedy[greedy.len() - 1..], position)?));
        }
        Ok(Expected { suffix: suffix.clone(), last_logits, greedy })
    };
    suffixes.iter().map(&mut answer).collect()
}

/// The engine with the real model; `None` without a GPU.
fn engine(path: &Path) -> Result<Option<Engine>> {
    let Some(gpu) = gpu("SmolLM2", false) else { return Ok(None) };
    let gguf = pollster::block_on(Gguf::open(vec![FileSource::open(path)?]))?;
    let options = EngineOptions { context_tokens: 512, max_rows: 8, ..small_options() };
    Ok(Some(load(gpu, &gguf, options)?))
}

#[test]
fn logits_and_greedy_tokens_are_those_of_candle() -> Result<()> {
    exact_candle();
    let found = fetch::fetch("smollm2-135m", &fetch::cache_dir()?, &mut |_| {});
    let Some(path) = require("SmolLM2 against candle", found) else { return Ok(()) };
    let Some(mut engine) = engine(&path)? else { return Ok(()) };
    let gguf = pollster::block_on(Gguf::open(vec![FileSource::open(&path)?]))?;
    let tokenizer = Tokenizer::from_gguf(gguf.metadata())?;
    let prefix = tokenizer.encode(PREFIX, Position::Start)?;
    let suffixes = PROMPTS.iter().map(|prompt| tokenizer.encode(prompt, Position::Continuation));
    let expected = candle(&path, &prefix, &suffixes.collect::<Result<Vec<_>, _>>()?)?;

    check_logits(&mut engine, &prefix, &expected)?;

    let row = |suffix: &Vec<u32>| RowRequest { suffix: suffix.clone(), max_new_tokens: NEW_TOKENS };
    let rows: Vec<_> = expected.iter().map(|one| row(&one.suffix)).collect();
    let job = Job { prefix, rows, stop_tokens: vec![] };
    let (batched, _) = run(&mut engine, &job)?;
    for ((prompt, one), answer) in PROMPTS.iter().zip(&expected).zip(&batched) {
        assert_eq!(answer.ids(), one.greedy, "{prompt:?}: {:?}", tokenizer.decode(&answer.ids()));
    }
    check_single_rows(&mut engine, &job, &expected)
}

fn check_logits(engine: &mut Engine, prefix: &[u32], expected: &[Expected]) -> Result<()> {
    let mut all = Vec::new();
    for one in expected {
        let logits = pollster::block_on(engine.logits(&[prefix, &one.suffix].concat()))?;
        let last = &logits[logits.len() - one.last_logits.len()..];
        assert_close("SmolLM2, last position", last, &one.last_logits, 1e-4);
        all.push(last.to_vec());
    }
    // The bound must tell one prompt's logits from another's.
    let crossed = nmse(&all[0], &expected[1].last_logits);
    assert!(crossed > 1e-2, "two prompts differ by an NMSE of only {crossed:e}");
    Ok(())
}

/// Shorter answers, row by row with nothing cached: the batch above gave the same tokens.
fn check_single_rows(engine: &mut Engine, job: &Job, expected: &[Expected]) -> Result<()> {
    for (row, one) in job.rows.iter().zip(expected).take(3) {
        engine.clear_prefix_cache();
        let rows = vec![RowRequest { max_new_tokens: 6, ..row.clone() }];
        let (answers, _) = run(engine, &Job { rows, ..job.clone() })?;
        assert_eq!(answers.first().context("no answer")?.ids(), one.greedy[..6]);
    }
    Ok(())
}
