//! GPT-2's byte-level BPE, as metadata describes it.

use super::TokenizerError;
use super::vocabulary::Vocabulary;
use crate::metadata::Metadata;

/// The known values of `tokenizer.ggml.pre`.
pub(super) const PRE_TOKENIZERS: [&str; 3] = ["gpt-2", "phi-2", "smollm"];

/// Whether every digit is split off before GPT-2's own split.
pub(super) fn digits_alone(metadata: &Metadata) -> Result<bool, TokenizerError> {
    match metadata.opt_str("tokenizer.ggml.pre")? {
        Some("gpt-2" | "phi-2") => Ok(false),
        // llama.cpp's LLAMA_VOCAB_PRE_TYPE_SMOLLM, and tokenizer.json of SmolLM2.
        Some("smollm") => Ok(true),
        // Files older than the key; there is but one tokenizer of this architecture.
        None if metadata.opt_str("general.architecture")? == Some("phi2") => Ok(false),
        other => Err(TokenizerError::UnsupportedPreTokenizer {
            pre: other.unwrap_or("none given").to_owned(),
        }),
    }
}

/// `tokenizer.ggml.merges` by rank, without those that would make or use a token that is not normal.
pub(super) fn merges(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<Vec<(String, String)>, TokenizerError> {
    let mut merges = Vec::new();
    for (rank, line) in metadata.get_str_array("tokenizer.ggml.merges")?.iter().enumerate() {
        let bad = |what: &str| TokenizerError::bad(format!("merge {rank} ({line:?}) {what}"));
        // The first character is never the separator.
        let split = line.char_indices().skip(1).find(|(_, character)| *character == ' ');
        let (left, right) = match split {
            Some((at, _)) => (&line[..at], &line[at + 1..]),
            None => return Err(bad("is not two tokens")),
        };
        let merged = [left, right].concat();
        let parts = [left, right, &merged];
        if parts.iter().all(|part| vocabulary.normal_id(part).is_some()) {
            merges.push((left.to_owned(), right.to_owned()));
        } else if let Some(missing) = parts.iter().find(|part| !vocabulary.contains(part)) {
            return Err(bad(&format!("needs {missing:?}, which is not in the vocabulary")));
        }
    }
    Ok(merges)
}
