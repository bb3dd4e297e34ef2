//! Drafts where weights are random, so that no answer is a piece of the text.

use std::rc::Rc;

use hangtag_engine::{Constraint, TokenSet};

/// Drafts the answers that are known from another way, one token in four another.
#[derive(Debug)]
pub struct Recited<'a> {
    /// (rows)
    pub answers: &'a [Vec<u32>],
}

impl Constraint for Recited<'_> {
    fn allowed(&self, _row: usize, _answer: &[u32]) -> Option<Rc<TokenSet>> {
        None
    }

    fn draft(&self, row: usize, answer: &[u32], count: usize) -> Vec<u32> {
        let places = self.answers[row].iter().enumerate().skip(answer.len()).take(count);
        places.map(|(place, id)| id ^ u32::from((row + place).is_multiple_of(4))).collect()
    }
}
