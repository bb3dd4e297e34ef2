//! Exports with an adapter merged in, against what PEFT and llama.cpp computed with it (`goldens/README.md`).

use anyhow::{Context, Result};
use hangtag_tests::compare::{assert_close, nmse};
use hangtag_tests::exports::exported;
use hangtag_tests::goldens;
use hangtag_tests::reference::Reference;
use hangtag_weights::export::{Base, GgufType};
use hangtag_weights::safetensors::SafeTensors;
use hangtag_weights::{Adapter, FileSource};
use pollster::block_on;
use serde::Deserialize;
use std::fs;

const NAMES: [&str; 2] = ["llama", "phi"];
/// Allowed NMSE between two f32 computations on the CPU.
const CPU_NMSE: f64 = 1e-9;

/// A prompt, and the tokens that llama.cpp answered while they were clear.
#[derive(Deserialize)]
struct Recorded {
    prompt: Vec<u32>,
    answer: Vec<u32>,
}

/// The golden model `name` with its adapter, after an export to `gguf_type`.
fn merged(name: &str, gguf_type: GgufType) -> Result<Reference> {
    let base = Base::open_gguf(vec![FileSource::open(goldens::path(&format!("{name}.gguf")))?])?;
    let adapter = goldens::path(&format!("{name}-adapter"));
    let adapter = Adapter::load(&adapter, base.config(), None)?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("exported");
    Reference::load(&exported(&base, Some(&adapter), gguf_type, &out)?)
}

/// The longest prompt's tokens, and PEFT's logits for it.
fn peft_logits(name: &str) -> Result<(Vec<u32>, Vec<f32>)> {
    let prompt = goldens::prompts(name)?.pop().context("no prompts")?.tokens;
    let file = goldens::path(&format!("{name}-adapter/merged.safetensors"));
    let file = block_on(SafeTensors::open(FileSource::open(file)?))?;
    let rows = file.tensor("logits")?.rows();
    Ok((prompt, block_on(file.read_rows("logits", 0..rows))?))
}

#[test]
fn merged_models_compute_what_peft_did() -> Result<()> {
    for name in NAMES {
        let (prompt, expected) = peft_logits(name)?;
        let merged = merged(name, GgufType::F32)?.logits(&prompt)?;
        assert_close(name, &merged, &expected, CPU_NMSE);
        let base = Reference::load(&goldens::open(name)?)?.logits(&prompt)?;
        let error = nmse(&base, &expected);
        assert!(
            error > 1e-3,
            "{name}: the adapter changes so little ({error:e}) that nobody would miss it"
        );
    }
    Ok(())
}

#[test]
fn merged_models_answer_as_llama_cpp() -> Result<()> {
    for name in NAMES {
        let reference = merged(name, GgufType::F32)?;
        let file = goldens::path(&format!("{name}-adapter/llama_cpp.json"));
        let recorded: Vec<Recorded> = serde_json::from_str(&fs::read_to_string(file)?)?;
        assert_eq!(recorded.len(), 20);
        for Recorded { prompt, answer } in recorded {
            assert_eq!(reference.greedy(&prompt, answer.len())?, answer, "{name}");
        }
    }
    Ok(())
}

#[test]
fn fewer_bits_are_further_away() -> Result<()> {
    for name in NAMES {
        let (prompt, expected) = peft_logits(name)?;
        let mut errors = Vec::new();
        for gguf_type in [GgufType::F16, GgufType::Q8_0, GgufType::Q4_0] {
            errors.push(nmse(&merged(name, gguf_type)?.logits(&prompt)?, &expected));
        }
        assert!(errors.is_sorted() && errors[0] < 1e-5 && errors[2] < 0.5, "{name}: {errors:?}");
    }
    Ok(())
}
