//! SentencePiece BPE as Llama 2 and Mistral use it, as metadata describes it, with merges rebuilt from the scores.

use super::TokenizerError;
use super::vocabulary::Vocabulary;
use crate::metadata::Metadata;
use std::cmp::Ordering;

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
