use candle_core::{Result, Tensor};

use super::launch::{Arg, by_four, launch};
use super::{NOTHING, dispatch, floats, indices, on_cpu};

/// `x[rows[r]]` for each r, or zeros where `rows[r]` is [`NOTHING`]: `x` (any, width), `rows` (count) u32 to (count, width).
///
/// With the inverse list of rows it is its own backward pass.
pub(crate) fn gather_rows(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    let (count, width) = (rows.elem_count(), x.dims2()?.1);
    dispatch!(x.device(), gather_rows_cpu(x, rows), |device| {
        let args =
            [Arg::In(x), Arg::In(rows), Arg::Out(0), Arg::Count(count * width), Arg::I32(width)];
        let output = [((count, width).into(), x.dtype())];
        let grid = by_four(count * width, width)?;
        Ok(launch(device, "gather_rows", x.dtype(), &grid, &args, &output)?[0].clone())
    })
}

fn gather_rows_cpu(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    let (values, rows, width) = (floats(x)?, indices(rows)?, x.dims2()?.1);
    let mut out = vec![0.0; rows.len() * width];
    for (&row, out) in rows.iter().zip(out.chunks_mut(width)) {
        if row != NOTHING {
            out.copy_from_slice(&values[row as usize * width..][..width]);
        }
    }
    on_cpu(out, (rows.len(), width))
}
