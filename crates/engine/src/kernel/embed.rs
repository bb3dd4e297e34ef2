//! Twin of `embed.wgsl`.

use super::product::Matrix;
use crate::matrix::Packed;

/// Writes the rows `ids` of a part of the embedding matrix into `output` (tokens, columns); tokens of
/// other parts are left as they are.
pub fn embed(params: &Matrix, weights: &Packed, ids: &[u32], output: &mut [f32]) {
    let columns = params.columns as usize;
    for (id, out) in ids.iter().zip(output.chunks_exact_mut(columns)) {
        let Some(row) = id.checked_sub(params.first_row).filter(|row| *row < params.rows) else {
            continue;
        };
        for (i, x) in out.iter_mut().enumerate() {
            *x = weights.weight(columns, row as usize, i);
        }
    }
}
