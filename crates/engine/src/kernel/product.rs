//! Twins of `product.wgsl` and of the products that do something with their result.

use half::f16;

use super::Token;
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

/// Parameters of the rotary embedding and the cache write.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Rotary {
    /// Query heads.
    pub num_heads: u32,
    /// Key and value heads.
    pub num_kv_heads: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Values of a head that are rotated; 2i with 2i + 1.
    pub rotary_dim: u32,
    /// Slots of the cache.
    pub slots: u32,
}

/// Weights and input of a product.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// The part's weights, (rows, columns).
    pub weights: &'a Packed,
    /// (tokens, columns)
    pub input: &'a [f32],
    /// (all_rows), or empty
    pub bias: &'a [f32],
    /// Whether the input is rounded to bytes.
    pub integer: bool,
}

/// The part's result for each token, (tokens, rows).
fn results(params: &Matrix, operands: Operands<'_>) -> Vec<Vec<f32>> {
    let columns = params.columns as usize;
    let row_result = |x: &[f32], row: usize| {
        let weight = |i| operands.weights.weight(columns, row, i);
        let sum: f32 = (0..columns).map(|i| x[i] * weight(i)).sum();
        let bias =
            operands.bias.get(params.first_row as usize + row).filter(|_| params.has_bias == 1);
        sum + bias.copied().unwrap_or_default()
    };
    let input = if operands.integer { rounded(operands.input) } else { operands.input.to_vec() };
    let tokens = input.chunks_exact(columns);
    tokens.map(|x| (0..params.rows as usize).map(|row| row_result(x, row)).collect()).collect()
}

/// `input` as it is after 32 values at a time were rounded to bytes of one scale.
fn rounded(input: &[f32]) -> Vec<f32> {
    let block = |values: &[f32]| -> Vec<f32> {
        let largest = values.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        let inverse = if largest > 1e-30 { 127.0 / largest } else { 0.0 };
        let byte = |x: &f32| (x * inverse).round_ties_even();
        values.iter().map(|x| byte(x) * (largest / 127.0)).collect()
    };
    input.chunks(32).flat_map(block).collect()
}

/// `input` · `weights`ᵀ + bias into (or onto) the part's columns of `output` (tokens, all_rows).
pub fn product(params: &Matrix, operands: Operands<'_>, output: &mut [f32]) {
    for (token, results) in results(params, operands).into_iter().enumerate() {
        let at = token * params.all_rows as usize + params.first_row as usize;
        for (out, result) in output[at..].iter_mut().zip(results) {
            *out = if params.accumulate == 1 { *out + result } else { result };
        }
    }
}

/// As [`product`], with the gate in even rows and up in odd ones: silu(gate) · up into `output` (tokens, all_rows / 2).
pub fn product_swiglu(params: &Matrix, operands: Operands<'_>, output: &mut [f32]) {
    for (token, results) in results(params, operands).into_iter().enumerate() {
        let at = (token * params.all_rows as usize + params.first_row as usize) / 2;
        for (out, pair) in output[at..].iter_mut().zip(results.chunks_exact(2)) {
            *out = pair[0] / (1.0 + (-pair[0]).exp()) * pair[1];
        }
    }
}

/// As [`product`], then gelu in its tanh form.
pub fn product_gelu(params: &Matrix, operands: Operands<'_>, output: &mut [f32]) {
    for (token, results) in results(params, operands).into_iter().enumerate() {
        let at = token * params.all_rows as usize + params.first_row as usize;
        for (out, x) in output[at..].iter_mut().zip(results) {
            let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            *out = 0.5 * x * (1.0 + inner.tanh());
        }
    }
}

/// As [`product`], with the rows of queries, keys and values after each other: rotated queries into `query` (tokens,
/// num_heads, head_dim), rotated keys and values into `cache` (keys and values, slots, num_kv_heads, head_dim).
pub fn product_rotary(
    (params, rotary): (&Matrix, &Rotary),
    operands: Operands<'_>,
    tokens: &[Token],
    turns: &[[f32; 2]],
    query: &mut [f32],
    cache: &mut [f16],
) {
    let head_dim = rotary.head_dim as usize;
    let (queries, keys) =
        (rotary.num_heads as usize * head_dim, rotary.num_kv_heads as usize * head_dim);
    for (index, results) in results(params, operands).into_iter().enumerate() {
        let (token, half) = (&tokens[index], rotary.rotary_dim as usize / 2);
        let slot = token.slot as usize;
        let turns = &turns[token.position as usize * half..][..half];
        for (pair, values) in results.chunks_exact(2).enumerate() {
            let row = params.first_row as usize + 2 * pair;
            let [x, y] = [values[0], values[1]];
            let turn = turns.get(row % head_dim / 2).filter(|_| row < queries + keys);
            let [cos, sin] = turn.copied().unwrap_or([1.0, 0.0]);
            let turned = [x * cos - y * sin, y * cos + x * sin];
            if row < queries {
                query[index * queries + row..][..2].copy_from_slice(&turned);
                continue;
            }
            // Keys come first in the cache as in the matrix; a value's slot is counted from where the keys end.
            let (slot, row) = match row - queries {
                key if key < keys => (slot, key),
                value => (slot + rotary.slots as usize, value - keys),
            };
            cache[slot * keys + row..][..2].copy_from_slice(&turned.map(f16::from_f32));
        }
    }
}

/// (positions, rotary_dim / 2) pairs of cosine and sine. The angles are made in f64: shaders only
/// promise sines near zero.
#[must_use]
pub fn turns(positions: usize, rotary_dim: usize, theta: f32) -> Vec<[f32; 2]> {
    let half = rotary_dim / 2;
    let frequency = |i: usize| f64::from(theta).powf(-((2 * i) as f64) / rotary_dim as f64);
    (0..positions * half)
        .map(|n| {
            let angle = (n / half) as f64 * frequency(n % half);
            [angle.cos() as f32, angle.sin() as f32]
        })
        .collect()
}
