//! Twins of `copy.wgsl` and `multiply_add.wgsl`, which measure what a GPU can do at most.

/// Parameters of the chains.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Chains {
    /// Multiply-adds of each chain.
    pub rounds: u32,
    /// What each multiplies with.
    pub factor: f32,
    /// What each adds.
    pub summand: f32,
}

/// Multiply-adds that a thread makes in a round: four chains of four values.
pub const CHAINS: usize = 16;

/// `input`, unchanged
#[must_use]
pub fn copy(input: &[f32]) -> Vec<f32> {
    input.to_vec()
}

/// Four chains from each of `values`, x, x + 1, x + 2 and x + 3, and their sum
pub fn multiply_add(params: &Chains, values: &mut [f32]) {
    for value in values {
        let chain = |start: f32| {
            (0..params.rounds).fold(start, |x, _| x.mul_add(params.factor, params.summand))
        };
        *value = chain(*value) + chain(*value + 1.0) + chain(*value + 2.0) + chain(*value + 3.0);
    }
}
