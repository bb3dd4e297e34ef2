//! GPT-2's byte-level BPE at work.

use crate::metadata::Metadata;
use crate::tokenizer::vocabulary::{Kind, Vocabulary};
use crate::tokenizer::{TokenizerError, byte_level};
use std::collections::HashMap;
use std::sync::LazyLock;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

pub(super) fn encoder(
    metadata: &Metadata,
    vocabulary: &Vocabulary<'_>,
) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let pre_tokenizer = pre_tokenizer(metadata)?;
    let model = BPE::builder()
        .vocab_and_merges(super::vocab(vocabulary), byte_level::merges(metadata, vocabulary)?)
        .build()
        .map_err(TokenizerError::encode)?;
    let mut encoder = tokenizers::Tokenizer::new(model);
    encoder.with_pre_tokenizer(Some(pre_tokenizer));
    Ok(encoder)
}

fn pre_tokenizer(metadata: &Metadata) -> Result<PreTokenizerWrapper, TokenizerError> {
    let gpt2: PreTokenizerWrapper = ByteLevel::new(false, true, true).into();
    Ok(match byte_level::digits_alone(metadata)? {
        false => gpt2,
        true => Sequence::new(vec![Digits::new(true).into(), gpt2]).into(),
    })
}

/// The bytes that a token stands for. A character that shows no byte stands for itself.
pub(super) fn token_bytes(text: &str, kind: Kind) -> Option<Vec<u8>> {
    match kind {
        Kind::Normal => {
            let mut bytes = Vec::with_capacity(text.len());
            for character in text.chars() {
                match BYTES.get(&character) {
                    Some(&byte) => bytes.push(byte),
                    None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            Some(bytes)
        }
        Kind::UserDefined => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

/// The byte that each character shows: a printable one itself, the others from U+0100 in their order.
/// Source: <https://github.com/openai/gpt-2/blob/master/src/encoder.py>, `bytes_to_unicode`.
static BYTES: LazyLock<HashMap<char, u8>> = LazyLock::new(|| {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let shown_as_itself = (0..=255).filter(printable).map(|byte| (char::from(byte), byte));
    let others = (0..=255).filter(|byte| !printable(byte));
    shown_as_itself.chain(('\u{100}'..).zip(others)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_in_gpt_2() {
        assert_eq!(BYTES.len(), 256);
        assert_eq!(BYTES[&'Ġ'], b' ');
        assert_eq!(BYTES[&'\u{143}'], 0xAD);
        assert_eq!(token_bytes("ĠNikeĊ", Kind::Normal).unwrap(), b" Nike\n");
        assert_eq!(token_bytes("  ", Kind::UserDefined).unwrap(), b"  ");
        assert_eq!(token_bytes("日", Kind::Normal).unwrap(), "日".as_bytes());
        assert_eq!(token_bytes("<s>", Kind::Control), None);
    }
}
