//! Which form of the product computes how many rows of how many tokens.
//!
//! From `hangtag bench --tune` of the shapes of SmolLM2-135M and Phi-2 on an NVIDIA H100 (Vulkan): what decides is the number of
//! results, since too few threads cost more than weights that are read again. A form is within a tenth or so of the best at most sizes.

use crate::kernel::Form;

/// The forms, from few tokens to many.
pub(crate) const FORMS: [Form; 5] = [
    Form { lanes: 4, split: 32, groups: 1, tokens: 1 },
    Form { lanes: 8, split: 16, groups: 1, tokens: 1 },
    Form { lanes: 8, split: 16, groups: 1, tokens: 2 },
    Form { lanes: 8, split: 8, groups: 1, tokens: 4 },
    Form { lanes: 8, split: 4, groups: 4, tokens: 4 },
];

/// The place in [`FORMS`] of the one for a product of `rows` rows and `tokens` tokens.
pub(crate) fn form(rows: usize, tokens: usize) -> usize {
    match (tokens, rows * tokens) {
        (0..=1, 32_000..) => 1,
        (0..=1, _) | (_, ..16_000) => 0,
        (2, _) | (_, ..130_000) => 2,
        (3..=12, _) | (_, ..700_000) => 3,
        _ => 4,
    }
}
