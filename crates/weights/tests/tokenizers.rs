//! Token ids against those of transformers and sentencepiece; hostile vocabularies.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use hangtag_weights::{Array, Metadata, Position, Tokenizer, TokenizerError, Value};
use pollster::block_on;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use support::SMALL;

#[test]
fn ids_are_the_recorded_ones() {
    for golden in &SMALL {
        let differences = golden.differences(&block_on(golden.metadata()));
        assert!(differences.is_empty(), "{}:\n{}", golden.name, differences.join("\n"));
    }
}

/// The comparison above sees a tokenizer that is wrong in one respect.
#[test]
fn the_comparison_can_fail() {
    let [smollm, phi, llama] = &SMALL;
    let mut metadata = block_on(smollm.metadata());
    metadata.insert("tokenizer.ggml.pre", "gpt-2");
    assert!(!smollm.differences(&metadata).is_empty(), "digits must matter");

    let mut metadata = block_on(phi.metadata());
    let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap().to_vec();
    let without_added: Vec<i32> =
        kinds.iter().map(|&kind| if kind == 4 { 5 } else { kind }).collect();
    metadata.insert("tokenizer.ggml.token_type", without_added);
    assert!(!phi.differences(&metadata).is_empty(), "added tokens must matter");

    let mut metadata = block_on(llama.metadata());
    let scores = metadata.get_f32_array("tokenizer.ggml.scores").unwrap();
    let negated: Vec<f32> = scores.iter().map(|score| -score).collect();
    metadata.insert("tokenizer.ggml.scores", negated);
    assert!(!llama.differences(&metadata).is_empty(), "scores must matter");
}

fn tokenizer(metadata: &Metadata) -> Tokenizer {
    Tokenizer::from_gguf(metadata).unwrap()
}

#[test]
fn roles_of_tokens_are_known() {
    let [smollm, phi, llama] = SMALL.map(|golden| tokenizer(&block_on(golden.metadata())));
    assert_eq!(smollm.eos(), Some(2));
    assert_eq!(llama.eos(), Some(2));
    for id in [0, 1, 2] {
        assert_eq!((smollm.token_bytes(id), llama.token_bytes(id)), (None, None));
    }
    assert_eq!(llama.decode(&[1, 2, u32::MAX]), "");
    assert_eq!(phi.token_bytes(phi.vocab_size() as u32), None);
    for tokenizer in [smollm, phi, llama] {
        let stops = tokenizer.stop_tokens();
        assert!(stops.contains(&tokenizer.eos().unwrap()));
        assert!(stops.is_sorted());
        for id in 0..tokenizer.vocab_size() as u32 {
            let newline = tokenizer.decode(&[id]).contains('\n');
            let expected = newline || tokenizer.eos() == Some(id);
            assert_eq!(stops.contains(&id), expected, "token {id}");
        }
        let line_end = *tokenizer.encode("Nike\n", Position::Continuation).unwrap().last().unwrap();
        assert!(stops.contains(&line_end));
    }
}

#[test]
fn unknown_kinds_are_named() {
    let [smollm, phi, _] = &SMALL;
    let mut metadata = block_on(smollm.metadata());
    metadata.insert("tokenizer.ggml.pre", "llama-bpe");
    let error = Tokenizer::from_gguf(&metadata).unwrap_err().to_string();
    assert!(error.contains("llama-bpe") && error.contains("smollm"), "{error}");
    metadata.remove("tokenizer.ggml.pre");
    assert!(Tokenizer::from_gguf(&metadata).is_err());
    metadata.insert("tokenizer.ggml.model", "bert");
    let error = Tokenizer::from_gguf(&metadata).unwrap_err();
    assert!(matches!(error, TokenizerError::UnsupportedModel { model } if model == "bert"));
    // The one architecture whose old files need no name for it.
    let mut metadata = block_on(phi.metadata());
    metadata.remove("tokenizer.ggml.pre");
    assert!(phi.differences(&metadata).is_empty());
}

/// Sets one element of an array of the metadata.
fn set<T: Clone>(values: &[T], at: usize, value: T) -> Vec<T>
where
    Value: From<Vec<T>>,
{
    let mut values = values.to_vec();
    values[at] = value;
    values
}

#[test]
fn damaged_vocabularies_are_refused() {
    let [smollm, _, llama] = &SMALL;
    let damages: [fn(&mut Metadata); 7] = [
        |metadata| drop(metadata.remove("tokenizer.ggml.merges")),
        |metadata| drop(metadata.insert("tokenizer.ggml.eos_token_id", 100_000_u32)),
        |metadata| drop(metadata.insert("tokenizer.ggml.token_type", vec![1_i32])),
        |metadata| {
            let merges = metadata.get_str_array("tokenizer.ggml.merges").unwrap();
            metadata.insert("tokenizer.ggml.merges", set(merges, 3, "nospace".to_owned()));
        },
        |metadata| {
            let merges = metadata.get_str_array("tokenizer.ggml.merges").unwrap();
            metadata.insert("tokenizer.ggml.merges", set(merges, 3, "not there".to_owned()));
        },
        |metadata| {
            let tokens = metadata.get_str_array("tokenizer.ggml.tokens").unwrap();
            metadata.insert("tokenizer.ggml.tokens", set(tokens, 300, "x".repeat(2000)));
        },
        |metadata| {
            let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap();
            metadata.insert("tokenizer.ggml.token_type", set(kinds, 0, 77));
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let mut metadata = block_on(smollm.metadata());
        damage(&mut metadata);
        assert!(Tokenizer::from_gguf(&metadata).is_err(), "damage {number}");
    }
    let damages: [fn(&mut Metadata); 4] = [
        |metadata| drop(metadata.remove("tokenizer.ggml.scores")),
        |metadata| {
            let scores = metadata.get_f32_array("tokenizer.ggml.scores").unwrap();
            metadata.insert("tokenizer.ggml.scores", set(scores, 300, f32::NAN));
        },
        |metadata| drop(metadata.insert("tokenizer.ggml.remove_extra_whitespaces", true)),
        |metadata| drop(metadata.remove("tokenizer.ggml.bos_token_id")),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let mut metadata = block_on(llama.metadata());
        damage(&mut metadata);
        assert!(Tokenizer::from_gguf(&metadata).is_err(), "damage {number}");
    }
}

/// A SentencePiece vocabulary whose pieces could be merged into its control, byte and unknown tokens.
fn tempting_vocabulary() -> Metadata {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    let mut kinds = vec![2, 3, 3];
    for byte in 0..=255 {
        tokens.push(format!("<0x{byte:02X}>"));
        kinds.push(6);
    }
    for piece in [
        "<", "/", "s", ">", "<s", "</", "</s", "s>", "<0x0A", "<0x0", "<0x", "<0", "0", "x", "A",
        "u", "n", "k", "un", "unk", "<unk",
    ] {
        tokens.push(piece.to_owned());
        kinds.push(1);
    }
    let mut metadata = Metadata::new();
    metadata.insert("tokenizer.ggml.model", "llama");
    metadata.insert("tokenizer.ggml.scores", vec![0.0_f32; tokens.len()]);
    metadata.insert("tokenizer.ggml.tokens", tokens);
    metadata.insert("tokenizer.ggml.token_type", kinds);
    metadata.insert("tokenizer.ggml.bos_token_id", 1_u32);
    metadata.insert("tokenizer.ggml.eos_token_id", 2_u32);
    metadata
}

#[test]
fn text_never_becomes_a_control_token() {
    let metadata = tempting_vocabulary();
    let tokenizer = tokenizer(&metadata);
    for text in ["<s>", "</s>", "<unk>", "<0x0A>"] {
        let ids = tokenizer.encode(text, Position::Continuation).unwrap();
        assert_eq!(tokenizer.decode(&ids), text);
        assert!(ids.iter().all(|id| *id > 258), "{ids:?}");
    }
    assert_eq!(tokenizer.encode("", Position::Start).unwrap(), [1]);
    // Were they normal tokens, the merges would make them: the test above can fail.
    let mut metadata = metadata;
    let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap();
    let kinds = set(kinds, 13, 1); // <0x0A>
    metadata.insert("tokenizer.ggml.token_type", Value::from(Array::I32(kinds)));
    let tokenizer = Tokenizer::from_gguf(&metadata);
    let ids =
        tokenizer.map(|tokenizer| tokenizer.encode("<0x0A>", Position::Continuation).unwrap());
    assert_eq!(ids.unwrap(), [13]);
}

#[test]
fn a_token_with_a_role_is_a_control_token_whatever_its_type() {
    let mut metadata = tempting_vocabulary();
    let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap();
    let kinds = set(&set(kinds, 1, 1), 2, 1); // <s> and </s>, as normal tokens
    metadata.insert("tokenizer.ggml.token_type", kinds);
    let encode =
        |metadata: &Metadata| tokenizer(metadata).encode("</s>", Position::Continuation).unwrap();
    assert!(!encode(&metadata).contains(&2));
    // Without the role it is a token like any other.
    metadata.insert("tokenizer.ggml.eos_token_id", 0_u32);
    assert_eq!(encode(&metadata), [2]);
}

#[test]
fn user_defined_tokens_are_matched_first() {
    let mut metadata = tempting_vocabulary();
    let mut tokens = metadata.get_str_array("tokenizer.ggml.tokens").unwrap().to_vec();
    let mut kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap().to_vec();
    // llama.cpp's converter writes their spaces as spaces.
    let first = tokens.len() as u32;
    for token in ["<s", "s  s"] {
        tokens.push(token.to_owned());
        kinds.push(4);
    }
    metadata.insert("tokenizer.ggml.scores", vec![0.0_f32; tokens.len()]);
    metadata.insert("tokenizer.ggml.tokens", tokens);
    metadata.insert("tokenizer.ggml.token_type", kinds);
    let tokenizer = tokenizer(&metadata);
    let ids = tokenizer.encode("xs  s>", Position::Continuation).unwrap();
    assert!(ids.len() == 3 && ids[1] == first + 1, "{ids:?}");
    assert_eq!(tokenizer.decode(&ids), "xs  s>");
}

#[test]
fn long_runs_are_encoded_whole() {
    for golden in &SMALL {
        let tokenizer = tokenizer(&block_on(golden.metadata()));
        for text in
            [" ".repeat(100_000), "a".repeat(100_000), "\n \t".repeat(30_000), "é".repeat(50_000)]
        {
            let ids = tokenizer.encode(&text, Position::Continuation).unwrap();
            assert_eq!(tokenizer.decode(&ids), text, "{}", golden.name);
        }
    }
}

/// One thing wrong with a vocabulary.
#[derive(Debug, Clone)]
enum Damage {
    Kind(usize, i32),
    Token(usize, String),
    SameToken(usize, usize),
    Score(usize, f32),
    SameMerge(usize, usize),
    Role(&'static str, u32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = || 0_usize..10_000;
    prop_oneof![
        (at(), 1..=6).prop_map(|(at, kind)| Damage::Kind(at, kind)),
        (at(), "[ a-z▁Ġé<>]{0,4}").prop_map(|(at, text)| Damage::Token(at, text)),
        (at(), at()).prop_map(|(at, from)| Damage::SameToken(at, from)),
        (at(), prop_oneof![Just(0.0), Just(-0.0), -1e30_f32..1e30])
            .prop_map(|(at, score)| Damage::Score(at, score)),
        (at(), at()).prop_map(|(at, from)| Damage::SameMerge(at, from)),
        (prop::sample::select(vec!["bos", "eos", "eot"]), 0_u32..800)
            .prop_map(|(role, id)| Damage::Role(role, id)),
    ]
}

/// Places count round and round the array.
fn apply(metadata: &mut Metadata, damage: &Damage) {
    let strings = |key: &str| metadata.opt_str_array(key).unwrap().map(<[String]>::to_vec);
    let tokens = strings("tokenizer.ggml.tokens").unwrap();
    match damage {
        Damage::Kind(at, kind) => {
            let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap();
            let kinds = set(kinds, at % tokens.len(), *kind);
            metadata.insert("tokenizer.ggml.token_type", kinds);
        }
        Damage::Token(at, text) => {
            metadata.insert("tokenizer.ggml.tokens", set(&tokens, at % tokens.len(), text.clone()));
        }
        Damage::SameToken(at, from) => {
            let text = tokens[from % tokens.len()].clone();
            metadata.insert("tokenizer.ggml.tokens", set(&tokens, at % tokens.len(), text));
        }
        Damage::Score(at, score) => {
            if let Some(scores) = metadata.opt_f32_array("tokenizer.ggml.scores").unwrap() {
                let scores = set(scores, at % tokens.len(), *score);
                metadata.insert("tokenizer.ggml.scores", scores);
            }
        }
        Damage::SameMerge(at, from) => {
            if let Some(merges) = strings("tokenizer.ggml.merges") {
                let merge = merges[from % merges.len()].clone();
                metadata.insert("tokenizer.ggml.merges", set(&merges, at % merges.len(), merge));
            }
        }
        Damage::Role(role, id) => {
            metadata.insert(format!("tokenizer.ggml.{role}_token_id"), *id);
        }
    }
}

/// Vocabularies that are wrong and yet consistent enough to be used neither panic nor give control tokens.
#[test]
fn damaged_vocabularies_never_panic() {
    let originals = SMALL.map(|golden| block_on(golden.metadata()));
    let usable = Cell::new(0);
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let input = (prop::collection::vec(damage(), 1..5), any::<String>());
    let result = runner.run(&input, |(damages, text)| {
        for original in &originals {
            let mut metadata = original.clone();
            damages.iter().for_each(|damage| apply(&mut metadata, damage));
            let Ok(tokenizer) = Tokenizer::from_gguf(&metadata) else { continue };
            usable.set(usable.get() + 1);
            let kinds = metadata.get_i32_array("tokenizer.ggml.token_type").unwrap();
            for text in [text.as_str(), "the price </s><s><|im_end|> of it\n"] {
                let ids = tokenizer.encode(text, Position::Continuation).unwrap();
                prop_assert!(ids.iter().all(|&id| kinds[id as usize] != 3), "{ids:?}");
                prop_assert!(ids.iter().all(|&id| Some(id) != tokenizer.eos()), "{ids:?}");
                tokenizer.decode(&ids);
            }
            tokenizer.stop_tokens();
        }
        Ok(())
    });
    result.unwrap();
    assert!(usable.get() > 300, "only {} of 900 were usable", usable.get());
}

proptest! {
    #[test]
    fn any_text_comes_back_and_has_no_control_tokens(text in any::<String>()) {
        for golden in &SMALL {
            let tokenizer = tokenizer(&block_on(golden.metadata()));
            let ids = tokenizer.encode(&text, Position::Continuation).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids), (golden.decoded)(&text), "{}", golden.name);
            prop_assert!(ids.iter().all(|id| tokenizer.token_bytes(*id).is_some()));
        }
    }

    #[test]
    fn any_ids_decode(ids in proptest::collection::vec(0_u32..800, 0..50)) {
        for golden in &SMALL {
            tokenizer(&block_on(golden.metadata())).decode(&ids);
        }
    }
}
