//! Which form of the product computes how many rows of how many tokens.
//!
//! From `hangtag bench --tune` of the shapes of SmolLM2-135M and Phi-2 on an NVIDIA H100 (Vulkan): what decides is the number of
//! results, since too few threads cost more than weights that are read again. A form is within a tenth or so of the best at most sizes.

use crate::gpu::Tier;
use crate::kernel::Form;
use crate::matrix::MatrixFormat;

const fn float(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, integer: false }
}

const fn integer(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, integer: true }
}

/// The forms of exact products, from few tokens to many.
pub(crate) const FLOAT_FORMS: [Form; 5] = [
    float(4, 32, 1, 1),
    float(8, 16, 1, 1),
    float(8, 16, 1, 2),
    float(8, 8, 1, 4),
    float(8, 4, 4, 4),
];

/// The forms of products that may round their input.
pub(crate) const INTEGER_FORMS: [Form; 6] = [
    integer(8, 32, 1, 1),
    integer(16, 8, 1, 1),
    integer(8, 16, 1, 2),
    integer(16, 8, 1, 2),
    integer(16, 4, 2, 2),
    integer(16, 2, 4, 2),
];

/// Whether products with weights of a format round their input, unless they are to be `exact`.
pub(crate) fn is_integer(tier: Tier, format: MatrixFormat, exact: bool) -> bool {
    tier.integer_dot && format.has_scales() && !exact
}

/// The forms to choose among.
pub(crate) fn forms(integer: bool) -> &'static [Form] {
    if integer { &INTEGER_FORMS } else { &FLOAT_FORMS }
}

/// The place in [`forms`] of the one for a product of `rows` rows and `tokens` tokens.
pub(crate) fn form(integer: bool, rows: usize, tokens: usize) -> usize {
    match (integer, tokens, rows * tokens) {
        (_, 0..=1, 32_000..) => 1,
        (_, 0..=1, _) => 0,
        (true, _, ..25_000) => 2,
        (true, _, ..150_000) => 3,
        (true, _, ..1_500_000) => 4,
        (true, ..) => 5,
        (false, _, ..16_000) => 0,
        (false, 2, _) | (false, _, ..130_000) => 2,
        (false, 3..=12, _) | (false, _, ..700_000) => 3,
        (false, ..) => 4,
    }
}
