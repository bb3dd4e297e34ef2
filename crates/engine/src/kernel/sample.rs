//! Twin of `sample.wgsl`.

use super::elementwise::Elementwise;

/// The most likely token of each row of `logits` (rows, size) that `allowed` (rows, size / 32 words of bits) has, the
/// first of equals, and its probability among all; `None` allows all.
#[must_use]
pub fn sample(params: &Elementwise, logits: &[f32], allowed: Option<&[u32]>) -> Vec<(u32, f32)> {
    let size = params.size as usize;
    let words = size.div_ceil(32);
    let rows = logits.chunks_exact(size).enumerate();
    rows.map(|(row, logits)| {
        let is_allowed =
            |i: usize| allowed.is_none_or(|bits| bits[row * words + i / 32] >> (i % 32) & 1 == 1);
        let mut best = None;
        for (i, x) in logits.iter().enumerate().filter(|(i, _)| is_allowed(*i)) {
            if best.is_none_or(|(_, value)| *x > value) {
                best = Some((i, *x));
            }
        }
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|x| (x - largest).exp()).sum();
        best.map_or((u32::MAX, 0.0), |(id, value)| (id as u32, (value - largest).exp() / sum))
    })
    .collect()
}
