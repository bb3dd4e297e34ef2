//! Numbers to bytes, with the error made.

use super::{ExportError, TensorReport};
use crate::blocks::{self, DType, quantize_q4_0_least_error};
use std::thread;

/// Numbers that are worth a thread.
const MIN_PER_THREAD: usize = 1 << 16;

/// Converts a tensor's numbers piece by piece and adds up the error.
pub(super) struct Encoder<'a> {
    tensor: &'a str,
    dtype: DType,
    squared_error: f64,
    squares: f64,
    max_abs_error: f32,
    elements: u64,
    bytes: u64,
}

impl<'a> Encoder<'a> {
    /// For the tensor `tensor` of the file to write, none of whose numbers are there yet.
    pub(super) fn new(tensor: &'a str, dtype: DType) -> Self {
        Self {
            tensor,
            dtype,
            squared_error: 0.0,
            squares: 0.0,
            max_abs_error: 0.0,
            elements: 0,
            bytes: 0,
        }
    }

    /// The bytes of the next whole rows.
    pub(super) fn encode(&mut self, numbers: &[f32]) -> Result<Vec<u8>, ExportError> {
        let bytes = match self.dtype {
            DType::Q4_0 => in_parallel(numbers),
            dtype => blocks::quantize(dtype, numbers)?,
        };
        for (number, stored) in numbers.iter().zip(blocks::dequantize(self.dtype, &bytes)?) {
            let error = stored - number;
            if !error.is_finite() {
                return Err(ExportError::Tensor {
                    tensor: self.tensor.to_owned(),
                    problem: format!("{number} is too large for {}; export as f32", self.dtype),
                });
            }
            self.squared_error += f64::from(error) * f64::from(error);
            self.squares += f64::from(*number) * f64::from(*number);
            self.max_abs_error = self.max_abs_error.max(error.abs());
        }
        self.elements += numbers.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// What was stored, and how well.
    pub(super) fn report(self, shape: &[usize]) -> TensorReport {
        let relative = if self.squares > 0.0 { self.squared_error / self.squares } else { 0.0 };
        TensorReport {
            name: self.tensor.to_owned(),
            shape: shape.to_vec(),
            dtype: self.dtype.name(),
            bits_per_weight: self.bytes as f64 * 8.0 / (self.elements as f64).max(1.0),
            relative_rms_error: relative.sqrt(),
            max_abs_error: self.max_abs_error,
            bytes: self.bytes,
        }
    }
}

/// [`quantize_q4_0_least_error`] over all processors; blocks do not know of each other.
fn in_parallel(numbers: &[f32]) -> Vec<u8> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let block = DType::Q4_0.block_size();
    let share = numbers.len().div_ceil(threads).max(MIN_PER_THREAD).next_multiple_of(block);
    thread::scope(|scope| {
        let parts: Vec<_> = numbers
            .chunks(share)
            .map(|part| scope.spawn(move || quantize_q4_0_least_error(part)))
            .collect();
        let done = parts.into_iter().map(|part| match part.join() {
            Ok(bytes) => bytes,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect::<Vec<_>>().concat()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole_and_errors_are_measured() {
        let numbers: Vec<f32> = (0..MIN_PER_THREAD * 3).map(|i| (i as f32).sin()).collect();
        let whole = quantize_q4_0_least_error(&numbers);
        let mut encoder = Encoder::new("m", DType::Q4_0);
        let (first, second) = numbers.split_at(MIN_PER_THREAD * 2);
        let pieces = [encoder.encode(first).unwrap(), encoder.encode(second).unwrap()].concat();
        assert_eq!(pieces, whole);
        let report = encoder.report(&[3, MIN_PER_THREAD]);
        assert_eq!((report.dtype, report.bits_per_weight), ("Q4_0", 4.5));
        assert!((0.03..0.12).contains(&report.relative_rms_error), "{report:?}");
        assert!((0.03..0.25).contains(&report.max_abs_error), "{report:?}");

        let mut exact = Encoder::new("m", DType::F32);
        exact.encode(&numbers).unwrap();
        let error = Encoder::new("m", DType::F16).encode(&[1e6]).unwrap_err().to_string();
        assert_eq!(error, "tensor m: 1000000 is too large for F16; export as f32");
        assert_eq!(exact.report(&[1]).relative_rms_error, 0.0);
    }
}
