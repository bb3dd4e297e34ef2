//! The tokens of a GGUF file and what kind each is.

use super::TokenizerError;
use crate::metadata::Metadata;
use std::collections::{HashMap, HashSet};

/// Longer tokens are a sign of damage; real ones have at most a few hundred bytes.
const MAX_TOKEN_BYTES: usize = 1024;

/// What a token is for; numbered as in llama.cpp's `llama_token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    /// Matched in the text before anything else.
    UserDefined,
    Unused,
    /// SentencePiece's `<0x0A>`: a byte of a character that has no token.
    Byte,
}

/// `tokenizer.ggml.tokens`, their kinds, and the ids with a role.
pub(super) struct Vocabulary<'a> {
    tokens: &'a [String],
    kinds: Vec<Kind>,
    /// Text to id, for all that text can become: normal, user-defined and byte tokens.
    ids: HashMap<&'a str, u32>,
    /// The texts of the other tokens.
    others: HashSet<&'a str>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self, TokenizerError> {
        let tokens = metadata.get_str_array("tokenizer.ggml.tokens")?;
        let size =
            u32::try_from(tokens.len()).map_err(|_| TokenizerError::bad("too many tokens"))?;
        let id_of = |key: &str| -> Result<Option<u32>, TokenizerError> {
            match metadata.opt_u32(key)? {
                Some(id) if id >= size => {
                    Err(TokenizerError::bad(format!("{key} is {id} in a vocabulary of {size}")))
                }
                id => Ok(id),
            }
        };
        let bos = id_of("tokenizer.ggml.bos_token_id")?;
        let eos = id_of("tokenizer.ggml.eos_token_id")?;
        let end_of_turn = id_of("tokenizer.ggml.eot_token_id")?;
        let mut kinds = read_kinds(metadata, tokens.len())?;
        // Whatever the file says: these have a meaning that text must not have.
        for id in [bos, eos, end_of_turn].into_iter().flatten() {
            kinds[id as usize] = Kind::Control;
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        let mut others = HashSet::new();
        for ((token, kind), id) in tokens.iter().zip(&kinds).zip(0..) {
            if token.len() > MAX_TOKEN_BYTES {
                return Err(TokenizerError::bad(format!("token {id} has {} bytes", token.len())));
            }
            if matches!(kind, Kind::Normal | Kind::UserDefined | Kind::Byte) && !token.is_empty() {
                ids.entry(token.as_str()).or_insert(id);
            } else {
                others.insert(token.as_str());
            }
        }
        Ok(Self { tokens, kinds, ids, others, bos, eos })
    }

    /// Id, text and kind of every token, in the order of ids.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (u32, &'a str, Kind)> {
        let kinds = self.kinds.iter().copied();
        (0..).zip(self.tokens).zip(kinds).map(|((id, text), kind)| (id, text.as_str(), kind))
    }

    /// Id and text of the tokens of one kind.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (u32, &'a str)> {
        let tokens = self.tokens();
        tokens.filter_map(move |(id, text, other)| (other == kind).then_some((id, text)))
    }

    /// The text of token `id`.
    pub(super) fn text(&self, id: u32) -> Option<&'a str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// The id that `text` becomes as a whole, if it is a token that text can become.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The id of `text` if it is a normal token: one that merges may use and make.
    pub(super) fn normal_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|&id| self.kinds.get(id as usize) == Some(&Kind::Normal))
    }

    /// Whether `text` is a token of any kind.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.ids.contains_key(text) || self.others.contains(text)
    }
}

fn read_kinds(metadata: &Metadata, num_tokens: usize) -> Result<Vec<Kind>, TokenizerError> {
    let Some(numbers) = metadata.opt_i32_array("tokenizer.ggml.token_type")? else {
        return Ok(vec![Kind::Normal; num_tokens]);
    };
    if numbers.len() != num_tokens {
        return Err(TokenizerError::bad(format!(
            "{num_tokens} tokens with {} types",
            numbers.len()
        )));
    }
    numbers
        .iter()
        .enumerate()
        .map(|(id, number)| {
            Ok(match number {
                1 => Kind::Normal,
                2 => Kind::Unknown,
                3 => Kind::Control,
                4 => Kind::UserDefined,
                5 => Kind::Unused,
                6 => Kind::Byte,
                other => return Err(TokenizerError::bad(format!("token {id} has type {other}"))),
            })
        })
        .collect()
}
