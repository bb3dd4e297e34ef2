//! SwiGLU (Shazeer 2020) and GELU in its tanh form (Hendrycks & Gimpel 2016).

use candle_core::{Result, Tensor};

use super::launch::{Arg, by_four, launch};
use super::{dispatch, floats, on_cpu, optional_floats};

const GELU_SCALE: f32 = 0.797_884_6; // sqrt(2 / π)
const GELU_CUBE: f32 = 0.044_715;

/// `silu(gate) · up` (rows, width) of `gate_up` (rows, 2 · width).
pub(crate) fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let (rows, double) = gate_up.dims2()?;
    let width = double / 2;
    dispatch!(gate_up.device(), swiglu_cpu(gate_up, width), |device| {
        let count = rows * width;
        let args = [Arg::In(gate_up), Arg::Out(0), Arg::Count(count), Arg::I32(width)];
        let output = [((rows, width).into(), gate_up.dtype())];
        let grid = by_four(count, width)?;
        Ok(launch(device, "swiglu", gate_up.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn swiglu_cpu(gate_up: &Tensor, width: usize) -> Result<Tensor> {
    let values = floats(gate_up)?;
    let rows = values.chunks(2 * width).flat_map(|row| {
        let (gate, up) = row.split_at(width);
        gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u)
    });
    on_cpu(rows.collect(), (gate_up.dims2()?.0, width))
}

/// The gradient of `gate_up` (rows, 2 · width), given that of the result (rows, width).
pub(crate) fn swiglu_backward(gate_up: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let width = dy.dims2()?.1;
    dispatch!(gate_up.device(), swiglu_backward_cpu(gate_up, dy, width), |device| {
        let count = dy.elem_count();
        let args = [Arg::In(gate_up), Arg::In(dy), Arg::Out(0), Arg::Count(count), Arg::I32(width)];
        let output = [(gate_up.shape().clone(), dy.dtype())];
        let grid = by_four(count, width)?;
        Ok(launch(device, "swiglu_backward", dy.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn swiglu_backward_cpu(gate_up: &Tensor, dy: &Tensor, width: usize) -> Result<Tensor> {
    let (mut values, dy) = (floats(gate_up)?, floats(dy)?);
    for (row, dy) in values.chunks_mut(2 * width).zip(dy.chunks(width)) {
        let (gate, up) = row.split_at_mut(width);
        for ((g, u), d) in gate.iter_mut().zip(up).zip(dy) {
            let sigmoid = 1.0 / (1.0 + (-*g).exp());
            let d_gate = d * *u * sigmoid * (1.0 + *g * (1.0 - sigmoid));
            *u = d * *g * sigmoid;
            *g = d_gate;
        }
    }
    on_cpu(values, gate_up.shape())
}

/// `gelu(x + bias)`; `x` (rows, width), `bias` (width) f32.
pub(crate) fn gelu(x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    dispatch!(x.device(), gelu_cpu(x, bias), |device| {
        let (count, width) = (x.elem_count(), x.dims2()?.1);
        let args = [Arg::In(x), Arg::Maybe(bias), Arg::Out(0), Arg::Count(count), Arg::I32(width)];
        let output = [(x.shape().clone(), x.dtype())];
        let grid = by_four(count, width)?;
        Ok(launch(device, "gelu", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn gelu_cpu(x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let values = biased(x, bias)?;
    on_cpu(values.into_iter().map(|v| 0.5 * v * (1.0 + tanh_of(v))).collect(), x.shape())
}

/// The gradient of `x`, given that of [`gelu`]'s result.
pub(crate) fn gelu_backward(x: &Tensor, bias: Option<&Tensor>, dy: &Tensor) -> Result<Tensor> {
    dispatch!(x.device(), gelu_backward_cpu(x, bias, dy), |device| {
        let (count, width) = (x.elem_count(), x.dims2()?.1);
        let args = [
            Arg::In(x),
            Arg::Maybe(bias),
            Arg::In(dy),
            Arg::Out(0),
            Arg::Count(count),
            Arg::I32(width),
        ];
        let output = [(x.shape().clone(), x.dtype())];
        let grid = by_four(count, width)?;
        Ok(launch(device, "gelu_backward", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn gelu_backward_cpu(x: &Tensor, bias: Option<&Tensor>, dy: &Tensor) -> Result<Tensor> {
    let slope = |v: f32| {
        let t = tanh_of(v);
        let inner = GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * v * v);
        0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * inner
    };
    let values = biased(x, bias)?;
    on_cpu(values.into_iter().zip(floats(dy)?).map(|(v, d)| d * slope(v)).collect(), x.shape())
}

fn tanh_of(v: f32) -> f32 {
    (GELU_SCALE * (v + GELU_CUBE * v * v * v)).tanh()
}

fn biased(x: &Tensor, bias: Option<&Tensor>) -> Result<Vec<f32>> {
    let mut values = floats(x)?;
    if let Some(bias) = optional_floats(bias)? {
        let rows = values.chunks_mut(bias.len());
        rows.for_each(|row| row.iter_mut().zip(&bias).for_each(|(v, b)| *v += b));
    }
    Ok(values)
}
