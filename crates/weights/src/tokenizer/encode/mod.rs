//! Text to token ids and back, with the algorithms of the `tokenizers` crate.
//!
//! Natively and in wasm it is built with the same regular expression engine (fancy-regex), so the ids are the same in
//! both.

mod byte_level;
mod sentence_piece;

use super::TokenizerError;
use super::vocabulary::{Kind, Vocabulary};
use crate::metadata::Metadata;
use std::collections::BTreeSet;
use tokenizers::models::bpe::Vocab;
use tokenizers::{AddedToken, Tokenizer as Encoder};

/// Where in the token sequence a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// At its start: BOS when the metadata asks for it, and SentencePiece's space before the first word.
    Start,
    /// After other tokens: neither.
    Continuation,
}

/// What happens to a text before it is split into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Bytes are shown as printable characters (GPT-2).
    ByteLevel,
    /// Spaces are shown as ▁; `space_prefix` puts one before the first word.
    SentencePiece { space_prefix: bool },
}

/// A model's tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    encoder: Encoder,
    style: Style,
    /// What each token stands for; `None` for control, unknown and unused tokens.
    bytes: Vec<Option<Vec<u8>>>,
    /// BOS, when texts at the start get it.
    start_token: Option<u32>,
    eos: Option<u32>,
    end_of_turn: Option<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that `tokenizer.ggml.*` describes: `gpt2` (byte-level BPE, with a known
    /// pre-tokenizer) or `llama` (SentencePiece BPE).
    ///
    /// # Errors
    /// When the kind of tokenizer or its pre-tokenizer is not supported, or the vocabulary is damaged.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let vocabulary = Vocabulary::read(metadata)?;
        let (mut encoder, style, add_bos) = match metadata.get_str("tokenizer.ggml.model")? {
            "gpt2" => (byte_level::encoder(metadata, &vocabulary)?, Style::ByteLevel, false),
            "llama" => {
                let space_prefix =
                    metadata.opt_bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
                let encoder = sentence_piece::encoder(metadata, &vocabulary)?;
                (encoder, Style::SentencePiece { space_prefix }, true)
            }
            other => {
                return Err(TokenizerError::UnsupportedModel { model: other.to_owned() });
            }
        };
        let added = vocabulary.of_kind(Kind::UserDefined).map(|(_, text)| {
            let text = match style {
                Style::ByteLevel => text.to_owned(),
                Style::SentencePiece { .. } => sentence_piece::normalize(text, false),
            };
            AddedToken::from(text, false).normalized(false)
        });
        encoder.add_tokens(added).map_err(TokenizerError::encode)?;
        let to_bytes = match style {
            Style::ByteLevel => byte_level::token_bytes,
            Style::SentencePiece { .. } => sentence_piece::token_bytes,
        };
        let add_bos = metadata.opt_bool("tokenizer.ggml.add_bos_token")?.unwrap_or(add_bos);
        let start_token = match (add_bos, vocabulary.bos) {
            (true, None) => return Err(TokenizerError::bad("it adds a BOS token and names none")),
            (true, bos) => bos,
            (false, _) => None,
        };
        Ok(Self {
            encoder,
            style,
            bytes: vocabulary.tokens().map(|(_, text, kind)| to_bytes(text, kind)).collect(),
            start_token,
            eos: vocabulary.eos,
            // Reading the vocabulary has seen that it is an id.
            end_of_turn: metadata.opt_u32("tokenizer.ggml.eot_token_id")?,
        })
    }

    /// The ids of `text`. Control tokens never come out of text: `</s>` in it is four characters like any
    /// others. Characters that a byte-level vocabulary has no token for (SmolLM2 lacks some control
    /// characters) are left out, as other implementations do.
    ///
    /// # Errors
    /// When the `tokenizers` crate refuses the text.
    pub fn encode(&self, text: &str, at: Position) -> Result<Vec<u32>, TokenizerError> {
        let start = at == Position::Start;
        let mut ids: Vec<u32> = self.start_token.filter(|_| start).into_iter().collect();
        let encoding = match self.style {
            Style::ByteLevel => self.encoder.encode_fast(text, false),
            Style::SentencePiece { space_prefix } => {
                let prefixed = space_prefix && start && !text.is_empty();
                self.encoder.encode_fast(sentence_piece::normalize(text, prefixed), false)
            }
        };
        ids.extend_from_slice(encoding.map_err(TokenizerError::encode)?.get_ids());
        Ok(ids)
    }

    /// The text of `ids`, exactly: the inverse of encoding at [`Position::Continuation`]. SentencePiece's space
    /// before the first word is therefore kept. Control tokens and unknown ids are left out; bytes that are no
    /// UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().filter_map(|&id| self.bytes_of(id)).flatten().copied().collect();
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The token that ends a text, if the model has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Number of ids, from 0.
    pub fn vocab_size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes that token `id` stands for; `None` for control, unknown and unused tokens and for other ids.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        self.bytes_of(id).cloned()
    }

    /// The tokens that end an answer, sorted: end of text, end of turn, and every token with a newline in it.
    pub fn stop_tokens(&self) -> Vec<u32> {
        let with_newline = self.bytes.iter().zip(0..).filter_map(|(bytes, id)| {
            let bytes = bytes.as_ref()?;
            bytes.contains(&b'\n').then_some(id)
        });
        let stops: BTreeSet<u32> = with_newline.chain(self.eos).chain(self.end_of_turn).collect();
        stops.into_iter().collect()
    }

    fn bytes_of(&self, id: u32) -> Option<&Vec<u8>> {
        self.bytes.get(usize::try_from(id).ok()?)?.as_ref()
    }
}

/// All that text can become, for the `tokenizers` crate.
fn vocab(vocabulary: &Vocabulary<'_>) -> Vocab {
    let tokens = vocabulary.tokens();
    let own = tokens.filter(|&(id, text, _)| vocabulary.id(text) == Some(id));
    own.map(|(id, text, _)| (text.to_owned(), id)).collect()
}
