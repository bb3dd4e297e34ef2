//! Cross-entropy over the vocabulary with its gradient, and the likeliest word.

use candle_core::{DType, Result, Tensor};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, indices, on_cpu, optional_floats};

/// `−weight · log p(target)` of each row (rows) f32, and its gradient for `logits` (rows, vocab_size).
///
/// `bias` (vocab_size) f32 is added to the logits; `targets` (rows) u32, `weights` (rows) f32.
pub(crate) fn cross_entropy(
    logits: &Tensor,
    bias: Option<&Tensor>,
    targets: &Tensor,
    weights: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let (rows, words) = logits.dims2()?;
    dispatch!(logits.device(), cross_entropy_cpu(logits, bias, targets, weights), |device| {
        let args = [
            Arg::In(logits),
            Arg::Maybe(bias),
            Arg::In(targets),
            Arg::In(weights),
            Arg::Out(0),
            Arg::Out(1),
            Arg::I32(words),
        ];
        let outputs = [(rows.into(), DType::F32), (logits.shape().clone(), logits.dtype())];
        let grid = Grid::Blocks(rows, 0);
        let outputs = launch(device, "cross_entropy", logits.dtype(), &grid, &args, &outputs)?;
        Ok((outputs[0].clone(), outputs[1].clone()))
    })
}

fn cross_entropy_cpu(
    logits: &Tensor,
    bias: Option<&Tensor>,
    targets: &Tensor,
    weights: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let (rows, words) = logits.dims2()?;
    let (mut values, targets, weights) = (floats(logits)?, indices(targets)?, floats(weights)?);
    add_bias(&mut values, words, optional_floats(bias)?.as_deref());
    let mut loss = Vec::with_capacity(rows);
    for (index, row) in values.chunks_mut(words).enumerate() {
        let (target, weight) = (targets[index] as usize, weights[index]);
        let log_total = log_sum_exp(row);
        loss.push(weight * (log_total - row[target]));
        row.iter_mut().for_each(|value| *value = weight * (*value - log_total).exp());
        row[target] -= weight;
    }
    Ok((on_cpu(loss, rows)?, on_cpu(values, (rows, words))?))
}

/// The likeliest word of each row, the first of equals, and the logarithm of its probability.
pub(crate) fn likeliest(logits: &Tensor, bias: Option<&Tensor>) -> Result<(Vec<u32>, Vec<f32>)> {
    let (rows, words) = logits.dims2()?;
    dispatch!(logits.device(), likeliest_cpu(logits, bias), |device| {
        let args = [Arg::In(logits), Arg::Maybe(bias), Arg::Out(0), Arg::Out(1), Arg::I32(words)];
        let outputs = [(rows.into(), DType::U32), (rows.into(), DType::F32)];
        let grid = Grid::Blocks(rows, 0);
        let outputs = launch(device, "likeliest", logits.dtype(), &grid, &args, &outputs)?;
        Ok((outputs[0].to_vec1()?, outputs[1].to_vec1()?))
    })
}

fn likeliest_cpu(logits: &Tensor, bias: Option<&Tensor>) -> Result<(Vec<u32>, Vec<f32>)> {
    let words = logits.dims2()?.1;
    let mut values = floats(logits)?;
    add_bias(&mut values, words, optional_floats(bias)?.as_deref());
    let best = values.chunks(words).map(|row| {
        let first =
            (0..words).fold(0, |best, word| if row[word] > row[best] { word } else { best });
        (first as u32, row[first] - log_sum_exp(row))
    });
    Ok(best.unzip())
}

fn add_bias(values: &mut [f32], words: usize, bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        let rows = values.chunks_mut(words);
        rows.for_each(|row| row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias));
    }
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let high = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    high + row.iter().map(|value| (value - high).exp()).sum::<f32>().ln()
}
