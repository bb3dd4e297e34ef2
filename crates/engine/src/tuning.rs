//! Which form of the product computes how many rows of how many tokens.

use crate::kernel::Form;

/// The forms, from few tokens to many.
pub(crate) const FORMS: [Form; 4] = [
    Form { lanes: 4, split: 32, groups: 1, tokens: 1 },
    Form { lanes: 4, split: 16, groups: 1, tokens: 4 },
    Form { lanes: 4, split: 16, groups: 4, tokens: 4 },
    Form { lanes: 16, split: 1, groups: 8, tokens: 8 },
];

/// The place in [`FORMS`] of the one for a product of `rows` rows and `tokens` tokens.
pub(crate) fn form(rows: usize, tokens: usize) -> usize {
    match tokens {
        0..=1 => 0,
        2..=4 => 1,
        _ if rows * tokens < 400_000 => 2,
        _ => 3,
    }
}
