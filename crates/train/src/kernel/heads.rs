//! From one matrix of queries, keys and values to heads, rotated (RoPE, Su et al. 2021), and back.

use candle_core::{Device, Result, Tensor};
use hangtag_weights::{ModelConfig, RopeStyle};

use super::launch::{Arg, Grid, launch};
use super::{dispatch, floats, indices, on_cpu, optional_floats};

/// How queries, keys and values of a batch are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadShape {
    pub(crate) batch: usize,
    pub(crate) length: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) dim: usize,
}

impl HeadShape {
    fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.dim
    }

    pub(crate) fn q_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.heads, self.length, self.dim)
    }

    pub(crate) fn kv_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.kv_heads, self.length, self.dim)
    }
}

/// The angles of the rotary position embedding.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    cosines: Tensor, // (positions, rotary_dim / 2) f32
    sines: Tensor,   // (positions, rotary_dim / 2) f32
    rotary: usize,
    interleaved: bool,
}

impl Rotation {
    /// Angles for `positions` positions of a model.
    pub(crate) fn new(config: &ModelConfig, positions: usize, device: &Device) -> Result<Self> {
        let half = config.rotary_dim / 2;
        let angles = (0..positions).flat_map(|position| {
            (0..half).map(move |i| {
                let power = -2.0 * i as f64 / config.rotary_dim as f64;
                position as f64 * f64::from(config.rope_theta).powf(power)
            })
        });
        let (cosines, sines): (Vec<f32>, Vec<f32>) =
            angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        Ok(Self {
            cosines: Tensor::from_vec(cosines, (positions, half), device)?,
            sines: Tensor::from_vec(sines, (positions, half), device)?,
            rotary: config.rotary_dim,
            interleaved: config.rope_style == RopeStyle::Interleaved,
        })
    }

    /// The element that `e` of a head is rotated with, the angle's index, and the sign of the sine; `None` if it stays.
    fn partner(&self, e: usize) -> Option<(usize, usize, f32)> {
        let half = self.rotary / 2;
        match (e < self.rotary, self.interleaved) {
            (false, _) => None,
            (true, true) => Some((e ^ 1, e / 2, if e % 2 == 1 { 1.0 } else { -1.0 })),
            (true, false) if e < half => Some((e + half, e, -1.0)),
            (true, false) => Some((e - half, e - half, 1.0)),
        }
    }
}

/// `qkv` (batch · length, (heads + 2 kv_heads) · dim) plus `bias`, rotated: q (batch, heads, length, dim), k and v
/// (batch, kv_heads, length, dim). `positions` (batch · length) u32.
pub(crate) fn split_heads(
    qkv: &Tensor,
    bias: Option<&Tensor>,
    rotation: &Rotation,
    positions: &Tensor,
    shape: HeadShape,
) -> Result<[Tensor; 3]> {
    dispatch!(qkv.device(), split_heads_cpu(qkv, bias, rotation, positions, shape), |device| {
        let count = qkv.elem_count();
        let mut args = vec![
            Arg::In(qkv),
            Arg::Maybe(bias),
            Arg::In(&rotation.cosines),
            Arg::In(&rotation.sines),
            Arg::In(positions),
            Arg::Out(0),
            Arg::Out(1),
            Arg::Out(2),
        ];
        args.extend(shape_args(count, shape, rotation));
        let dtype = qkv.dtype();
        let outputs = [
            (shape.q_shape().into(), dtype),
            (shape.kv_shape().into(), dtype),
            (shape.kv_shape().into(), dtype),
        ];
        let outputs = launch(device, "split_heads", dtype, &Grid::Threads(count), &args, &outputs)?;
        Ok([outputs[0].clone(), outputs[1].clone(), outputs[2].clone()])
    })
}

fn shape_args(count: usize, shape: HeadShape, rotation: &Rotation) -> [Arg<'static>; 7] {
    [
        Arg::Count(count),
        Arg::I32(shape.length),
        Arg::I32(shape.heads),
        Arg::I32(shape.kv_heads),
        Arg::I32(shape.dim),
        Arg::I32(rotation.rotary),
        Arg::I32(usize::from(rotation.interleaved)),
    ]
}

fn split_heads_cpu(
    qkv: &Tensor,
    bias: Option<&Tensor>,
    rotation: &Rotation,
    positions: &Tensor,
    s: HeadShape,
) -> Result<[Tensor; 3]> {
    let (mut rows, positions) = (floats(qkv)?, indices(positions)?);
    if let Some(bias) = optional_floats(bias)? {
        rows.chunks_mut(s.width()).for_each(|row| {
            row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b);
        });
    }
    let (cosines, sines) = (floats(&rotation.cosines)?, floats(&rotation.sines)?);
    let half = rotation.rotary / 2;
    let sizes = [s.heads, s.kv_heads, s.kv_heads].map(|heads| s.batch * heads * s.length * s.dim);
    let mut out = sizes.map(|size| vec![0.0; size]);
    for (index, row) in rows.chunks(s.width()).enumerate() {
        let angle = positions[index] as usize * half;
        for (head, values) in row.chunks(s.dim).enumerate() {
            let (which, at) = place(s, index, head);
            for e in 0..s.dim {
                out[which][at + e] = match rotation.partner(e).filter(|_| which < 2) {
                    Some((other, i, sign)) => {
                        values[e] * cosines[angle + i] + sign * values[other] * sines[angle + i]
                    }
                    None => values[e],
                };
            }
        }
    }
    let [q, k, v] = out;
    Ok([on_cpu(q, s.q_shape())?, on_cpu(k, s.kv_shape())?, on_cpu(v, s.kv_shape())?])
}

/// Whether head `head` of a row belongs to q, k or v (0, 1, 2), and where in that tensor it begins.
fn place(s: HeadShape, row: usize, head: usize) -> (usize, usize) {
    let (batch, position) = (row / s.length, row % s.length);
    let (which, head, heads) = match head {
        head if head < s.heads => (0, head, s.heads),
        head if head < s.heads + s.kv_heads => (1, head - s.heads, s.kv_heads),
        head => (2, head - s.heads - s.kv_heads, s.kv_heads),
    };
    (which, ((batch * heads + head) * s.length + position) * s.dim)
}

/// The gradient of `qkv`, given those of q, k and v.
pub(crate) fn split_heads_backward(
    [dq, dk, dv]: [&Tensor; 3],
    rotation: &Rotation,
    positions: &Tensor,
    shape: HeadShape,
) -> Result<Tensor> {
    let rows = shape.batch * shape.length;
    dispatch!(
        dq.device(),
        split_heads_backward_cpu([dq, dk, dv], rotation, positions, shape),
        |device| {
            let count = rows * shape.width();
            let mut args = vec![
                Arg::In(dq),
                Arg::In(dk),
                Arg::In(dv),
                Arg::In(&rotation.cosines),
                Arg::In(&rotation.sines),
                Arg::In(positions),
                Arg::Out(0),
            ];
            args.extend(shape_args(count, shape, rotation));
            let output = [((rows, shape.width()).into(), dq.dtype())];
            let grid = Grid::Threads(count);
            let outputs =
                launch(device, "split_heads_backward", dq.dtype(), &grid, &args, &output)?;
            Ok(outputs[0].clone())
        }
    )
}

fn split_heads_backward_cpu(
    [dq, dk, dv]: [&Tensor; 3],
    rotation: &Rotation,
    positions: &Tensor,
    s: HeadShape,
) -> Result<Tensor> {
    let rows = s.batch * s.length;
    let gradients = [floats(dq)?, floats(dk)?, floats(dv)?];
    let positions = indices(positions)?;
    let (cosines, sines) = (floats(&rotation.cosines)?, floats(&rotation.sines)?);
    let mut out = vec![0.0; rows * s.width()];
    for (index, row) in out.chunks_mut(s.width()).enumerate() {
        let angle = positions[index] as usize * (rotation.rotary / 2);
        for (head, values) in row.chunks_mut(s.dim).enumerate() {
            let (which, at) = place(s, index, head);
            let source = &gradients[which][at..at + s.dim];
            for (e, value) in values.iter_mut().enumerate() {
                *value = match rotation.partner(e).filter(|_| which < 2) {
                    Some((other, i, sign)) => {
                        source[e] * cosines[angle + i] - sign * source[other] * sines[angle + i]
                    }
                    None => source[e],
                };
            }
        }
    }
    on_cpu(out, (rows, s.width()))
}

/// (batch, heads, length, dim) to (batch · length, heads · dim).
pub(crate) fn merge_heads(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, length, dim) = x.dims4()?;
    let shape = (batch * length, heads * dim);
    dispatch!(x.device(), x.transpose(1, 2)?.contiguous()?.reshape(shape), |device| {
        let args = merge_args(x, length, heads, dim);
        let output = [(shape.into(), x.dtype())];
        let grid = Grid::Threads(x.elem_count());
        Ok(launch(device, "merge_heads", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

/// (batch · length, heads · dim) to (batch, heads, length, dim), heads those of the queries.
pub(crate) fn merge_heads_backward(dy: &Tensor, s: HeadShape) -> Result<Tensor> {
    dispatch!(
        dy.device(),
        dy.reshape((s.batch, s.length, s.heads, s.dim))?.transpose(1, 2)?.contiguous(),
        |device| {
            let args = merge_args(dy, s.length, s.heads, s.dim);
            let output = [(s.q_shape().into(), dy.dtype())];
            let grid = Grid::Threads(dy.elem_count());
            Ok(launch(device, "merge_heads_backward", dy.dtype(), &grid, &args, &output)?[0]
                .clone())
        }
    )
}

fn merge_args(x: &Tensor, length: usize, heads: usize, dim: usize) -> [Arg<'_>; 6] {
    let count = x.elem_count();
    [Arg::In(x), Arg::Out(0), Arg::Count(count), Arg::I32(length), Arg::I32(heads), Arg::I32(dim)]
}
