//! Adding an adapter to the base's weights.

use super::{Adapter, Lora};
use std::ops::Range;

impl Adapter {
    /// What B·A is multiplied with before it is added: `lora_alpha / r`, or `lora_alpha / sqrt(r)`.
    pub fn scale(&self) -> f32 {
        self.config.scale()
    }
}

impl Lora {
    /// Adds scale · B · A to some rows of the base's matrix. `weights` is (rows, in), row-major, in GGUF's order of
    /// rows; `rows` says which of the matrix's rows they are. Sums are f32, over the rank in order.
    ///
    /// # Panics
    /// When `r` is 0, the sizes contradict each other or `rows` is not inside B.
    pub fn add_to(&self, weights: &mut [f32], rows: Range<usize>, r: usize, scale: f32) {
        let columns = self.a.len() / r;
        assert_eq!(weights.len(), rows.len() * columns, "rows of {columns} numbers");
        let mut delta = vec![0.0_f32; columns];
        for (weights, row) in weights.chunks_exact_mut(columns).zip(rows) {
            delta.fill(0.0);
            for (&b, a) in self.b[row * r..][..r].iter().zip(self.a.chunks_exact(columns)) {
                for (delta, a) in delta.iter_mut().zip(a) {
                    *delta += b * a;
                }
            }
            for (weight, delta) in weights.iter_mut().zip(&delta) {
                *weight += scale * delta;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_as_the_product_says() {
        let lora = Lora { a: vec![1.0, 2.0, 3.0, 4.0], b: vec![1.0, 0.0, 0.5, -1.0, 2.0, 2.0] };
        let mut all = vec![10.0; 6];
        lora.add_to(&mut all, 0..3, 2, 2.0);
        assert_eq!(all, [12.0, 14.0, 5.0, 4.0, 26.0, 34.0]);
        let mut last = vec![10.0; 2];
        lora.add_to(&mut last, 2..3, 2, 2.0);
        assert_eq!(last, all[4..]);
    }
}
