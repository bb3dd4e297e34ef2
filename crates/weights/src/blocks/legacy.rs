//! Q4_0, Q4_1 and Q8_0: 32 elements with one scale.

use super::{DType, f16_at};
use half::f16;

const SIZE: usize = 32;
const HALF: usize = SIZE / 2;

/// `d` f16, 16 bytes: low nibbles are elements 0..16, high nibbles 16..32; value = d·(q − 8).
pub(super) fn dequantize_q4_0(block: &[u8; 18], output: &mut [f32; SIZE]) {
    let scale = f16_at(block, 0);
    for (at, byte) in block[2..].iter().enumerate() {
        output[at] = scale * (f32::from(byte & 15) - 8.0);
        output[at + HALF] = scale * (f32::from(byte >> 4) - 8.0);
    }
}

/// `d` f16, `m` f16, 16 bytes as in Q4_0; value = d·q + m.
pub(super) fn dequantize_q4_1(block: &[u8; 20], output: &mut [f32; SIZE]) {
    let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
    for (at, byte) in block[4..].iter().enumerate() {
        output[at] = f32::from(byte & 15) * scale + minimum;
        output[at + HALF] = f32::from(byte >> 4) * scale + minimum;
    }
}

/// `d` f16, 32 signed bytes; value = d·q.
pub(super) fn dequantize_q8_0(block: &[u8; 34], output: &mut [f32; SIZE]) {
    let scale = f16_at(block, 0);
    for (output, &byte) in output.iter_mut().zip(&block[2..]) {
        *output = scale * f32::from(byte as i8);
    }
}

/// Rounds to Q4_0 as ggml's `quantize_row_q4_0_ref` does. A partial last block is filled with zeros.
pub fn quantize_q4_0(values: &[f32]) -> Vec<u8> {
    quantize(DType::Q4_0, values, |block, out| {
        let mut extreme = 0.0_f32; // the value of largest magnitude, with its sign
        for &value in block {
            if value.abs() > extreme.abs() {
                extreme = value;
            }
        }
        let scale = extreme / -8.0;
        let inverse = inverse(scale);
        out.extend(f16::from_f32(scale).to_le_bytes());
        put_nibbles(out, block, |value| value * inverse + 8.5);
    })
}

/// Rounds to Q4_1 as ggml's `quantize_row_q4_1_ref` does. A partial last block is filled with zeros.
pub fn quantize_q4_1(values: &[f32]) -> Vec<u8> {
    quantize(DType::Q4_1, values, |block, out| {
        let minimum = block.iter().copied().fold(f32::MAX, f32::min);
        let maximum = block.iter().copied().fold(f32::MIN, f32::max);
        let scale = (maximum - minimum) / 15.0;
        let inverse = inverse(scale);
        out.extend(f16::from_f32(scale).to_le_bytes());
        out.extend(f16::from_f32(minimum).to_le_bytes());
        put_nibbles(out, block, |value| (value - minimum) * inverse + 0.5);
    })
}

/// Rounds to Q8_0 as ggml's `quantize_row_q8_0_ref` does. A partial last block is filled with zeros.
pub fn quantize_q8_0(values: &[f32]) -> Vec<u8> {
    quantize(DType::Q8_0, values, |block, out| {
        let largest = block.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let scale = largest / 127.0;
        let inverse = inverse(scale);
        out.extend(f16::from_f32(scale).to_le_bytes());
        // `as` saturates; f32::round rounds halves away from zero, as C's roundf does.
        out.extend(block.iter().map(|value| (value * inverse).round() as i8 as u8));
    })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

pub(super) fn quantize(
    dtype: DType,
    values: &[f32],
    one: fn(&[f32; SIZE], &mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len().div_ceil(SIZE) * dtype.block_bytes());
    let (blocks, rest) = values.as_chunks::<SIZE>();
    for block in blocks {
        one(block, &mut out);
    }
    if !rest.is_empty() {
        let mut block = [0.0; SIZE];
        block[..rest.len()].copy_from_slice(rest);
        one(&block, &mut out);
    }
    out
}

/// Packs `level(value)`, cut to a whole number of 0..=15, two elements to a byte.
fn put_nibbles(out: &mut Vec<u8>, block: &[f32; SIZE], level: impl Fn(f32) -> f32) {
    let nibble = |value: f32| (level(value) as u8).min(15);
    let (low, high) = block.split_at(HALF);
    out.extend(low.iter().zip(high).map(|(&low, &high)| nibble(low) | nibble(high) << 4));
}
