//! Twin of `sample.wgsl`.

use super::elementwise::Elementwise;

/// The most likely token of each row of `logits` (rows, size), the first of equals, and its probability.
#[must_use]
pub fn sample(params: &Elementwise, logits: &[f32]) -> Vec<(u32, f32)> {
    logits
        .chunks_exact(params.size as usize)
        .map(|row| {
            let mut best = 0;
            for (i, x) in row.iter().enumerate() {
                if *x > row[best] {
                    best = i;
                }
            }
            let sum: f32 = row.iter().map(|x| (x - row[best]).exp()).sum();
            (best as u32, 1.0 / sum)
        })
        .collect()
}
