//! RMS and layer normalisation, with the additions before it.

use candle_core::{Result, Tensor};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, on_cpu, optional_floats};

/// A normalisation's frozen numbers.
#[derive(Clone, Debug)]
pub(crate) struct NormParams {
    pub(crate) weight: Tensor,        // (hidden) f32
    pub(crate) shift: Option<Tensor>, // (hidden) f32
    pub(crate) eps: f32,
    /// Subtracts the mean (layer normalisation).
    pub(crate) centre: bool,
}

/// What is added to `x` before the normalisation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addends<'a> {
    pub(crate) first: Option<&'a Tensor>,  // (rows, hidden)
    pub(crate) second: Option<&'a Tensor>, // (rows, hidden)
    pub(crate) bias: Option<&'a Tensor>,   // (hidden) f32
}

impl Addends<'_> {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.second.is_none() && self.bias.is_none()
    }
}

/// `x` (rows, hidden) with `addends`, rounded, and its normalisation: (rows, hidden) both.
pub(crate) fn add_norm(
    x: &Tensor,
    addends: Addends<'_>,
    norm: &NormParams,
) -> Result<(Tensor, Tensor)> {
    dispatch!(x.device(), add_norm_cpu(x, addends, norm), |device| {
        let (rows, cols) = x.dims2()?;
        let alone = addends.is_empty();
        let mut outputs = vec![(x.shape().clone(), x.dtype())];
        if !alone {
            outputs.push((x.shape().clone(), x.dtype()));
        }
        let args = [
            Arg::In(x),
            Arg::Maybe(addends.first),
            Arg::Maybe(addends.second),
            Arg::Maybe(addends.bias),
            Arg::In(&norm.weight),
            Arg::Maybe(norm.shift.as_ref()),
            if alone { Arg::Null } else { Arg::Out(1) },
            Arg::Out(0),
            Arg::I32(cols),
            Arg::F32(norm.eps),
            Arg::I32(usize::from(norm.centre)),
        ];
        let outputs =
            launch(device, "add_norm", x.dtype(), &Grid::Blocks(rows, cols * 4), &args, &outputs)?;
        Ok((outputs.get(1).unwrap_or(x).clone(), outputs[0].clone()))
    })
}

fn add_norm_cpu(x: &Tensor, addends: Addends<'_>, norm: &NormParams) -> Result<(Tensor, Tensor)> {
    let (rows, cols) = x.dims2()?;
    let mut sum = floats(x)?;
    for addend in [addends.first, addends.second].into_iter().flatten() {
        sum.iter_mut().zip(floats(addend)?).for_each(|(sum, value)| *sum += value);
    }
    if let Some(bias) = optional_floats(addends.bias)? {
        sum.chunks_mut(cols).for_each(|row| row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b));
    }
    let (weight, shift) = (floats(&norm.weight)?, optional_floats(norm.shift.as_ref())?);
    let mut y = vec![0.0; rows * cols];
    for (row, out) in sum.chunks(cols).zip(y.chunks_mut(cols)) {
        let (mean, scale) = moments(row, norm);
        for (c, out) in out.iter_mut().enumerate() {
            *out =
                (row[c] - mean) * scale * weight[c] + shift.as_ref().map_or(0.0, |shift| shift[c]);
        }
    }
    Ok((on_cpu(sum, (rows, cols))?, on_cpu(y, (rows, cols))?))
}

/// The gradient of `x` (rows, hidden) given that of its normalisation, plus `residual`.
pub(crate) fn norm_backward(
    x: &Tensor,
    norm: &NormParams,
    dy: &Tensor,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    dispatch!(x.device(), norm_backward_cpu(x, norm, dy, residual), |device| {
        let (rows, cols) = x.dims2()?;
        let args = [
            Arg::In(x),
            Arg::In(&norm.weight),
            Arg::In(dy),
            Arg::Maybe(residual),
            Arg::Out(0),
            Arg::I32(cols),
            Arg::F32(norm.eps),
            Arg::I32(usize::from(norm.centre)),
        ];
        let output = [(x.shape().clone(), x.dtype())];
        let outputs = launch(
            device,
            "norm_backward",
            x.dtype(),
            &Grid::Blocks(rows, cols * 4),
            &args,
            &output,
        )?;
        Ok(outputs[0].clone())
    })
}

fn norm_backward_cpu(
    x: &Tensor,
    norm: &NormParams,
    dy: &Tensor,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let (rows, cols) = x.dims2()?;
    let (x, dy, weight) = (floats(x)?, floats(dy)?, floats(&norm.weight)?);
    let mut dx = optional_floats(residual)?.unwrap_or_else(|| vec![0.0; rows * cols]);
    for ((row, dy), dx) in x.chunks(cols).zip(dy.chunks(cols)).zip(dx.chunks_mut(cols)) {
        let (mean, scale) = moments(row, norm);
        let g: Vec<f32> = dy.iter().zip(&weight).map(|(dy, weight)| dy * weight).collect();
        let mean_g = if norm.centre { g.iter().sum::<f32>() / cols as f32 } else { 0.0 };
        let sum_gx: f32 = g.iter().zip(row).map(|(g, x)| g * (x - mean)).sum();
        let mean_gx = sum_gx / cols as f32 * scale * scale;
        for c in 0..cols {
            dx[c] += scale * (g[c] - mean_g - (row[c] - mean) * mean_gx);
        }
    }
    on_cpu(dx, (rows, cols))
}

/// The mean to subtract and the factor to multiply with.
fn moments(row: &[f32], norm: &NormParams) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = if norm.centre { row.iter().sum::<f32>() / count } else { 0.0 };
    let squares: f32 = row.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, 1.0 / (squares / count + norm.eps).sqrt())
}
