//! SentencePiece BPE as Llama 2 and Mistral use it, with merges rebuilt from the scores.

use super::TokenizerError;
use super::vocabulary::{Kind, Vocabulary};
use crate::metadata::Metadata;
use std::cmp::Ordering;
use tokenizers::models::bpe::{BPE, Vocab};

const SPACE: char = '▁';
const NUM_BYTES: usize = 256;

pub(super) fn encoder(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    refuse_normalizers(metadata)?;
    let mut ids: Vocab = vocabulary.to_map().collect();
    for (id, text) in vocabulary.of_kind(Kind::UserDefined) {
        ids.entry(normalize(text, false)).or_insert(id);
    }
    let mut builder = BPE::builder().byte_fallback(true).fuse_unk(true);
    let unknown = vocabulary.of_kind(Kind::Unknown).next();
    if let Some((id, text)) = unknown {
        ids.entry(text.to_owned()).or_insert(id);
        builder = builder.unk_token(text.to_owned());
    } else if vocabulary.of_kind(Kind::Byte).count() != NUM_BYTES {
        return Err(TokenizerError::bad(
            "it has neither all byte tokens nor an unknown token: some texts could not be encoded",
        ));
    }
    let model = builder
        .vocab_and_merges(ids, merges(metadata, vocabulary)?)
        .build()
        .map_err(TokenizerError::encode)?;
    Ok(tokenizers::Tokenizer::new(model))
}

/// Llama's and Mistral's models change nothing but spaces; others may, and would get wrong ids.
pub(super) fn refuse_normalizers(metadata: &Metadata) -> Result<(), TokenizerError> {
    let removes = metadata.opt_bool("tokenizer.ggml.remove_extra_whitespaces")?.unwrap_or(false);
    let maps = metadata
        .opt_array("tokenizer.ggml.precompiled_charsmap")?
        .is_some_and(|map| !map.is_empty());
    if removes || maps {
        return Err(TokenizerError::UnsupportedModel {
            model: "llama with a text normalizer".to_owned(),
        });
    }
    Ok(())
}

struct Merge {
    score: f32,
    left: String,
    right: String,
}

/// All ways to make a normal token from two, best score first, as `generate_merges` of transformers'
/// `convert_slow_tokenizer.py` makes them.
pub(super) fn merges(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<Vec<(String, String)>, TokenizerError> {
    let scores = metadata.get_f32_array("tokenizer.ggml.scores")?;
    if scores.len() != vocabulary.tokens().count() {
        return Err(TokenizerError::bad(format!(
            "{} tokens with {} scores",
            vocabulary.tokens().count(),
            scores.len()
        )));
    }
    let mut merges = Vec::new();
    for ((id, text, _), &score) in vocabulary.tokens().zip(scores) {
        if !score.is_finite() {
            return Err(TokenizerError::bad(format!("token {id} has the score {score}")));
        }
        if vocabulary.normal_id(text) == Some(id) {
            merges.extend(splits(vocabulary, text).map(|(left, right)| Merge {
                score,
                left: left.to_owned(),
                right: right.to_owned(),
            }));
        }
    }
    merges.sort_by(by_rank);
    Ok(merges.into_iter().map(|merge| (merge.left, merge.right)).collect())
}

/// The ways to split `text` into two normal tokens, ordered by their ids.
fn splits<'t>(
    vocabulary: &Vocabulary<'_>,
    text: &'t str,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    let mut splits: Vec<_> = text
        .char_indices()
        .skip(1)
        .filter_map(|(at, _)| {
            let (left, right) = text.split_at(at);
            let ids = (vocabulary.normal_id(left)?, vocabulary.normal_id(right)?);
            Some((ids, (left, right)))
        })
        .collect();
    splits.sort_unstable();
    splits.into_iter().map(|(_, split)| split)
}

/// Higher score first, then the longer left part, then the longer right part, in characters; a stable sort
/// keeps the rest in the order of ids.
fn by_rank(a: &Merge, b: &Merge) -> Ordering {
    let lengths = |merge: &Merge| (merge.left.chars().count(), merge.right.chars().count());
    // Scores are finite. Not total_cmp: SentencePiece writes -0 and 0 for the same score.
    let scores = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
    scores.then_with(|| lengths(b).cmp(&lengths(a)))
}

/// Shows spaces as ▁, with one more before everything if `prefixed`. As SentencePiece and llama.cpp do it,
/// the prefix comes also before a space.
pub(super) fn normalize(text: &str, prefixed: bool) -> String {
    let prefix = prefixed.then_some(' ');
    let characters = prefix.into_iter().chain(text.chars());
    characters.map(|character| if character == ' ' { SPACE } else { character }).collect()
}

/// The bytes that a token stands for.
pub(super) fn token_bytes(text: &str, kind: Kind) -> Option<Vec<u8>> {
    match kind {
        Kind::Normal | Kind::UserDefined => Some(text.replace(SPACE, " ").into_bytes()),
        Kind::Byte => {
            let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
            u8::from_str_radix(digits, 16).ok().map(|byte| vec![byte])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_shown_and_bytes_read() {
        assert_eq!(normalize(" a b", false), "▁a▁b");
        assert_eq!(normalize(" a", true), "▁▁a");
        assert_eq!(token_bytes("▁a", Kind::Normal).unwrap(), b" a");
        assert_eq!(token_bytes("<0x0A>", Kind::Byte).unwrap(), b"\n");
        assert_eq!(token_bytes("<0x0A>", Kind::Normal).unwrap(), b"<0x0A>");
        assert_eq!(token_bytes("<0xZZ>", Kind::Byte), None);
        assert_eq!(token_bytes("<s>", Kind::Control), None);
    }
}
