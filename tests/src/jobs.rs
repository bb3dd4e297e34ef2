//! Jobs of the tests' own, and whether their answers are the same.

use crate::engines::Answer;
use hangtag_engine::{Job, RowRequest};

/// Tokens that the golden models know.
pub const VOCAB_SIZE: u32 = 320;

/// `count` tokens that look random and differ by `seed`.
pub fn tokens(seed: u32, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        3 + (state >> 8) % (VOCAB_SIZE - 3)
    };
    (0..count).map(next).collect()
}

/// A job whose rows differ in the length of question and answer.
pub fn mixed_job(seed: u32, prefix: usize, rows: usize) -> Job {
    let row = |i: usize| RowRequest {
        suffix: tokens(seed + 100 + i as u32, 1 + (i * 7) % 19),
        max_new_tokens: 1 + (i * 5) % 23,
    };
    Job {
        prefix: tokens(seed, prefix),
        rows: (0..rows).map(row).collect(),
        stop_tokens: vec![0, 20, 21, 22],
    }
}

/// Panics unless the answers are the same tokens with nearly the same probabilities.
///
/// # Panics
/// When they are not.
#[track_caller]
pub fn assert_same(what: &str, actual: &[Answer], expected: &[Answer]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(actual.ids(), expected.ids(), "{what}: row {i}");
        assert_eq!(actual.finish, expected.finish, "{what}: row {i}");
        for (a, e) in actual.tokens.iter().zip(&expected.tokens) {
            let (a, e) = (a.probability, e.probability);
            assert!(
                (a - e).abs() < 2e-3 && a > 0.0 && a <= 1.0,
                "{what}: row {i}: probability {a}, expected {e}"
            );
        }
    }
}
