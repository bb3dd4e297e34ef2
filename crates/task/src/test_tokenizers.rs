//! Cheap tokenizers for the tests of this crate.

use std::cell::Cell;

use crate::{TaskError, Tokenize};

/// The token that begins a sequence.
pub(crate) const START: u32 = u32::MAX;

/// One token a character.
pub(crate) struct Characters;

impl Tokenize for Characters {
    fn encode_start(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        Ok(std::iter::once(START).chain(text.chars().map(u32::from)).collect())
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        Ok(text.chars().map(u32::from).collect())
    }

    fn decode(&self, tokens: &[u32]) -> String {
        tokens.iter().filter_map(|&token| char::from_u32(token)).collect()
    }
}

/// Like the tokenizers of models in its density: a token is up to four ASCII characters of one word, one character of
/// another script, or half a character beyond the basic plane. Counts what it is given.
#[derive(Default)]
pub(crate) struct Pieces {
    /// Characters encoded so far.
    pub(crate) encoded_characters: Cell<usize>,
}

impl Tokenize for Pieces {
    fn encode_start(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        let mut tokens = vec![START];
        tokens.extend(self.encode_continuation(text)?);
        Ok(tokens)
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        let mut tokens = Vec::new();
        let mut word = 0;
        for c in text.chars() {
            match c {
                c if c.is_ascii_alphanumeric() && word % 4 != 0 => {}
                c if u32::from(c) > 0xFFFF => tokens.extend([u32::from(c), u32::from(c)]),
                c => tokens.push(u32::from(c)),
            }
            word = if c.is_ascii_alphanumeric() { word + 1 } else { 0 };
            self.encoded_characters.set(self.encoded_characters.get() + 1);
        }
        Ok(tokens)
    }

    fn decode(&self, _: &[u32]) -> String {
        String::new()
    }
}

/// Fails on every text.
pub(crate) struct Broken;

impl Tokenize for Broken {
    fn encode_start(&self, _: &str) -> Result<Vec<u32>, TaskError> {
        Err(TaskError::Tokenizer("broken".to_owned()))
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        self.encode_start(text)
    }

    fn decode(&self, _: &[u32]) -> String {
        String::new()
    }
}
