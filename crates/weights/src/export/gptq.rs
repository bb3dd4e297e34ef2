//! GPTQ's layout of 4-bit weights, as AutoGPTQ writes it and vLLM and transformers read it (`checkpoint_format`
//! "gptq").
//!
//! A matrix (out, in) becomes four tensors. Weight (o, i) is `scales[g][o] · (q − 8)` with group g = i / 32:
//! - `qweight` (in / 8, out) i32: q of inputs 8k..8k+8 in the nibbles of row k, lowest first;
//! - `qzeros` (in / 32, out / 8) i32: the zero point 8 in each nibble, stored less one, so 7;
//! - `scales` (in / 32, out) f16;
//! - `g_idx` (in) i32: the group of each input.

use crate::blocks::DType;

/// Weights that share a scale; the block of Q4_0.
pub(super) const GROUP: usize = 32;
/// Nibbles of an i32.
pub(super) const PACKED: usize = 8;
/// Eight zero points of 8, stored less one.
const ZEROS: u32 = 0x7777_7777;

/// The four tensors' bytes.
pub(super) struct Packed {
    pub(super) qweight: Vec<u8>,
    pub(super) qzeros: Vec<u8>,
    pub(super) scales: Vec<u8>,
    pub(super) g_idx: Vec<u8>,
}

/// Repacks whole Q4_0 rows, (rows, columns) with columns a multiple of 32 and rows of 8.
pub(super) fn pack(q4_0: &[u8], rows: usize, columns: usize) -> Packed {
    let groups = columns / GROUP;
    let block_bytes = DType::Q4_0.block_bytes();
    let mut qweight = vec![0_u32; columns / PACKED * rows];
    let mut scales = vec![0_u8; groups * rows * 2];
    for (at, block) in q4_0.chunks_exact(block_bytes).enumerate() {
        let (row, group) = (at / groups, at % groups);
        scales[(group * rows + row) * 2..][..2].copy_from_slice(&block[..2]);
        for (place, byte) in block[2..].iter().enumerate() {
            for (element, q) in [(place, byte & 15), (place + GROUP / 2, byte >> 4)] {
                let column = group * GROUP + element;
                let word = &mut qweight[column / PACKED * rows + row];
                *word |= u32::from(q) << (4 * (column % PACKED));
            }
        }
    }
    let g_idx = (0..columns).map(|column| (column / GROUP) as u32);
    Packed {
        qweight: words(qweight),
        qzeros: words(vec![ZEROS; groups * rows / PACKED]),
        scales,
        g_idx: words(g_idx),
    }
}

fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{dequantize, quantize_q4_0_least_error};

    /// Weight (o, i) as transformers' dequantisation reads it: zeros are stored less one.
    fn unpack(packed: &Packed, rows: usize, row: usize, column: usize) -> f32 {
        let word = |bytes: &[u8], at: usize| {
            u32::from_le_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap())
        };
        let group = word(&packed.g_idx, column) as usize;
        let q = word(&packed.qweight, column / 8 * rows + row) >> (4 * (column % 8)) & 15;
        let zeros = word(&packed.qzeros, group * (rows / 8) + row / 8);
        let zero = (zeros >> (4 * (row % 8)) & 15) + 1;
        let at = (group * rows + row) * 2;
        let scale = half::f16::from_le_bytes([packed.scales[at], packed.scales[at + 1]]).to_f32();
        scale * (q as f32 - zero as f32)
    }

    #[test]
    fn the_weights_are_those_of_q4_0() {
        let (rows, columns) = (16, 96);
        let numbers: Vec<f32> = (0..rows * columns).map(|i| ((i * i) as f32).sin()).collect();
        let blocks = quantize_q4_0_least_error(&numbers);
        let expected = dequantize(DType::Q4_0, &blocks).unwrap();
        let packed = pack(&blocks, rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                let found = unpack(&packed, rows, row, column);
                assert_eq!(found, expected[row * columns + column], "({row}, {column})");
            }
        }
        assert_eq!(packed.qzeros.len(), 3 * 2 * 4);
    }
}
