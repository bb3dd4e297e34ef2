//! Numbers to bytes, with the error made.

use super::{ExportError, TensorReport};
use crate::blocks::{self, DType, quantize_q4_0_least_error};

/// Whole rows as they are stored, and the error made.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    elements: usize,
    squared_error: f64,
    squares: f64,
    max_abs_error: f32,
}

/// Converts whole rows of the tensor `tensor` of the file to write.
pub(super) fn encode(tensor: &str, dtype: DType, numbers: &[f32]) -> Result<Encoded, ExportError> {
    let bytes = match dtype {
        DType::Q4_0 => quantize_q4_0_least_error(numbers),
        dtype => blocks::quantize(dtype, numbers)?,
    };
    let stored = blocks::dequantize(dtype, &bytes)?;
    let (mut squared_error, mut squares, mut max_abs_error) = (0.0, 0.0, 0.0_f32);
    for (number, stored) in numbers.iter().zip(stored) {
        let error = stored - number;
        if !error.is_finite() {
            return Err(ExportError::Tensor {
                tensor: tensor.to_owned(),
                problem: format!("{number} is too large for {dtype}; export as f32"),
            });
        }
        squared_error += f64::from(error) * f64::from(error);
        squares += f64::from(*number) * f64::from(*number);
        max_abs_error = max_abs_error.max(error.abs());
    }
    Ok(Encoded { bytes, elements: numbers.len(), squared_error, squares, max_abs_error })
}

/// The errors of a tensor's rows, added up in their order.
pub(super) struct Tally<'a> {
    tensor: &'a str,
    dtype: DType,
    squared_error: f64,
    squares: f64,
    max_abs_error: f32,
    elements: u64,
    bytes: u64,
}

impl<'a> Tally<'a> {
    /// For the tensor `tensor` of the file to write, of which no rows are there yet.
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

    /// Adds the next rows.
    pub(super) fn add(&mut self, rows: &Encoded) {
        self.squared_error += rows.squared_error;
        self.squares += rows.squares;
        self.max_abs_error = self.max_abs_error.max(rows.max_abs_error);
        self.elements += rows.elements as u64;
        self.bytes += rows.bytes.len() as u64;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_measured_and_added_up() {
        let numbers: Vec<f32> = (0..3072).map(|i| (i as f32).sin()).collect();
        let mut tally = Tally::new("m", DType::Q4_0);
        for rows in numbers.chunks(1024) {
            tally.add(&encode("m", DType::Q4_0, rows).unwrap());
        }
        let report = tally.report(&[3, 1024]);
        assert_eq!((report.dtype, report.bits_per_weight), ("Q4_0", 4.5));
        assert!((0.03..0.12).contains(&report.relative_rms_error), "{report:?}");
        assert!((0.03..0.25).contains(&report.max_abs_error), "{report:?}");

        let mut exact = Tally::new("m", DType::F32);
        exact.add(&encode("m", DType::F32, &numbers).unwrap());
        assert_eq!(exact.report(&[1]).relative_rms_error, 0.0);
        let error = encode("m", DType::F16, &[1e6]).err().unwrap().to_string();
        assert_eq!(error, "tensor m: 1000000 is too large for F16; export as f32");
    }
}
