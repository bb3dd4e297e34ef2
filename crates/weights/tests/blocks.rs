//! Blocks against the Python package gguf.
#![cfg(not(target_arch = "wasm32"))]

use hangtag_weights::{DType, Gguf, MemorySource, blocks};
use pollster::block_on;

const WRITTEN: [DType; 5] = [DType::F16, DType::BF16, DType::Q4_0, DType::Q4_1, DType::Q8_0];
const READ_ONLY: [DType; 3] = [DType::Q4K, DType::Q5K, DType::Q6K];

fn goldens() -> Gguf<MemorySource> {
    let bytes = include_bytes!("golden/blocks.gguf");
    block_on(Gguf::open(vec![MemorySource::new("blocks.gguf", bytes)])).unwrap()
}

fn bytes(gguf: &Gguf<MemorySource>, name: &str) -> Vec<u8> {
    block_on(gguf.read(gguf.tensor(name).unwrap())).unwrap()
}

fn floats(gguf: &Gguf<MemorySource>, name: &str) -> Vec<f32> {
    blocks::dequantize(DType::F32, &bytes(gguf, name)).unwrap()
}

/// Name of the tensor that holds blocks of a type.
fn stored(dtype: DType) -> String {
    if WRITTEN.contains(&dtype) { format!("{dtype}.of_source") } else { dtype.to_string() }
}

/// Largest difference relative to the largest value.
fn relative_error(values: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(values.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    assert!(largest > 0.0 && largest.is_finite());
    let differences = values.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest
}

#[test]
fn types_and_shapes_are_read() {
    let gguf = goldens();
    for dtype in WRITTEN.into_iter().chain(READ_ONLY) {
        let tensor = gguf.tensor(&stored(dtype)).unwrap();
        assert_eq!((tensor.dtype, tensor.shape.as_slice()), (dtype, [3, 512].as_slice()));
        assert_eq!((tensor.rows(), tensor.columns(), tensor.num_elements()), (3, 512, 1536));
    }
}

#[test]
fn every_type_dequantises_to_the_recorded_values() {
    let gguf = goldens();
    for dtype in WRITTEN.into_iter().chain(READ_ONLY) {
        let values = blocks::dequantize(dtype, &bytes(&gguf, &stored(dtype))).unwrap();
        let expected = floats(&gguf, &format!("{dtype}.f32"));
        // Products may be rounded in another order.
        let error = relative_error(&values, &expected);
        assert!(error < 1e-6, "{dtype}: {error}");
    }
}

#[test]
fn a_changed_bit_of_each_part_of_a_block_is_seen() {
    let gguf = goldens();
    for dtype in READ_ONLY {
        let original = bytes(&gguf, &stored(dtype));
        let expected = floats(&gguf, &format!("{dtype}.f32"));
        for at in 0..dtype.block_bytes() {
            let mut changed = original.clone();
            changed[at] ^= 0b0100_0010;
            let values = blocks::dequantize(dtype, &changed).unwrap();
            assert_ne!(values, expected, "{dtype}: byte {at}");
        }
    }
}

#[test]
fn every_written_type_quantises_to_the_recorded_bytes() {
    let gguf = goldens();
    let source = floats(&gguf, "source");
    for dtype in WRITTEN {
        let quantised = blocks::quantize(dtype, &source).unwrap();
        assert!(quantised == bytes(&gguf, &stored(dtype)), "{dtype} differs");
    }
}

#[test]
fn a_partial_last_block_is_filled_with_zeros() {
    let values: Vec<f32> = (0..40).map(|at| at as f32 - 20.0).collect();
    let mut filled = values.clone();
    filled.resize(64, 0.0);
    assert_eq!(blocks::quantize_q4_0(&values), blocks::quantize_q4_0(&filled));
    assert_eq!(blocks::quantize_q4_1(&values), blocks::quantize_q4_1(&filled));
    assert_eq!(blocks::quantize_q8_0(&values), blocks::quantize_q8_0(&filled));
}

#[test]
fn rows_are_read_apart() {
    let gguf = goldens();
    for name in ["source", "Q4_0.of_source", "Q6_K"] {
        let tensor = gguf.tensor(name).unwrap();
        let all = bytes(&gguf, name);
        let rows = block_on(gguf.read_rows(tensor, 1..3)).unwrap();
        assert_eq!(rows, all[tensor.row_bytes()..]);
        assert!(block_on(gguf.read_rows(tensor, 2..4)).is_err());
        assert!(block_on(gguf.read_rows(tensor, 2..2)).unwrap().is_empty());
    }
}
