//! Q4_K, Q5_K and Q6_K: 256 elements in sub-blocks whose scales are quantised themselves.

use super::f16_at;

const SIZE: usize = 256;

/// Unpacks the 6-bit scale and minimum of sub-block `at` (0..8) from 12 bytes; ggml's `get_scale_min_k4`.
fn scale_and_minimum(packed: &[u8], at: usize) -> (f32, f32) {
    let (scale, minimum) = if at < 4 {
        (packed[at] & 63, packed[at + 4] & 63)
    } else {
        (packed[at + 4] & 15 | packed[at - 4] >> 6 << 4, packed[at + 4] >> 4 | packed[at] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// `d` f16, `dmin` f16, 12 bytes of scales, 128 bytes of 4-bit values; value = d·scale·q − dmin·minimum.
pub(super) fn dequantize_q4_k(block: &[u8; 144], output: &mut [f32; SIZE]) {
    let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
    let (scales, values) = block[4..].split_at(12);
    // 64 elements share 32 bytes: the low nibbles are the first sub-block, the high nibbles the second.
    for (pair, (output, values)) in
        output.chunks_exact_mut(64).zip(values.chunks_exact(32)).enumerate()
    {
        for high in 0..2 {
            let (sub_scale, sub_minimum) = scale_and_minimum(scales, 2 * pair + high);
            let (scale, minimum) = (scale * sub_scale, minimum * sub_minimum);
            for (at, byte) in values.iter().enumerate() {
                let value = byte >> (4 * high) & 15;
                output[32 * high + at] = scale * f32::from(value) - minimum;
            }
        }
    }
}

/// As Q4_K with 32 bytes of fifth bits before the values: bit `s` of byte `i` is element `i` of sub-block `s`.
pub(super) fn dequantize_q5_k(block: &[u8; 176], output: &mut [f32; SIZE]) {
    let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
    let (scales, rest) = block[4..].split_at(12);
    let (fifth_bits, values) = rest.split_at(32);
    for (pair, (output, values)) in
        output.chunks_exact_mut(64).zip(values.chunks_exact(32)).enumerate()
    {
        for high in 0..2 {
            let sub_block = 2 * pair + high;
            let (sub_scale, sub_minimum) = scale_and_minimum(scales, sub_block);
            let (scale, minimum) = (scale * sub_scale, minimum * sub_minimum);
            for (at, (byte, bits)) in values.iter().zip(fifth_bits).enumerate() {
                let value = byte >> (4 * high) & 15 | (bits >> sub_block & 1) << 4;
                output[32 * high + at] = scale * f32::from(value) - minimum;
            }
        }
    }
}

/// 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, `d` f16; value = d·scale·(q − 32).
pub(super) fn dequantize_q6_k(block: &[u8; 210], output: &mut [f32; SIZE]) {
    let scale = f16_at(block, 208);
    let (low, rest) = block.split_at(128);
    let (high, scales) = rest.split_at(64);
    // Two halves of 128 elements, each of four runs of 32.
    for half in 0..2 {
        for at in 0..32 {
            let bits = high[32 * half + at];
            for run in 0..4 {
                let nibbles = low[64 * half + 32 * (run % 2) + at] >> (4 * (run / 2)) & 15;
                let value = f32::from(nibbles | (bits >> (2 * run) & 3) << 4) - 32.0;
                let sub_scale = f32::from(scales[8 * half + 2 * run + at / 16] as i8);
                output[128 * half + 32 * run + at] = scale * sub_scale * value;
            }
        }
    }
}
