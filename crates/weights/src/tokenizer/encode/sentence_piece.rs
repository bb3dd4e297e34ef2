//! SentencePiece BPE at work.

use crate::metadata::Metadata;
use crate::tokenizer::vocabulary::{Kind, Vocabulary};
use crate::tokenizer::{TokenizerError, sentence_piece};
use tokenizers::models::bpe::BPE;

const SPACE: char = '▁';
const NUM_BYTES: usize = 256;

pub(super) fn encoder(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    sentence_piece::refuse_normalizers(metadata)?;
    let mut ids = super::vocab(vocabulary);
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
        .vocab_and_merges(ids, sentence_piece::merges(metadata, vocabulary)?)
        .build()
        .map_err(TokenizerError::encode)?;
    Ok(tokenizers::Tokenizer::new(model))
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
