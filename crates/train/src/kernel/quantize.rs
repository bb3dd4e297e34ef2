//! Blocks of 4 and 8 bits: to numbers, and the rounding of a merged weight as the export rounds it.

use candle_core::{DType, Device, Result, Tensor, bail};
use hangtag_weights::blocks;

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, on_cpu};

/// The matrix (rows, columns) that `bytes` (u8) hold as blocks of `from`, as `to`.
pub(crate) fn dequantize(
    bytes: &Tensor,
    from: blocks::DType,
    shape: (usize, usize),
    to: DType,
) -> Result<Tensor> {
    dispatch!(bytes.device(), dequantize_cpu(bytes, from, shape)?.to_dtype(to), |device| {
        let elements = shape.0 * shape.1;
        let (name, threads) = match from {
            blocks::DType::Q4_0 => ("dequantize_q4_0", elements / 8),
            blocks::DType::Q4_1 => ("dequantize_q4_1", elements / 8),
            blocks::DType::Q8_0 => ("dequantize_q8_0", elements / 4),
            other => bail!("{other} blocks are not held on the GPU"),
        };
        let args = [Arg::In(bytes), Arg::Out(0), Arg::Count(threads)];
        let grid = Grid::Threads(threads);
        Ok(launch(device, name, to, &grid, &args, &[(shape.into(), to)])?[0].clone())
    })
}

fn dequantize_cpu(bytes: &Tensor, from: blocks::DType, shape: (usize, usize)) -> Result<Tensor> {
    let values = blocks::dequantize(from, &bytes.to_vec1::<u8>()?);
    Tensor::from_vec(values.map_err(candle_core::Error::wrap)?, shape, &Device::Cpu)
}

/// `weight + delta` (rows, columns) f32 after the rounding to Q4_0 that the export does, as `dtype`.
pub(crate) fn fake_quantize_q4_0(weight: &Tensor, delta: &Tensor, dtype: DType) -> Result<Tensor> {
    dispatch!(weight.device(), fake_quantize_q4_0_cpu(weight, delta)?.to_dtype(dtype), |device| {
        let blocks = weight.elem_count() / 32;
        let args = [Arg::In(weight), Arg::In(delta), Arg::Out(0), Arg::I64(blocks)];
        let output = [(weight.shape().clone(), dtype)];
        let grid = Grid::Threads(blocks);
        Ok(launch(device, "fake_quantize_q4_0", dtype, &grid, &args, &output)?[0].clone())
    })
}

fn fake_quantize_q4_0_cpu(weight: &Tensor, delta: &Tensor) -> Result<Tensor> {
    let mut values = floats(weight)?;
    values.iter_mut().zip(floats(delta)?).for_each(|(value, delta)| *value += delta);
    let bytes = blocks::quantize_q4_0_least_error(&values);
    let rounded =
        blocks::dequantize(blocks::DType::Q4_0, &bytes).map_err(candle_core::Error::wrap)?;
    on_cpu(rounded, weight.shape())
}
