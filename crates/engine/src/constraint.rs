//! Which tokens an answer may go on with.

use std::fmt::Debug;
use std::rc::Rc;

/// A set of token ids, as the GPU reads it: a bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSet {
    words: Vec<u32>,
}

impl TokenSet {
    /// Adds a token.
    pub fn insert(&mut self, id: u32) {
        let word = id as usize / 32;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (id % 32);
    }

    /// Whether a token is in it.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 32).is_some_and(|word| word >> (id % 32) & 1 == 1)
    }

    /// Whether no token is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Appends `count` words of bits to `mask`.
    pub(crate) fn write(&self, mask: &mut Vec<u32>, count: usize) {
        let end = mask.len() + count;
        mask.extend(self.words.iter().take(count));
        mask.resize(end, 0);
    }
}

/// Rules for the answers of a job's rows. What is most likely among the tokens that they allow is chosen; its
/// probability stays that among all tokens, so that an answer against the model's will shows.
pub trait Constraint: Debug {
    /// The tokens that may follow those of `answer` in row number `row`; `None` or an empty set: any.
    fn allowed(&self, row: usize, answer: &[u32]) -> Option<Rc<TokenSet>>;

    /// A guess at the tokens that follow those of `answer` in row number `row`, `count` at most. The engine tries them together
    /// and keeps those that it would have come to by itself: a wrong guess costs time and changes no answer.
    fn draft(&self, _row: usize, _answer: &[u32], _count: usize) -> Vec<u32> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let mut set = TokenSet::default();
        assert!(set.is_empty());
        for id in [0, 31, 32, 70] {
            set.insert(id);
        }
        let found: Vec<u32> = (0..200).filter(|id| set.contains(*id)).collect();
        assert_eq!(found, [0, 31, 32, 70]);
        let mut mask = vec![9];
        set.write(&mut mask, 4);
        assert_eq!(mask, [9, 1 << 31 | 1, 1, 1 << 6, 0]);
        set.write(&mut mask, 1);
        assert_eq!(mask.len(), 6);
    }
}
