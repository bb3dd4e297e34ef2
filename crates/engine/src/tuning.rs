//! Which form of the product computes how many rows of how many tokens.
//!
//! From `hangtag bench --tune` of the shapes of SmolLM2-135M and Phi-2 on an NVIDIA H100 (Vulkan): what decides is the number of
//! results, since too few threads cost more than weights that are read again. A form is within a tenth or so of the best at most sizes.

use crate::gpu::Tier;
use crate::kernel::{Form, Inner};
use crate::matrix::MatrixFormat;

const fn float(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Float }
}

const fn integer(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Integer }
}

const fn tiled(lanes: u32, split: u32, groups: u32, tokens: u32) -> Form {
    Form { lanes, split, groups, tokens, inner: Inner::Tiled }
}

/// The forms of exact products, from few tokens to many.
pub(crate) const FLOAT_FORMS: [Form; 7] = [
    float(4, 32, 1, 1),
    float(8, 16, 1, 1),
    float(8, 16, 1, 2),
    float(8, 8, 1, 4),
    float(8, 4, 4, 4),
    tiled(8, 4, 4, 4),
    tiled(16, 2, 4, 8),
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

/// The places, ascending, that [`form`] gives for products with a (rows, columns) matrix and up to `most` tokens.
pub(crate) fn used_forms(integer: bool, size: (usize, usize), most: usize) -> Vec<usize> {
    let mut used: Vec<usize> =
        (1..=most.max(1)).map(|tokens| form(integer, size, tokens)).collect();
    used.sort_unstable();
    used.dedup();
    used
}

/// Fewer columns are read before a workgroup's barriers pay.
const TILED_COLUMNS: usize = 1024;

/// The place in [`forms`] of the one for a product of a (rows, columns) matrix with `tokens` tokens.
pub(crate) fn form(integer: bool, (rows, columns): (usize, usize), tokens: usize) -> usize {
    match (integer, tokens, rows * tokens) {
        (_, 0..=1, 32_000..) => 1,
        (_, 0..=1, _) => 0,
        (true, _, ..25_000) => 2,
        (true, _, ..150_000) => 3,
        (true, _, ..1_500_000) => 4,
        (true, ..) => 5,
        (false, _, ..16_000) => 0,
        (false, 2, _) | (false, _, ..120_000) => 2,
        (false, 3..=12, _) => 3,
        (false, _, ..700_000) if columns < TILED_COLUMNS => 3,
        (false, ..) if columns < TILED_COLUMNS => 4,
        (false, 13..=24, _) | (false, _, ..240_000) => 5,
        (false, ..) => 6,
    }
}
