//! Unquantised numbers.

use half::{bf16, f16};

pub(super) fn from_f32(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

pub(super) fn from_f16(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|&number| f16::from_le_bytes(number).to_f32()).collect()
}

pub(super) fn from_bf16(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|&number| bf16::from_le_bytes(number).to_f32()).collect()
}

pub(super) fn to_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(super) fn to_f16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
}

pub(super) fn to_bf16(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect()
}
