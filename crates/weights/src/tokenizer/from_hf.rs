//! A GGUF file's tokenizer metadata out of `tokenizer.json` and `tokenizer_config.json`.

use super::TokenizerError;
use crate::metadata::Metadata;
use serde_json::{Map, Value};
use std::collections::HashMap;

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Adds to `metadata` the `tokenizer.ggml.*` pairs that give the ids of a HF tokenizer. `tokenizer` is the text of
/// `tokenizer.json`, `config` that of `tokenizer_config.json`; `vocab_size` is that of the model, which may have
/// rows for more tokens than there are. `metadata` says the architecture.
///
/// # Errors
/// When a text is no JSON, the tokenizer is no byte-level or SentencePiece BPE that Hangtag knows, or is damaged.
pub fn metadata_from_hf(
    metadata: &mut Metadata,
    tokenizer: &str,
    config: &str,
    vocab_size: usize,
) -> Result<(), TokenizerError> {
    let json: Value = parse("tokenizer.json", tokenizer)?;
    let config: Value = parse("tokenizer_config.json", config)?;
    let model = &json["model"];
    if model["type"] != "BPE" {
        return Err(TokenizerError::UnsupportedModel { model: model["type"].to_string() });
    }
    let sentence_piece = model["byte_fallback"] == true;
    let mut tokens = Tokens::read(&json, vocab_size)?;
    if sentence_piece {
        tokens.mark_bytes();
        tokens.mark(model["unk_token"].as_str(), UNKNOWN);
    }
    let merges = merges(model)?;
    metadata.insert("tokenizer.ggml.model", if sentence_piece { "llama" } else { "gpt2" });
    if sentence_piece {
        metadata.insert("tokenizer.ggml.add_space_prefix", space_prefix(&json)?);
        metadata.insert("tokenizer.ggml.pre", "default");
        metadata.insert("tokenizer.ggml.scores", scores(&tokens.texts, &merges));
    } else {
        if !json["normalizer"].is_null() {
            return Err(unsupported(&json["normalizer"]));
        }
        let phi = metadata.opt_str("general.architecture")? == Some("phi2");
        metadata.insert("tokenizer.ggml.pre", pre_tokenizer(&json["pre_tokenizer"], phi)?);
        let lines: Vec<String> = merges.iter().map(|(l, r)| format!("{l} {r}")).collect();
        metadata.insert("tokenizer.ggml.merges", lines);
    }
    let roles = [
        ("bos_token", "tokenizer.ggml.bos_token_id"),
        ("eos_token", "tokenizer.ggml.eos_token_id"),
        ("unk_token", "tokenizer.ggml.unknown_token_id"),
        ("pad_token", "tokenizer.ggml.padding_token_id"),
    ];
    for (role, key) in roles {
        if let Some(id) = token_of(&config[role]).and_then(|text| tokens.ids.get(text)) {
            metadata.insert(key, *id);
        }
    }
    let begins = json["post_processor"].to_string().contains("\"SpecialToken\"");
    metadata.insert("tokenizer.ggml.add_bos_token", begins);
    if let Some(template) = config["chat_template"].as_str() {
        metadata.insert("tokenizer.chat_template", template);
    }
    metadata.insert("tokenizer.ggml.tokens", tokens.texts);
    metadata.insert("tokenizer.ggml.token_type", tokens.kinds);
    // The last contradictions show when the tokenizer is made.
    #[cfg(feature = "tokenizer")]
    super::Tokenizer::from_gguf(metadata)?;
    Ok(())
}

fn parse(file: &str, text: &str) -> Result<Value, TokenizerError> {
    serde_json::from_str(text).map_err(|error| TokenizerError::bad(format!("{file}: {error}")))
}

/// A token as a text, or as an object with its text as `content`.
fn token_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// Texts and kinds by id.
struct Tokens {
    texts: Vec<String>,
    kinds: Vec<i32>,
    ids: HashMap<String, u32>,
}

impl Tokens {
    fn read(json: &Value, vocab_size: usize) -> Result<Self, TokenizerError> {
        // llama.cpp's converter fills up with such names as well.
        let texts = (0..vocab_size).map(|id| format!("[PAD{id}]")).collect();
        let mut tokens = Self { texts, kinds: vec![UNUSED; vocab_size], ids: HashMap::new() };
        let vocab = json["model"]["vocab"].as_object();
        for (text, id) in vocab.unwrap_or(&Map::new()) {
            tokens.set(text, id, NORMAL)?;
        }
        for added in json["added_tokens"].as_array().unwrap_or(&Vec::new()) {
            let kind = if added["special"] == true { CONTROL } else { USER_DEFINED };
            tokens.set(token_of(added).unwrap_or_default(), &added["id"], kind)?;
        }
        Ok(tokens)
    }

    fn set(&mut self, text: &str, id: &Value, kind: i32) -> Result<(), TokenizerError> {
        let place = id.as_u64().and_then(|id| usize::try_from(id).ok());
        match place.filter(|&place| place < self.texts.len()) {
            None => Err(TokenizerError::bad(format!(
                "tokenizer.json: token {text:?} has id {id} in a model of {} tokens",
                self.texts.len()
            ))),
            Some(place) => {
                text.clone_into(&mut self.texts[place]);
                self.kinds[place] = kind;
                self.ids.insert(text.to_owned(), place as u32);
                Ok(())
            }
        }
    }

    fn mark(&mut self, text: Option<&str>, kind: i32) {
        if let Some(&id) = text.and_then(|text| self.ids.get(text)) {
            self.kinds[id as usize] = kind;
        }
    }

    fn mark_bytes(&mut self) {
        for byte in 0..=u8::MAX {
            self.mark(Some(&format!("<0x{byte:02X}>")), BYTE);
        }
    }
}

/// Merges by rank: pairs, or as older files have them, texts with a space between.
fn merges(model: &Value) -> Result<Vec<(String, String)>, TokenizerError> {
    let bad = |rank: usize| TokenizerError::bad(format!("tokenizer.json: merge {rank} is no pair"));
    let merges = model["merges"].as_array().ok_or_else(|| bad(0))?;
    let pair = |value: &Value| match value {
        Value::String(text) => {
            text.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()))
        }
        value => Some((value[0].as_str()?.to_owned(), value[1].as_str()?.to_owned())),
    };
    merges.iter().enumerate().map(|(rank, value)| pair(value).ok_or_else(|| bad(rank))).collect()
}

/// A score for each token that puts those made by merges in the order of the merges, as SentencePiece's scores do.
fn scores(texts: &[String], merges: &[(String, String)]) -> Vec<f32> {
    let mut ranks: HashMap<String, usize> = HashMap::new();
    for (left, right) in merges {
        let next = ranks.len();
        ranks.entry(format!("{left}{right}")).or_insert(next);
    }
    let unmade = ranks.len();
    texts.iter().map(|text| -(*ranks.get(text).unwrap_or(&unmade) as f32)).collect()
}

/// llama.cpp's name of the way that text is split.
fn pre_tokenizer(json: &Value, phi: bool) -> Result<&'static str, TokenizerError> {
    let is_gpt2 = |json: &Value| {
        json["type"] == "ByteLevel"
            && json["add_prefix_space"] == false
            && json["use_regex"] != false
    };
    let is_digits = |json: &Value| json["type"] == "Digits" && json["individual_digits"] == true;
    let parts = json["pretokenizers"].as_array().map(Vec::as_slice).unwrap_or_default();
    match parts {
        [digits, gpt2] if is_digits(digits) && is_gpt2(gpt2) => Ok("smollm"),
        [] if is_gpt2(json) => Ok(if phi { "phi-2" } else { "gpt-2" }),
        _ => Err(unsupported(json)),
    }
}

/// Whether a text gets a space before its first word; by a normalizer in older files, by a pre-tokenizer in newer.
fn space_prefix(json: &Value) -> Result<bool, TokenizerError> {
    let (normalizer, pre_tokenizer) = (&json["normalizer"], &json["pre_tokenizer"]);
    let steps =
        normalizer["normalizers"].as_array().map_or(std::slice::from_ref(normalizer), |all| all);
    let shows_spaces = |step: &Value| {
        step["type"] == "Replace" && step["pattern"]["String"] == " " && step["content"] == "▁"
    };
    let prepends = |step: &Value| step["type"] == "Prepend" && step["prepend"] == "▁";
    match steps {
        [prepend, replace]
            if pre_tokenizer.is_null() && prepends(prepend) && shows_spaces(replace) =>
        {
            Ok(true)
        }
        [replace] if pre_tokenizer.is_null() && shows_spaces(replace) => Ok(false),
        [none] if none.is_null() && pre_tokenizer["type"] == "Metaspace" => {
            let as_llama = pre_tokenizer["replacement"] == "▁" && pre_tokenizer["split"] == false;
            match pre_tokenizer["prepend_scheme"].as_str() {
                Some("first" | "always") if as_llama => Ok(true),
                Some("never") if as_llama => Ok(false),
                _ => Err(unsupported(pre_tokenizer)),
            }
        }
        _ => Err(unsupported(if pre_tokenizer.is_null() { normalizer } else { pre_tokenizer })),
    }
}

fn unsupported(json: &Value) -> TokenizerError {
    TokenizerError::UnsupportedPreTokenizer { pre: json.to_string() }
}
