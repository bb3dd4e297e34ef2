//! Tiny models against what transformers computed with them (`goldens/README.md`), in every dtype that is stored.

use anyhow::Result;
use hangtag_engine::{Finish, Job, RowRequest};
use hangtag_tests::compare::{assert_close, nmse};
use hangtag_tests::engines::{gpu, load, run, small_options};
use hangtag_tests::goldens;
use hangtag_tests::reference::Reference;
use hangtag_tests::variants::Variant;
use hangtag_weights::{ByteSource, DType, Gguf, Position, Tokenizer};

/// Allowed NMSE between the engine and another implementation with the same weights.
const ENGINE_NMSE: f64 = 1e-5;
/// Allowed NMSE between two f32 computations on the CPU.
const CPU_NMSE: f64 = 1e-9;

/// The golden model `name` with its matrices widened to F32.
fn variant(name: &str) -> Result<Variant> {
    Variant::read(&goldens::open(name)?)
}

#[test]
fn tokenizers_give_the_recorded_ids() -> Result<()> {
    for name in goldens::NAMES {
        let tokenizer = Tokenizer::from_gguf(goldens::open(name)?.metadata())?;
        for prompt in goldens::prompts(name)? {
            assert_eq!(
                tokenizer.encode(&prompt.text, Position::Start)?,
                prompt.tokens,
                "{name}: {:?}",
                prompt.text
            );
            assert_eq!(tokenizer.decode(&prompt.tokens), prompt.text, "{name}");
        }
    }
    Ok(())
}

#[test]
fn the_reference_computes_what_transformers_did() -> Result<()> {
    for name in goldens::NAMES {
        let reference = Reference::load(&goldens::open(name)?)?;
        for prompt in goldens::prompts(name)? {
            assert_close(name, &reference.logits(&prompt.tokens)?, &prompt.logits, CPU_NMSE);
            assert_eq!(
                reference.greedy(&prompt.tokens, prompt.greedy.len())?,
                prompt.greedy,
                "{name}"
            );
        }
    }
    Ok(())
}

/// If one of these changes left the logits as they are, the goldens could not tell a right engine from a wrong one.
#[test]
fn the_goldens_notice_every_part_of_the_description() -> Result<()> {
    let wrong = |name: &str, change: &dyn Fn(&mut Reference)| -> Result<f64> {
        let mut reference = Reference::load(&goldens::open(name)?)?;
        change(&mut reference);
        let prompt = &goldens::prompts(name)?[2];
        Ok(nmse(&reference.logits(&prompt.tokens)?, &prompt.logits))
    };
    use hangtag_weights::{Mlp, Norm, RopeStyle};
    let errors = [
        ("mistral window", wrong("mistral", &|r| r.config.sliding_window = None)?),
        ("mistral window + 1", wrong("mistral", &|r| r.config.sliding_window = Some(9))?),
        ("llama rope", wrong("llama", &|r| r.config.rope_style = RopeStyle::Halves)?),
        ("llama theta", wrong("llama", &|r| r.config.rope_theta = 10_000.0)?),
        ("llama norm", wrong("llama", &|r| r.config.norm = Norm::LayerNorm)?),
        ("phi rotary", wrong("phi", &|r| r.config.rotary_dim = 16)?),
        ("phi block", wrong("phi", &|r| r.config.norm = Norm::RmsNorm)?),
        ("phi rope", wrong("phi", &|r| r.config.rope_style = RopeStyle::Interleaved)?),
    ];
    for (what, error) in errors {
        assert!(error > 100.0 * ENGINE_NMSE, "{what}: NMSE is only {error:e}");
    }
    assert_eq!(Reference::load(&goldens::open("phi")?)?.config.mlp, Mlp::GeluTanh);
    Ok(())
}

/// Logits of the engine for every prompt of `name` on the weights of `gguf`; `None` without a GPU.
fn engine_logits<S: ByteSource>(
    name: &str,
    gguf: &Gguf<S>,
    baseline: bool,
) -> Result<Option<Vec<Vec<f32>>>> {
    let Some(gpu) = gpu(&format!("{name}: logits"), baseline) else { return Ok(None) };
    let mut engine = load(gpu, gguf, small_options())?;
    let prompts = goldens::prompts(name)?;
    let logits =
        prompts.iter().map(|prompt| Ok(pollster::block_on(engine.logits(&prompt.tokens))?));
    Ok(Some(logits.collect::<Result<_>>()?))
}

#[test]
fn logits_are_those_of_transformers() -> Result<()> {
    for name in goldens::NAMES {
        let gguf = variant(name)?.open(DType::F32, DType::F32)?;
        for baseline in [true, false] {
            let Some(logits) = engine_logits(name, &gguf, baseline)? else { return Ok(()) };
            for (actual, prompt) in logits.iter().zip(goldens::prompts(name)?) {
                assert_close(
                    &format!("{name}, baseline {baseline}"),
                    actual,
                    &prompt.logits,
                    ENGINE_NMSE,
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_corrupted_weight_is_noticed() -> Result<()> {
    for name in goldens::NAMES {
        let mut variant = variant(name)?;
        let weight = variant.tensor_mut("blk.1.attn_output.weight");
        weight[..16].iter_mut().for_each(|number| *number = -*number);
        let gguf = variant.open(DType::F32, DType::F32)?;
        let Some(logits) = engine_logits(name, &gguf, false)? else { return Ok(()) };
        let error = nmse(&logits[2], &goldens::prompts(name)?[2].logits);
        assert!(
            error > 10.0 * ENGINE_NMSE,
            "{name}: half a row of wrong weights gives an NMSE of only {error:e}"
        );
    }
    Ok(())
}

#[test]
fn phi_with_separate_q_k_and_v_is_the_same_model() -> Result<()> {
    let mut variant = variant("phi")?;
    variant.split_qkv();
    let gguf = variant.open(DType::F32, DType::F32)?;
    let Some(logits) = engine_logits("phi", &gguf, false)? else { return Ok(()) };
    for (actual, prompt) in logits.iter().zip(goldens::prompts("phi")?) {
        assert_close("phi, separate q, k, v", actual, &prompt.logits, ENGINE_NMSE);
    }
    Ok(())
}

#[test]
fn stored_dtypes_compute_with_the_very_weights_of_the_file() -> Result<()> {
    let dtypes = [
        (DType::F16, DType::F16),
        (DType::BF16, DType::BF16),
        (DType::Q8_0, DType::Q8_0),
        (DType::Q4_0, DType::Q4_0),
        (DType::Q4_1, DType::Q4_1),
        (DType::Q4_0, DType::Q8_0),
        (DType::Q4_1, DType::F16),
    ];
    for name in goldens::NAMES {
        let variant = variant(name)?;
        for (matrices, ends) in dtypes {
            let gguf = variant.open(matrices, ends)?;
            let reference = Reference::load(&gguf)?;
            let Some(logits) = engine_logits(name, &gguf, false)? else { return Ok(()) };
            for (actual, prompt) in logits.iter().zip(goldens::prompts(name)?) {
                let what = format!("{name} in {matrices:?}, embedding and output in {ends:?}");
                assert_close(&what, actual, &reference.logits(&prompt.tokens)?, ENGINE_NMSE);
            }
        }
    }
    Ok(())
}

/// Quantising must matter here, else the test above would also pass with weights that were never quantised.
#[test]
fn quantised_weights_are_other_weights() -> Result<()> {
    for name in goldens::NAMES {
        let variant = variant(name)?;
        let prompt = &goldens::prompts(name)?[2];
        for dtype in [DType::Q8_0, DType::Q4_0, DType::Q4_1] {
            let logits = Reference::load(&variant.open(dtype, dtype)?)?.logits(&prompt.tokens)?;
            let error = nmse(&logits, &prompt.logits);
            assert!(error < 0.5, "{name} in {dtype:?}: NMSE {error:e}, the quantiser is wrong");
            // Q8_0 is near; it only has to differ.
            let least = if dtype == DType::Q8_0 { 1e-7 } else { 1e-3 };
            assert!(error > least, "{name} in {dtype:?}: NMSE is only {error:e}");
        }
    }
    Ok(())
}

#[test]
fn greedy_tokens_are_those_of_transformers() -> Result<()> {
    for name in goldens::NAMES {
        let gguf = variant(name)?.open(DType::F32, DType::F32)?;
        let Some(gpu) = gpu(&format!("{name}: greedy tokens"), false) else { return Ok(()) };
        let vocab_size = Reference::load(&gguf)?.config.vocab_size;
        let mut engine = load(gpu, &gguf, small_options())?;
        for prompt in goldens::prompts(name)? {
            // Where the prompt is cut into prefix and suffix must not matter.
            for cut in [1, prompt.tokens.len() / 2, prompt.tokens.len() - 1] {
                let (prefix, suffix) = prompt.tokens.split_at(cut);
                let rows = vec![RowRequest {
                    suffix: suffix.to_vec(),
                    max_new_tokens: prompt.greedy.len(),
                }];
                let job = Job { prefix: prefix.to_vec(), rows, stop_tokens: vec![] };
                let (answers, stats) = run(&mut engine, &job)?;
                assert_eq!(answers[0].ids(), prompt.greedy, "{name}, {cut} tokens of prefix");
                assert!(matches!(answers[0].finish, Finish::Length));
                assert_eq!(stats.generated_tokens, prompt.greedy.len());
                let last = &prompt.logits[prompt.logits.len() - vocab_size..];
                let expected = probability(last, prompt.greedy[0]);
                let actual = answers[0].tokens[0].probability;
                assert!(
                    (actual - expected).abs() < 1e-3,
                    "{name}: probability {actual}, expected {expected}"
                );
            }
        }
    }
    Ok(())
}

fn probability(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - max).exp()).sum();
    (logits[token as usize] - max).exp() / sum
}

#[test]
fn a_stop_token_ends_the_row_and_is_part_of_it() -> Result<()> {
    let gguf = variant("llama")?.open(DType::F32, DType::F32)?;
    let Some(gpu) = gpu("llama: stop tokens", false) else { return Ok(()) };
    let mut engine = load(gpu, &gguf, small_options())?;
    let prompt = &goldens::prompts("llama")?[1];
    let stop = prompt.greedy[5];
    let first = prompt.greedy.iter().position(|&token| token == stop).unwrap_or_default();
    let (prefix, suffix) = prompt.tokens.split_at(4);
    let rows = vec![RowRequest { suffix: suffix.to_vec(), max_new_tokens: 24 }];
    let job = Job { prefix: prefix.to_vec(), rows, stop_tokens: vec![319, stop] };
    let (answers, _) = run(&mut engine, &job)?;
    assert_eq!(answers[0].ids(), prompt.greedy[..=first]);
    assert!(matches!(answers[0].finish, Finish::Stop));
    Ok(())
}
