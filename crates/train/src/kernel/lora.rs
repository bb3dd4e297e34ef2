//! The layout of low-rank factors for linear layers that share an input, and dropout.

use candle_core::{DType, Device, Result, Tensor};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, indices, on_cpu};
use crate::rng::mix;

/// The adapted parts of a fused linear layer.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// (parts, 3) u32: first row, end row, where its factor begins among all parts' (rows, rank).
    table: Tensor,
    /// Rows of the fused layer.
    rows: usize,
    /// Rows of the adapted parts together.
    adapted_rows: usize,
    num_parts: usize,
    rank: usize,
}

impl Parts {
    /// Parts that cover the rows `ranges` of a layer of `rows` rows.
    pub(crate) fn new(
        rows: usize,
        ranges: &[std::ops::Range<usize>],
        rank: usize,
        device: &Device,
    ) -> Result<Self> {
        let (mut table, mut adapted_rows) = (Vec::new(), 0);
        for range in ranges {
            table.extend([range.start as u32, range.end as u32, (adapted_rows * rank) as u32]);
            adapted_rows += range.len();
        }
        let num_parts = ranges.len();
        let table = Tensor::from_vec(table, (num_parts, 3), device)?;
        Ok(Self { table, rows, adapted_rows, num_parts, rank })
    }

    /// All parts' ranks together.
    pub(crate) fn width(&self) -> usize {
        self.num_parts * self.rank
    }

    /// Numbers in all parts' B factors.
    pub(crate) fn b_len(&self) -> usize {
        self.adapted_rows * self.rank
    }
}

/// `b` (Σ rows of a part · rank) f32 as one matrix (rows, parts · rank) with `scale · b` in its blocks.
pub(crate) fn block_diagonal(
    b: &Tensor,
    parts: &Parts,
    scale: f32,
    dtype: DType,
) -> Result<Tensor> {
    let shape = (parts.rows, parts.width());
    dispatch!(b.device(), block_diagonal_cpu(b, parts, scale), |device| {
        let count = parts.rows * parts.width();
        let args = [
            Arg::In(b),
            Arg::In(&parts.table),
            Arg::Out(0),
            Arg::Count(count),
            Arg::I32(parts.width()),
            Arg::I32(parts.rank),
            Arg::F32(scale),
        ];
        let grid = Grid::Threads(count);
        Ok(launch(device, "block_diagonal", dtype, &grid, &args, &[(shape.into(), dtype)])?[0]
            .clone())
    })
    .and_then(|matrix| matrix.to_dtype(dtype))
}

fn block_diagonal_cpu(b: &Tensor, parts: &Parts, scale: f32) -> Result<Tensor> {
    let (b, table, width) = (floats(b)?, indices(&parts.table)?, parts.width());
    let mut out = vec![0.0; parts.rows * width];
    for (part, span) in table.chunks(3).enumerate() {
        let (first, end, offset) = (span[0] as usize, span[1] as usize, span[2] as usize);
        for (row, values) in (first..end).zip(b[offset..].chunks(parts.rank)) {
            let at = row * width + part * parts.rank;
            out[at..at + parts.rank].iter_mut().zip(values).for_each(|(o, v)| *o = scale * v);
        }
    }
    on_cpu(out, (parts.rows, width))
}

/// The blocks of `x` (rows, parts · rank), scaled, in the order of `b`: (Σ rows of a part · rank) f32.
pub(crate) fn diagonal_blocks(x: &Tensor, parts: &Parts, scale: f32) -> Result<Tensor> {
    dispatch!(x.device(), diagonal_blocks_cpu(x, parts, scale), |device| {
        let count = parts.b_len();
        let args = [
            Arg::In(x),
            Arg::In(&parts.table),
            Arg::Out(0),
            Arg::Count(count),
            Arg::I32(parts.num_parts),
            Arg::I32(parts.rank),
            Arg::F32(scale),
        ];
        let output = [(count.into(), DType::F32)];
        let grid = Grid::Threads(count);
        Ok(launch(device, "diagonal_blocks", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn diagonal_blocks_cpu(x: &Tensor, parts: &Parts, scale: f32) -> Result<Tensor> {
    let (x, table, width) = (floats(x)?, indices(&parts.table)?, parts.width());
    let mut out = Vec::with_capacity(parts.b_len());
    for (part, span) in table.chunks(3).enumerate() {
        for row in span[0] as usize..span[1] as usize {
            let at = row * width + part * parts.rank;
            out.extend(x[at..at + parts.rank].iter().map(|value| scale * value));
        }
    }
    on_cpu(out, parts.b_len())
}

/// Sets a share `rate` of the numbers to zero and enlarges the rest; which ones depends on `seed` alone, so that the
/// backward pass is the same call on the gradient.
pub(crate) fn dropout(x: &Tensor, seed: u64, rate: f32) -> Result<Tensor> {
    if rate == 0.0 {
        return Ok(x.clone());
    }
    dispatch!(x.device(), dropout_cpu(x, seed, rate), |device| {
        let count = x.elem_count();
        let args = [Arg::In(x), Arg::Out(0), Arg::I64(count), Arg::U64(seed), Arg::F32(rate)];
        let output = [(x.shape().clone(), x.dtype())];
        let grid = Grid::Threads(count);
        Ok(launch(device, "dropout", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn dropout_cpu(x: &Tensor, seed: u64, rate: f32) -> Result<Tensor> {
    let kept = floats(x)?.into_iter().enumerate().map(|(index, value)| {
        let bits = mix(seed.wrapping_add((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let uniform = (bits >> 40) as f32 / 16_777_216.0;
        if uniform < rate { 0.0 } else { value / (1.0 - rate) }
    });
    on_cpu(kept.collect(), x.shape())
}
