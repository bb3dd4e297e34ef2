//! Twins of `matmul.wgsl` and `matvec.wgsl`, two forms of one product.

use crate::matrix::Packed;

/// One part of a weight matrix (matrix.wgsl).
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Matrix {
    /// Rows of this part.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// Where this part's rows start in the whole matrix.
    pub first_row: u32,
    /// Rows of the whole matrix: the stride of the output.
    pub all_rows: u32,
    /// 1 if a bias is added.
    pub has_bias: u32,
    /// 1 if the result is added to what the output holds.
    pub accumulate: u32,
}

/// Tokens up to which [`matvec`] is dispatched, and [`matmul`] above.
pub const MATVEC_TOKENS: usize = 4;

/// `input` (tokens, columns) · `weights`ᵀ into `output` (tokens, all_rows).
pub fn matmul(params: &Matrix, weights: &Packed, input: &[f32], bias: &[f32], output: &mut [f32]) {
    let columns = params.columns as usize;
    for (token, x) in input.chunks_exact(columns).enumerate() {
        for row in 0..params.rows as usize {
            let place = params.first_row as usize + row;
            let out = &mut output[token * params.all_rows as usize + place];
            let product: f32 = (0..columns).map(|i| x[i] * weights.weight(columns, row, i)).sum();
            let bias = if params.has_bias == 1 { bias[place] } else { 0.0 };
            *out = product + bias + if params.accumulate == 1 { *out } else { 0.0 };
        }
    }
}

/// The same function as [`matmul`].
pub fn matvec(params: &Matrix, weights: &Packed, input: &[f32], bias: &[f32], output: &mut [f32]) {
    matmul(params, weights, input, bias, output);
}
