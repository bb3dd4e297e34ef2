//! The two orders of a query or key matrix's rows.
//!
//! HF rotates the first half of a head's rows with the second half. llama.cpp rotates neighbours, and its converter
//! reorders the rows of llama's Q and K for that: `reshape(heads, 2, rows / heads / 2, columns).swapaxes(1, 2)`
//! (`permute` of `LlamaModel` in `convert_hf_to_gguf.py`). Each head's row 2i + s is HF's row i + s · head_dim / 2.

/// Rows in GGUF's order out of rows in HF's. `rows` is (whole heads · head_dim, columns), row-major.
pub fn to_gguf<T: Copy>(rows: &[T], head_dim: usize, columns: usize) -> Vec<T> {
    reorder(rows, head_dim, columns, |row| row / 2 + row % 2 * (head_dim / 2))
}

/// Rows in HF's order out of rows in GGUF's: the inverse of [`to_gguf`].
pub fn to_hf<T: Copy>(rows: &[T], head_dim: usize, columns: usize) -> Vec<T> {
    let half = head_dim / 2;
    reorder(rows, head_dim, columns, |row| if row < half { 2 * row } else { 2 * (row - half) + 1 })
}

/// Takes row `from(i)` of each head as its row i.
fn reorder<T: Copy>(
    rows: &[T],
    head_dim: usize,
    columns: usize,
    from: impl Fn(usize) -> usize,
) -> Vec<T> {
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact((head_dim * columns).max(1)) {
        for row in 0..head_dim {
            out.extend_from_slice(&head[from(row) * columns..][..columns]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// numpy's `reshape(heads, 2, rows / heads / 2, columns).swapaxes(1, 2).reshape(rows, columns)`, index by index.
    fn convert_hf_to_gguf(weights: &[u32], heads: usize, columns: usize) -> Vec<u32> {
        let half = weights.len() / columns / heads / 2;
        let mut out = Vec::new();
        for head in 0..heads {
            for pair in 0..half {
                for side in 0..2 {
                    for column in 0..columns {
                        out.push(weights[((head * 2 + side) * half + pair) * columns + column]);
                    }
                }
            }
        }
        out
    }

    #[test]
    fn the_order_is_llama_cpps() {
        assert_eq!(to_gguf(&[0, 1, 2, 3, 4, 5, 6, 7], 4, 1), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    proptest! {
        #[test]
        fn orders_are_as_defined_and_inverse(heads in 1_usize..4, half in 1_usize..5, columns in 1_usize..4) {
            let head_dim = 2 * half;
            let weights: Vec<u32> = (0..(heads * head_dim * columns) as u32).collect();
            let gguf = to_gguf(&weights, head_dim, columns);
            prop_assert_eq!(&gguf, &convert_hf_to_gguf(&weights, heads, columns));
            prop_assert_eq!(to_hf(&gguf, head_dim, columns), weights);
        }
    }
}
