//! The GPU's layout of a matrix holds exactly the file's values.

use half::f16;
use hangtag_weights::{DType, blocks};

use super::harness::Random;
use crate::matrix::{TILE_ROWS, pack};

const DTYPES: [DType; 9] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q4_0,
    DType::Q4_1,
    DType::Q8_0,
    DType::Q4K,
    DType::Q5K,
    DType::Q6K,
];

/// Bytes of random blocks; every f16 or f32 in them is finite.
pub fn random_blocks(random: &mut Random, dtype: DType, elements: usize) -> Vec<u8> {
    loop {
        let bytes = elements / dtype.block_size() * dtype.block_bytes();
        let mut bytes: Vec<u8> = (0..bytes).map(|_| random.bits() as u8).collect();
        // Exponents of the scales stay in the middle: clear the top bits of every f16 that may be one.
        match dtype {
            DType::F32 | DType::BF16 => {
                let size = dtype.block_bytes();
                bytes.chunks_exact_mut(size).for_each(|x| x[size - 1] = x[size - 1] & 0x80 | 0x3f);
            }
            DType::Q6K => bytes.chunks_exact_mut(210).for_each(|b| b[209] = 0x20),
            DType::F16 => bytes.chunks_exact_mut(2).for_each(|x| x[1] &= 0xbb),
            _ => bytes.chunks_exact_mut(dtype.block_bytes()).for_each(|b| {
                b[1] = 0x20;
                if matches!(dtype, DType::Q4_1 | DType::Q4K | DType::Q5K) {
                    b[3] = 0xa0;
                }
            }),
        }
        let values = blocks::dequantize(dtype, &bytes).expect("whole blocks");
        if values.iter().all(|x| x.is_finite()) {
            return bytes;
        }
    }
}

#[test]
fn packing_keeps_every_value_of_every_type() {
    let mut random = Random::new();
    let (rows, columns) = (TILE_ROWS + 5, 512);
    for dtype in DTYPES {
        let bytes = random_blocks(&mut random, dtype, rows * columns);
        let packed = pack(dtype, &bytes, rows, columns).expect("fits");
        let file = blocks::dequantize(dtype, &bytes).expect("whole blocks");
        for row in 0..rows {
            for column in 0..columns {
                let found = packed.weight(columns, row, column);
                let mut expected = file[row * columns + column];
                if matches!(dtype, DType::Q4K | DType::Q5K | DType::Q6K) {
                    expected = f16::from_f32(expected).to_f32();
                }
                assert_eq!(found, expected, "{dtype:?} row {row} column {column}");
            }
        }
    }
}

#[test]
fn packing_fills_up_the_last_tile_with_zeros() {
    let bytes = vec![0xff; DType::Q8_0.block_bytes()];
    let packed = pack(DType::Q8_0, &bytes, 1, 32).expect("fits");
    assert!((1..TILE_ROWS).all(|row| packed.weight(32, row, 7) == 0.0));
    assert!(packed.weight(32, 0, 7).is_nan() || packed.weight(32, 0, 7) != 0.0);
}

#[test]
fn packing_refuses_a_wrong_size() {
    assert!(pack(DType::Q4_0, &[0; 17], 1, 32).is_err());
    assert!(pack(DType::F32, &[0; 16], 1, 4).is_err());
}
