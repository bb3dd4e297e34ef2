use candle_core::{Result, Tensor};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, on_cpu};
use candle_core::DType;

/// Parameters with their running means, each (count) f32.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub(crate) parameters: Tensor,
    /// Of the gradient.
    pub(crate) first: Tensor,
    /// Of its square.
    pub(crate) second: Tensor,
}

/// The settings of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamwStep {
    /// Number of this step, from 1.
    pub(crate) step: u32,
    pub(crate) rate: f32,
    /// Rate of the parameters from `high_rate_from` on (LoRA+, Hayou et al. 2024).
    pub(crate) high_rate: f32,
    pub(crate) high_rate_from: usize,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) eps: f32,
    pub(crate) decay: f32,
    /// Longest gradient; 0 for any.
    pub(crate) max_norm: f32,
}

impl AdamwStep {
    fn corrections(&self) -> (f32, f32) {
        let power = |beta: f32| (1.0 - f64::from(beta).powi(self.step as i32)) as f32;
        (power(self.beta1), power(self.beta2))
    }
}

/// One step of AdamW (Loshchilov & Hutter 2019). The gradient is `gradient / weight`, clipped; `squares` (1) is the sum of the
/// squares of `gradient`, `weight` (1) f32. Where the gradient is not finite nothing changes.
pub(crate) fn adamw(
    state: &Moments,
    gradient: &Tensor,
    squares: &Tensor,
    weight: &Tensor,
    step: &AdamwStep,
) -> Result<Moments> {
    let parameters = &state.parameters;
    dispatch!(parameters.device(), adamw_cpu(state, gradient, squares, weight, step), |device| {
        let count = parameters.elem_count();
        let (correction1, correction2) = step.corrections();
        let args = [
            Arg::In(parameters),
            Arg::In(gradient),
            Arg::In(&state.first),
            Arg::In(&state.second),
            Arg::In(squares),
            Arg::In(weight),
            Arg::Out(0),
            Arg::Out(1),
            Arg::Out(2),
            Arg::I64(count),
            Arg::I64(step.high_rate_from),
            Arg::F32(step.rate),
            Arg::F32(step.high_rate),
            Arg::F32(step.beta1),
            Arg::F32(step.beta2),
            Arg::F32(step.eps),
            Arg::F32(step.decay),
            Arg::F32(correction1),
            Arg::F32(correction2),
            Arg::F32(step.max_norm),
        ];
        let outputs = vec![(count.into(), DType::F32); 3];
        let outputs = launch(device, "adamw", DType::F32, &Grid::Threads(count), &args, &outputs)?;
        Ok(Moments {
            parameters: outputs[0].clone(),
            first: outputs[1].clone(),
            second: outputs[2].clone(),
        })
    })
}

fn adamw_cpu(
    state: &Moments,
    gradient: &Tensor,
    squares: &Tensor,
    weight: &Tensor,
    step: &AdamwStep,
) -> Result<Moments> {
    let weight = floats(weight)?[0];
    let norm = floats(squares)?[0].sqrt() / weight;
    if !norm.is_finite() {
        return Ok(state.clone());
    }
    let clip = if step.max_norm > 0.0 && norm > step.max_norm { step.max_norm / norm } else { 1.0 };
    let (correction1, correction2) = step.corrections();
    let (mut p, mut m, mut v) =
        (floats(&state.parameters)?, floats(&state.first)?, floats(&state.second)?);
    for (index, g) in floats(gradient)?.into_iter().enumerate() {
        let g = g / weight * clip;
        let rate = if index >= step.high_rate_from { step.high_rate } else { step.rate };
        m[index] = step.beta1 * m[index] + (1.0 - step.beta1) * g;
        v[index] = step.beta2 * v[index] + (1.0 - step.beta2) * g * g;
        let decayed = p[index] * (1.0 - rate * step.decay);
        p[index] = decayed
            - rate * (m[index] / correction1) / ((v[index] / correction2).sqrt() + step.eps);
    }
    let count = p.len();
    Ok(Moments {
        parameters: on_cpu(p, count)?,
        first: on_cpu(m, count)?,
        second: on_cpu(v, count)?,
    })
}
