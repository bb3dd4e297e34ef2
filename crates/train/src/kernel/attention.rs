//! Softmax over what a token may see, and its gradient.

use candle_core::{Result, Tensor};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, indices, on_cpu};

/// What the tokens of a packed batch may see.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    /// (batch · length, 3) u32: where the token's product text begins and ends, and where its own segment begins.
    pub(crate) spans: Tensor,
    /// (batch · length) u32: the position that the token has for the model.
    pub(crate) positions: Tensor,
    /// Number of latest positions that are seen.
    pub(crate) window: u32,
}

/// Probabilities (batch, heads, length, length) of `scores` of the same shape, times `scale`.
pub(crate) fn masked_softmax(scores: &Tensor, mask: &Mask, scale: f32) -> Result<Tensor> {
    let (batch, heads, length, _) = scores.dims4()?;
    dispatch!(scores.device(), masked_softmax_cpu(scores, mask, scale), |device| {
        let args = [
            Arg::In(scores),
            Arg::In(&mask.spans),
            Arg::In(&mask.positions),
            Arg::Out(0),
            Arg::I32(batch * heads * length),
            Arg::I32(heads),
            Arg::I32(length),
            Arg::F32(scale),
            Arg::U32(mask.window),
        ];
        let grid = by_warp(batch * heads * length, length)?;
        let output = [(scores.shape().clone(), scores.dtype())];
        Ok(launch(device, "masked_softmax", scores.dtype(), &grid, &args, &output)?[0].clone())
    })
}

/// A warp a query, eight a block; lengths of packed sequences are multiples of 16.
fn by_warp(queries: usize, length: usize) -> Result<Grid> {
    if !length.is_multiple_of(4) {
        candle_core::bail!("sequences of {length} tokens are no multiple of four long");
    }
    Ok(Grid::Blocks(queries.div_ceil(8), 0))
}

fn masked_softmax_cpu(scores: &Tensor, mask: &Mask, scale: f32) -> Result<Tensor> {
    let (_, heads, length, _) = scores.dims4()?;
    let (spans, positions) = (indices(&mask.spans)?, indices(&mask.positions)?);
    let mut rows = floats(scores)?;
    for (query, row) in rows.chunks_mut(length).enumerate() {
        let (i, base) = (query % length, query / length / heads * length);
        let span = &spans[(base + i) * 3..(base + i) * 3 + 3];
        let sees = |j: usize| {
            let inside = (span[0]..span[1]).contains(&(j as u32)) || j as u32 >= span[2];
            j <= i && inside && positions[base + i].wrapping_sub(positions[base + j]) < mask.window
        };
        let visible =
            |row: &[f32], j: usize| if sees(j) { row[j] * scale } else { f32::NEG_INFINITY };
        let high = (0..=i).map(|j| visible(row, j)).fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        for (j, value) in row.iter_mut().enumerate() {
            *value = if sees(j) { (*value * scale - high).exp() } else { 0.0 };
            total += *value;
        }
        row.iter_mut().for_each(|value| *value /= total);
    }
    on_cpu(rows, scores.shape())
}

/// The gradient of the scores, given the probabilities and their gradient.
pub(crate) fn softmax_backward(p: &Tensor, dp: &Tensor, scale: f32) -> Result<Tensor> {
    let (batch, heads, length, _) = p.dims4()?;
    dispatch!(p.device(), softmax_backward_cpu(p, dp, scale), |device| {
        let queries = batch * heads * length;
        let args = [
            Arg::In(p),
            Arg::In(dp),
            Arg::Out(0),
            Arg::I32(queries),
            Arg::I32(length),
            Arg::F32(scale),
        ];
        let grid = by_warp(batch * heads * length, length)?;
        let output = [(p.shape().clone(), p.dtype())];
        Ok(launch(device, "softmax_backward", p.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn softmax_backward_cpu(p: &Tensor, dp: &Tensor, scale: f32) -> Result<Tensor> {
    let length = p.dims4()?.3;
    let (values, mut gradient) = (floats(p)?, floats(dp)?);
    for (p, d) in values.chunks(length).zip(gradient.chunks_mut(length)) {
        let total: f32 = p.iter().zip(d.iter()).map(|(p, d)| p * d).sum();
        d.iter_mut().zip(p).for_each(|(d, p)| *d = scale * p * (*d - total));
    }
    on_cpu(gradient, p.shape())
}
