//! `tokenizer.json` and `tokenizer_config.json` out of a GGUF file's metadata.

use super::vocabulary::{Kind, Vocabulary};
use super::{TokenizerError, byte_level, sentence_piece};
use crate::metadata::Metadata;
use serde_json::{Map, Value, json};

/// The texts of a HF folder's tokenizer files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfTokenizer {
    /// `tokenizer.json`, for the `tokenizers` library.
    pub tokenizer_json: String,
    /// `tokenizer_config.json`, for transformers.
    pub config_json: String,
}

impl HfTokenizer {
    /// Builds the files that give the ids of the tokenizer in `metadata`. Unlike
    /// [`Tokenizer`](super::Tokenizer), HF's libraries turn a control token's name in a text into the token.
    ///
    /// # Errors
    /// When the kind of tokenizer is not supported, or the vocabulary is damaged.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let vocabulary = Vocabulary::read(metadata)?;
        let model = metadata.get_str("tokenizer.ggml.model")?;
        let (mut json, add_bos) = match model {
            "gpt2" => (byte_level_json(metadata, &vocabulary)?, false),
            "llama" => (sentence_piece_json(metadata, &vocabulary)?, true),
            other => return Err(TokenizerError::UnsupportedModel { model: other.to_owned() }),
        };
        json["version"] = "1.0".into();
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        json["added_tokens"] = added_tokens(&vocabulary, model == "llama");
        let add_bos = metadata.opt_bool("tokenizer.ggml.add_bos_token")?.unwrap_or(add_bos);
        if let Some(id) = vocabulary.bos.filter(|_| add_bos) {
            json["post_processor"] = begins_with(id, text_of(&vocabulary, id));
        }
        Ok(Self {
            tokenizer_json: pretty(&json)?,
            config_json: pretty(&config(metadata, &vocabulary)?)?,
        })
    }
}

fn pretty(json: &Value) -> Result<String, TokenizerError> {
    Ok(serde_json::to_string_pretty(json).map_err(TokenizerError::encode)? + "\n")
}

fn byte_level_json(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<Value, TokenizerError> {
    let bytes = |trim_offsets: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": trim_offsets, "use_regex": true,
        })
    };
    let pre_tokenizer = if byte_level::digits_alone(metadata)? {
        let digits = json!({ "type": "Digits", "individual_digits": true });
        json!({ "type": "Sequence", "pretokenizers": [digits, bytes(true)] })
    } else {
        bytes(true)
    };
    let merges = byte_level::merges(metadata, vocabulary)?;
    Ok(json!({
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": bytes(false),
        "decoder": bytes(true),
        "model": bpe(vocab(vocabulary, false), merges, None, false),
    }))
}

fn sentence_piece_json(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<Value, TokenizerError> {
    sentence_piece::refuse_normalizers(metadata)?;
    let space_prefix = metadata.opt_bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let prepend = json!({ "type": "Prepend", "prepend": "▁" });
    let normalizers = if space_prefix { vec![prepend, replace] } else { vec![replace] };
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if space_prefix {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let unknown = vocabulary.of_kind(Kind::Unknown).next().map(|(_, text)| text);
    let merges = sentence_piece::merges(metadata, vocabulary)?;
    Ok(json!({
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": bpe(vocab(vocabulary, true), merges, unknown, true),
    }))
}

fn bpe(
    vocab: Map<String, Value>,
    merges: Vec<(String, String)>,
    unknown: Option<&str>,
    byte_fallback: bool,
) -> Value {
    // Pairs as text are read by old and new versions alike; no token here holds a space.
    let merges: Vec<String> =
        merges.into_iter().map(|(left, right)| format!("{left} {right}")).collect();
    json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": unknown,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": byte_fallback,
        "byte_fallback": byte_fallback,
        "ignore_merges": false,
        "vocab": vocab,
        "merges": merges,
    })
}

/// All tokens with their ids; of several with one text, the first.
fn vocab(vocabulary: &Vocabulary<'_>, spaces_shown: bool) -> Map<String, Value> {
    let mut vocab = Map::new();
    for (id, text, kind) in vocabulary.tokens() {
        let text = added_text(text, kind, spaces_shown);
        vocab.entry(text).or_insert_with(|| id.into());
    }
    vocab
}

/// Tokens found in a text before anything else stand in it as they are, with spaces.
fn added_text(text: &str, kind: Kind, spaces_shown: bool) -> String {
    if spaces_shown && kind == Kind::UserDefined {
        text.replace('▁', " ")
    } else {
        text.to_owned()
    }
}

fn added_tokens(vocabulary: &Vocabulary<'_>, spaces_shown: bool) -> Value {
    let is_added = |kind| matches!(kind, Kind::Control | Kind::Unknown | Kind::UserDefined);
    vocabulary
        .tokens()
        .filter(|(_, text, kind)| is_added(*kind) && !text.is_empty())
        .map(|(id, text, kind)| {
            json!({
                "id": id,
                "content": added_text(text, kind, spaces_shown),
                "single_word": false,
                "lstrip": false,
                "rstrip": false,
                "normalized": false,
                "special": kind != Kind::UserDefined,
            })
        })
        .collect()
}

/// A post-processor that puts the token `id` before every text.
fn begins_with(id: u32, text: &str) -> Value {
    let token = json!({ "SpecialToken": { "id": text, "type_id": 0 } });
    let sequence =
        |name: &str, type_id: u8| json!({ "Sequence": { "id": name, "type_id": type_id } });
    let mut special = Map::new();
    special.insert(text.to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] }));
    json!({
        "type": "TemplateProcessing",
        "single": [token, sequence("A", 0)],
        "pair": [token, sequence("A", 0), sequence("B", 1)],
        "special_tokens": special,
    })
}

fn config(metadata: &Metadata, vocabulary: &Vocabulary<'_>) -> Result<Value, TokenizerError> {
    let named = |id: Option<u32>| id.map(|id| text_of(vocabulary, id));
    let padding = metadata.opt_u32("tokenizer.ggml.padding_token_id")?;
    let unknown = vocabulary.of_kind(Kind::Unknown).next().map(|(_, text)| text);
    let architecture = metadata.opt_str("general.architecture")?.unwrap_or_default();
    let mut json = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
    });
    let tokens = [
        ("bos_token", named(vocabulary.bos)),
        ("eos_token", named(vocabulary.eos)),
        ("pad_token", named(padding).filter(|text| !text.is_empty())),
        ("unk_token", unknown),
    ];
    for (key, token) in tokens {
        if let Some(token) = token {
            json[key] = token.into();
        }
    }
    if let Some(context) = metadata.opt_u32(&format!("{architecture}.context_length"))? {
        json["model_max_length"] = context.into();
    }
    if let Some(template) = metadata.opt_str("tokenizer.chat_template")? {
        json["chat_template"] = template.into();
    }
    Ok(json)
}

fn text_of<'a>(vocabulary: &Vocabulary<'a>, id: u32) -> &'a str {
    vocabulary.text(id).unwrap_or_default()
}

#[cfg(all(test, feature = "tokenizer"))]
mod tests {
    use super::*;
    use crate::gguf::read_metadata;
    use crate::source::MemorySource;
    use crate::tokenizer::{Position, Tokenizer, metadata_from_hf};

    const TEXTS: &str = include_str!("../../tests/golden/texts.json");

    fn metadata(name: &str, bytes: &[u8]) -> Metadata {
        pollster::block_on(read_metadata(&MemorySource::new(name, bytes))).unwrap()
    }

    fn goldens() -> [Metadata; 3] {
        [
            metadata("smollm", include_bytes!("../../tests/golden/smollm.gguf")),
            metadata("phi-2", include_bytes!("../../tests/golden/phi-2.gguf")),
            metadata("llama", include_bytes!("../../tests/golden/llama.gguf")),
        ]
    }

    /// The golden texts without a name of a control token, which HF's libraries take for the token.
    fn texts(metadata: &Metadata) -> Vec<String> {
        let vocabulary = Vocabulary::read(metadata).unwrap();
        let controls = [Kind::Control, Kind::Unknown];
        let names = controls.into_iter().flat_map(|kind| vocabulary.of_kind(kind));
        let names: Vec<&str> = names.map(|(_, text)| text).collect();
        let all: Vec<String> = serde_json::from_str(TEXTS).unwrap();
        all.into_iter().filter(|text| !names.iter().any(|name| text.contains(name))).collect()
    }

    #[test]
    fn the_tokenizers_library_gives_the_same_ids() {
        for metadata in goldens() {
            let ours = Tokenizer::from_gguf(&metadata).unwrap();
            let json = HfTokenizer::from_gguf(&metadata).unwrap().tokenizer_json;
            let theirs: tokenizers::Tokenizer = json.parse().unwrap();
            let texts = texts(&metadata);
            assert!(texts.len() > 80);
            for text in texts {
                let ids = theirs.encode(text.as_str(), true).unwrap();
                assert_eq!(ids.get_ids(), ours.encode(&text, Position::Start).unwrap(), "{text:?}");
            }
        }
    }

    #[test]
    fn metadata_made_of_the_files_gives_the_same_ids() {
        for metadata in goldens() {
            let files = HfTokenizer::from_gguf(&metadata).unwrap();
            let ours = Tokenizer::from_gguf(&metadata).unwrap();
            let mut again = Metadata::new();
            again.insert("general.architecture", "llama");
            let size = ours.vocab_size() + 3;
            metadata_from_hf(&mut again, &files.tokenizer_json, &files.config_json, size).unwrap();
            let again = Tokenizer::from_gguf(&again).unwrap();
            assert_eq!((again.eos(), again.vocab_size()), (ours.eos(), size));
            for text in texts(&metadata) {
                for at in [Position::Start, Position::Continuation] {
                    let ids = ours.encode(&text, at).unwrap();
                    assert_eq!(again.encode(&text, at).unwrap(), ids, "{text:?}");
                }
            }
        }
    }

    /// As newer versions of transformers write SentencePiece's way with spaces.
    #[test]
    fn spaces_are_shown_by_a_pre_tokenizer_as_well() {
        let files = HfTokenizer::from_gguf(&goldens()[2]).unwrap();
        let prefixed = |scheme: &str, split: bool| {
            let mut json: Value = serde_json::from_str(&files.tokenizer_json).unwrap();
            json["normalizer"] = Value::Null;
            json["pre_tokenizer"] = json!({
                "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split,
            });
            let mut metadata = Metadata::new();
            metadata_from_hf(&mut metadata, &json.to_string(), &files.config_json, 9999)?;
            Ok::<_, TokenizerError>(metadata.get_bool("tokenizer.ggml.add_space_prefix")?)
        };
        assert!(prefixed("first", false).unwrap());
        assert!(!prefixed("never", false).unwrap());
        assert!(prefixed("first", true).unwrap_err().to_string().contains("Metaspace"));
    }

    #[test]
    fn files_that_are_not_understood_are_refused() {
        let files = HfTokenizer::from_gguf(&goldens()[0]).unwrap();
        let refused = |tokenizer: &str, vocab_size: usize| {
            let mut metadata = Metadata::new();
            let config = &files.config_json;
            metadata_from_hf(&mut metadata, tokenizer, config, vocab_size).unwrap_err().to_string()
        };
        let json = &files.tokenizer_json;
        assert!(refused("{", 9999).contains("tokenizer.json"));
        assert!(refused(&json.replace("\"BPE\"", "\"Unigram\""), 9999).contains("Unigram"));
        assert!(
            refused(&json.replace("\"Digits\"", "\"Whitespace\""), 9999).contains("Whitespace")
        );
        assert!(refused(json, 10).contains("in a model of 10 tokens"));
        let normalized =
            json.replace("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}");
        assert!(refused(&normalized, 9999).contains("NFC"));
    }
}
