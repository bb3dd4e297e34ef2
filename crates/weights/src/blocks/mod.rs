//! How weights are stored: plain floats and ggml's quantised blocks.
//!
//! A block holds a fixed number of consecutive elements of one row. Layouts and rounding are those of
//! `ggml-common.h` and `ggml-quants.c` (<https://github.com/ggml-org/ggml>). Multi-byte numbers are little-endian.

mod float;
mod k_quants;
mod least_error;
mod legacy;

pub use least_error::quantize_q4_0_least_error;
pub use legacy::{quantize_q4_0, quantize_q4_1, quantize_q8_0};

use std::fmt;

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types)] // ggml's names
pub enum DType {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    BF16,
    /// 32 elements: f16 scale, 4-bit values with offset 8.
    Q4_0,
    /// 32 elements: f16 scale and minimum, 4-bit values.
    Q4_1,
    /// 32 elements: f16 scale, 8-bit values.
    Q8_0,
    /// 256 elements in 8 sub-blocks with 6-bit scales and minima, 4-bit values.
    Q4K,
    /// 256 elements in 8 sub-blocks with 6-bit scales and minima, 5-bit values.
    Q5K,
    /// 256 elements in 16 sub-blocks with 8-bit scales, 6-bit values with offset 32.
    Q6K,
}

/// Why blocks could not be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The bytes are not whole blocks.
    #[error("{bytes} bytes are not whole {dtype} blocks of {} bytes", dtype.block_bytes())]
    PartialBytes {
        /// The type.
        dtype: DType,
        /// Number of bytes given.
        bytes: usize,
    },
    /// The elements are not whole blocks.
    #[error("{elements} elements are not whole {dtype} blocks of {}", dtype.block_size())]
    PartialElements {
        /// The type.
        dtype: DType,
        /// Number of elements given.
        elements: usize,
    },
    /// The type can be read, not written.
    #[error("{dtype} is read, not written; write Q4_0, Q4_1, Q8_0, F16, BF16 or F32")]
    ReadOnly {
        /// The type.
        dtype: DType,
    },
}

impl DType {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Number of elements of a block.
    pub const fn block_size(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Size of a block in bytes.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 2 + 2 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 2 + 2 + 12 + 128,
            Self::Q5K => 2 + 2 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// ggml's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The number that stands for the type in a GGUF file (`enum ggml_type`).
    pub const fn ggml_id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::BF16 => 30,
        }
    }

    /// The type that `id` stands for, if it is one that is read.
    pub fn from_ggml_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.ggml_id() == id)
    }

    /// What ggml calls type `id`, also of types that are not read here.
    pub fn ggml_type_name(id: u32) -> String {
        const OTHERS: [(u32, &str); 22] = [
            (6, "Q5_0"),
            (7, "Q5_1"),
            (9, "Q8_1"),
            (10, "Q2_K"),
            (11, "Q3_K"),
            (15, "Q8_K"),
            (16, "IQ2_XXS"),
            (17, "IQ2_XS"),
            (18, "IQ3_XXS"),
            (19, "IQ1_S"),
            (20, "IQ4_NL"),
            (21, "IQ3_S"),
            (22, "IQ2_S"),
            (23, "IQ4_XS"),
            (24, "I8"),
            (25, "I16"),
            (26, "I32"),
            (27, "I64"),
            (28, "F64"),
            (29, "IQ1_M"),
            (34, "TQ1_0"),
            (35, "TQ2_0"),
        ];
        match Self::from_ggml_id(id) {
            Some(dtype) => dtype.name().to_owned(),
            None => match OTHERS.iter().find(|(other, _)| *other == id) {
                Some((_, name)) => (*name).to_owned(),
                None => format!("ggml type {id}"),
            },
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Converts blocks to floats.
///
/// # Errors
/// [`BlockError::PartialBytes`] when `bytes` are not whole blocks.
pub fn dequantize(dtype: DType, bytes: &[u8]) -> Result<Vec<f32>, BlockError> {
    if !bytes.len().is_multiple_of(dtype.block_bytes()) {
        return Err(BlockError::PartialBytes { dtype, bytes: bytes.len() });
    }
    Ok(match dtype {
        DType::F32 => float::from_f32(bytes),
        DType::F16 => float::from_f16(bytes),
        DType::BF16 => float::from_bf16(bytes),
        DType::Q4_0 => blocks(bytes, legacy::dequantize_q4_0),
        DType::Q4_1 => blocks(bytes, legacy::dequantize_q4_1),
        DType::Q8_0 => blocks(bytes, legacy::dequantize_q8_0),
        DType::Q4K => blocks(bytes, k_quants::dequantize_q4_k),
        DType::Q5K => blocks(bytes, k_quants::dequantize_q5_k),
        DType::Q6K => blocks(bytes, k_quants::dequantize_q6_k),
    })
}

/// Converts floats to blocks of `dtype`, rounding as ggml does.
///
/// # Errors
/// [`BlockError::PartialElements`] when `values` are not whole blocks, [`BlockError::ReadOnly`] for K-quants.
pub fn quantize(dtype: DType, values: &[f32]) -> Result<Vec<u8>, BlockError> {
    if !values.len().is_multiple_of(dtype.block_size()) {
        return Err(BlockError::PartialElements { dtype, elements: values.len() });
    }
    match dtype {
        DType::F32 => Ok(float::to_f32(values)),
        DType::F16 => Ok(float::to_f16(values)),
        DType::BF16 => Ok(float::to_bf16(values)),
        DType::Q4_0 => Ok(quantize_q4_0(values)),
        DType::Q4_1 => Ok(quantize_q4_1(values)),
        DType::Q8_0 => Ok(quantize_q8_0(values)),
        DType::Q4K | DType::Q5K | DType::Q6K => Err(BlockError::ReadOnly { dtype }),
    }
}

/// Runs `one` over blocks of `BYTES` bytes, which become `SIZE` floats each.
fn blocks<const BYTES: usize, const SIZE: usize>(
    bytes: &[u8],
    one: fn(&[u8; BYTES], &mut [f32; SIZE]),
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let mut values = vec![0.0; blocks.len() * SIZE];
    let (outputs, _) = values.as_chunks_mut::<SIZE>();
    for (block, output) in blocks.iter().zip(outputs) {
        one(block, output);
    }
    values
}

/// The f16 number at `at` of a block.
fn f16_at(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        for dtype in DType::ALL {
            assert_eq!(DType::from_ggml_id(dtype.ggml_id()), Some(dtype));
            assert_eq!(DType::ggml_type_name(dtype.ggml_id()), dtype.name());
        }
        assert_eq!(DType::ggml_type_name(16), "IQ2_XXS");
        assert_eq!(DType::ggml_type_name(999), "ggml type 999");
    }

    #[test]
    fn partial_blocks_and_k_quants_are_refused() {
        for dtype in DType::ALL {
            let bytes = vec![0; dtype.block_bytes() + 1];
            assert!(dequantize(dtype, &bytes).is_err());
            assert_eq!(dequantize(dtype, &bytes[1..]).map(|v| v.len()), Ok(dtype.block_size()));
        }
        assert!(matches!(
            quantize(DType::Q4_0, &[0.0; 33]),
            Err(BlockError::PartialElements { elements: 33, .. })
        ));
        assert!(matches!(quantize(DType::Q6K, &[0.0; 256]), Err(BlockError::ReadOnly { .. })));
    }

    /// Largest error that rounding to `dtype` may make in `block`.
    fn bound(dtype: DType, block: &[f32]) -> f32 {
        let largest = block.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let minimum = block.iter().copied().fold(f32::INFINITY, f32::min);
        let maximum = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // Half a step, for the scale's own rounding 2^-11 of the value, and f16's smallest step.
        let rounding = largest * 2.0 / 2048.0 + 1e-6;
        let step = match dtype {
            DType::F32 => return 0.0,
            DType::F16 => return largest / 2048.0 + 6e-8,
            DType::BF16 => return largest / 256.0,
            // 15 levels of which the extreme one is -8 exactly: the far end may miss by a whole step.
            DType::Q4_0 => largest / 8.0 * 2.0,
            DType::Q4_1 => (maximum - minimum) / 15.0,
            _ => largest / 127.0,
        };
        step / 2.0 + rounding
    }

    proptest! {
        #[test]
        fn written_blocks_read_back_within_half_a_step(
            values in proptest::collection::vec(-60.0_f32..60.0, 64),
            scale in prop_oneof![Just(1.0_f32), Just(1e-2), Just(0.0)],
        ) {
            let values: Vec<f32> = values.into_iter().map(|value| value * scale).collect();
            for dtype in DType::ALL.into_iter().filter(|dtype| dtype.block_size() < 256) {
                let bytes = quantize(dtype, &values).unwrap();
                prop_assert_eq!(bytes.len(), 64 / dtype.block_size() * dtype.block_bytes());
                let back = dequantize(dtype, &bytes).unwrap();
                for (block, back) in values.chunks(32).zip(back.chunks(32)) {
                    let bound = bound(dtype, block);
                    for (value, back) in block.iter().zip(back) {
                        prop_assert!((value - back).abs() <= bound, "{dtype}: {value} became {back}");
                    }
                }
            }
        }

        #[test]
        fn any_bytes_and_any_floats_convert(
            bytes in proptest::collection::vec(any::<u8>(), 840),
            bits in proptest::collection::vec(any::<u32>(), 64),
        ) {
            for dtype in DType::ALL {
                let whole = bytes.len() / dtype.block_bytes() * dtype.block_bytes();
                prop_assert!(dequantize(dtype, &bytes[..whole]).is_ok());
            }
            let values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            for dtype in DType::ALL.into_iter().filter(|dtype| dtype.block_size() < 256) {
                prop_assert!(quantize(dtype, &values).is_ok());
            }
        }
    }
}
