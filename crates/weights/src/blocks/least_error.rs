//! Q4_0 with the scale of least squared error.

use super::legacy;
use half::f16;

const SIZE: usize = 32;
/// Number of divisors tried for each sign.
const NUM_DIVISORS: usize = 16;
const NUM_SCALES: usize = 2 * NUM_DIVISORS;
const FIRST_DIVISOR: f32 = 6.5;
const DIVISOR_STEP: f32 = 0.25;

/// Rounds to Q4_0 with, for each block of 32, the scale of least squared error among those tried; ggml's own way is
/// one of them. A partial last block is filled with zeros.
///
/// The algorithm, exactly, so that other implementations give the same bytes. All numbers are f32, every operation
/// is rounded to f32 by itself (no fused multiply-add, no reordering), `f16` rounds to nearest even, sums run over
/// the elements in order from 0:
///
/// 1. `extreme` is the first of the elements of largest magnitude, with its sign.
/// 2. For sign in (−1, +1), for k in 0..16: `d = f16(extreme / (sign · (6.5 + 0.25 · k)))`; skip it if it is zero or
///    not finite.
///    `q_i = trunc(clamp(x_i · (1 / d) + 8.5, 0, 15))`, `error = Σ (x_i − d · (q_i − 8))²`.
///    The candidate is kept if its error is less than the least so far; the first one is compared with infinity.
/// 3. If none was kept (all elements are zero or too small, or some are not finite), the block is the one of
///    [`quantize_q4_0`](super::quantize_q4_0).
/// 4. One refit: with the q of the candidate kept, `d = f16(Σ x_i · (q_i − 8) / Σ (q_i − 8)²)`. It replaces the
///    scale (q stays) if the divisor is not zero, it is neither zero nor infinite, and the error is less.
pub fn quantize_q4_0_least_error(values: &[f32]) -> Vec<u8> {
    legacy::quantize(super::DType::Q4_0, values, |block, out| match search(block) {
        None => out.extend(super::quantize_q4_0(block)),
        Some(candidate) => {
            let candidate = refit(block, candidate);
            out.extend(candidate.scale.to_le_bytes());
            let (low, high) = candidate.levels.split_at(SIZE / 2);
            // Levels are whole numbers of -8..=7.
            let nibble = |level: f32| (level + 8.0) as u8;
            out.extend(low.iter().zip(high).map(|(&low, &high)| nibble(low) | nibble(high) << 4));
        }
    })
}

/// A scale, the levels q − 8 of the elements, and the squared error.
struct Candidate {
    scale: f16,
    levels: [f32; SIZE],
    error: f32,
}

fn search(block: &[f32; SIZE]) -> Option<Candidate> {
    let mut extreme = 0.0_f32;
    for &value in block {
        if value.abs() > extreme.abs() {
            extreme = value;
        }
    }
    let scales: [f16; NUM_SCALES] = std::array::from_fn(|at| {
        let sign = if at < NUM_DIVISORS { -1.0 } else { 1.0 };
        let divisor = FIRST_DIVISOR + DIVISOR_STEP * (at % NUM_DIVISORS) as f32;
        f16::from_f32(extreme / (sign * divisor))
    });
    let errors = squared_errors(block, &scales.map(f16::to_f32));
    let mut best: Option<usize> = None;
    for at in 0..NUM_SCALES {
        let least = best.map_or(f32::INFINITY, |best| errors[best]);
        if is_usable(scales[at]) && errors[at] < least {
            best = Some(at);
        }
    }
    best.map(|at| {
        let levels = block.map(|value| level(value, 1.0 / scales[at].to_f32()));
        Candidate { scale: scales[at], levels, error: errors[at] }
    })
}

/// [`squared_error`] of each scale. Scale by scale inside and element by element outside, so that vector instructions
/// work on several scales while each sum runs in order.
fn squared_errors(block: &[f32; SIZE], scales: &[f32; NUM_SCALES]) -> [f32; NUM_SCALES] {
    let inverses = scales.map(|scale| 1.0 / scale);
    let mut errors = [0.0; NUM_SCALES];
    for &value in block {
        for at in 0..NUM_SCALES {
            let difference = value - scales[at] * level(value, inverses[at]);
            errors[at] += difference * difference;
        }
    }
    errors
}

fn refit(block: &[f32; SIZE], found: Candidate) -> Candidate {
    let (mut products, mut squares) = (0.0_f32, 0.0_f32);
    for (value, level) in block.iter().zip(&found.levels) {
        products += value * level;
        squares += level * level;
    }
    let scale = f16::from_f32(products / squares);
    if squares == 0.0 || !is_usable(scale) {
        return found;
    }
    let error = squared_error(block, &found.levels, scale.to_f32());
    if error < found.error { Candidate { scale, error, ..found } } else { found }
}

fn is_usable(scale: f16) -> bool {
    scale.is_finite() && scale.to_f32() != 0.0
}

fn level(value: f32, inverse: f32) -> f32 {
    // f32::trunc is a call on processors without SSE4.1, and a conversion to i32 keeps the search three times as long.
    // 2^23 plus a number has no room for a fraction; what it was rounded up by is taken back.
    const NO_FRACTION: f32 = 8_388_608.0;
    let value = (value * inverse + 8.5).clamp(0.0, 15.0);
    let nearest = (value + NO_FRACTION) - NO_FRACTION;
    nearest - if nearest > value { 9.0 } else { 8.0 }
}

fn squared_error(block: &[f32; SIZE], levels: &[f32; SIZE], scale: f32) -> f32 {
    let mut error = 0.0;
    for (value, level) in block.iter().zip(levels) {
        let difference = value - scale * level;
        error += difference * difference;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{DType, dequantize, quantize_q4_0};
    use proptest::prelude::*;

    fn error_of(block: &[f32], bytes: &[u8]) -> f64 {
        let back = dequantize(DType::Q4_0, bytes).unwrap();
        let pairs = block.iter().zip(back);
        pairs.map(|(&x, y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
    }

    /// Steps 1, 2 and 4 of the documentation over all candidates at once, with floor for trunc.
    fn by_the_book(block: &[f32; 32]) -> Vec<u8> {
        let extreme = block.iter().fold(0.0_f32, |a, &b| if b.abs() > a.abs() { b } else { a });
        let error = |d: f32, q: &[u8]| {
            block.iter().zip(q).fold(0.0_f32, |sum, (x, &q)| {
                let off = x - d * (f32::from(q) - 8.0);
                sum + off * off
            })
        };
        let mut all = Vec::new();
        for at in 0..32 {
            let divisor = (6.5 + 0.25 * (at % 16) as f32) * if at < 16 { -1.0 } else { 1.0 };
            let d = f16::from_f32(extreme / divisor).to_f32();
            let level = |x: &f32| (x * (1.0 / d) + 8.5).floor().clamp(0.0, 15.0) as u8;
            let q: Vec<u8> = block.iter().map(level).collect();
            all.push((error(d, &q), d, q));
        }
        let least = all.iter().map(|(error, ..)| *error).fold(f32::INFINITY, f32::min);
        let (least, mut d, q) = all.into_iter().find(|(error, ..)| *error == least).unwrap();
        let levels: Vec<f32> = q.iter().map(|&q| f32::from(q) - 8.0).collect();
        let products = block.iter().zip(&levels).fold(0.0_f32, |sum, (x, l)| sum + x * l);
        let squares = levels.iter().fold(0.0_f32, |sum, l| sum + l * l);
        let fitted = f16::from_f32(products / squares).to_f32();
        if error(fitted, &q) < least {
            d = fitted;
        }
        let mut bytes = f16::from_f32(d).to_le_bytes().to_vec();
        bytes.extend((0..16).map(|i| q[i] | q[i + 16] << 4));
        bytes
    }

    /// The least error of any f16 scale.
    fn least_possible(block: &[f32; 32]) -> f64 {
        let scales = (0..=u16::MAX).map(f16::from_bits).filter(|&scale| is_usable(scale));
        let errors = scales.map(|scale| {
            let scale = scale.to_f32();
            let levels = block.map(|value| level(value, 1.0 / scale));
            f64::from(squared_error(block, &levels, scale))
        });
        errors.fold(f64::INFINITY, f64::min)
    }

    /// Sums of four uniform numbers: near a normal distribution, as weights are.
    fn weights(seed: u32) -> [f32; 32] {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        std::array::from_fn(|_| (uniform() + uniform() + uniform() + uniform()) * 0.05)
    }

    #[test]
    fn errors_are_near_the_least_possible_and_well_below_ggmls() {
        let (mut ours, mut ggml, mut least) = (0.0, 0.0, 0.0);
        for seed in 0..20 {
            let block = weights(seed);
            ours += error_of(&block, &quantize_q4_0_least_error(&block));
            ggml += error_of(&block, &quantize_q4_0(&block));
            least += least_possible(&block);
        }
        assert!(ours < 1.03 * least, "{ours:e}, possible is {least:e}");
        assert!(ours < 0.93 * ggml, "{ours:e}, ggml {ggml:e}");
    }

    #[test]
    fn blocks_that_no_scale_fits_are_ggmls() {
        for block in [[0.0; 32], [1e-9; 32], [f32::NAN; 32], [f32::INFINITY; 32], [3e38; 32]] {
            assert_eq!(quantize_q4_0_least_error(&block), quantize_q4_0(&block), "{block:?}");
        }
        assert_eq!(quantize_q4_0_least_error(&[1.0; 33]).len(), 36);
        assert!(quantize_q4_0_least_error(&[]).is_empty());
    }

    #[test]
    fn numbers_that_fit_stay_as_they_are() {
        let block: [f32; 32] = std::array::from_fn(|i| 0.5 * (i as f32 % 16.0 - 8.0));
        let back = dequantize(DType::Q4_0, &quantize_q4_0_least_error(&block)).unwrap();
        assert_eq!(back, block);
        let mirrored = block.map(|value| -value);
        let back = dequantize(DType::Q4_0, &quantize_q4_0_least_error(&mirrored)).unwrap();
        assert_eq!(back, mirrored);
    }

    proptest! {
        #[test]
        fn every_block_is_by_the_book_and_never_worse_than_ggmls(
            block in proptest::collection::vec(-2.0_f32..2.0, 32),
            outlier in prop_oneof![Just(1.0_f32), Just(-30.0), Just(1e-3)],
        ) {
            let mut block: [f32; 32] = block.try_into().unwrap();
            block[7] *= outlier;
            prop_assume!(block.iter().any(|value| value.abs() > 1e-2));
            let bytes = quantize_q4_0_least_error(&block);
            prop_assert_eq!(&bytes, &by_the_book(&block));
            let (ours, ggml) = (error_of(&block, &bytes), error_of(&block, &quantize_q4_0(&block)));
            // Both are sums of rounded numbers.
            prop_assert!(ours <= ggml * (1.0 + 1e-5) + 1e-12, "{} > {}", ours, ggml);
        }
    }
}
