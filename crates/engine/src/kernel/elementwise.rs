//! Twins of `swiglu.wgsl`, `gelu.wgsl` and `gather_rows.wgsl`.

/// Parameters of the kernels that take rows of one size.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Elementwise {
    /// Values of a row.
    pub size: u32,
}

/// `gate` (tokens, size) becomes silu(gate) · `up`.
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}

/// `values` (tokens, size) becomes its gelu, tanh form.
pub fn gelu(values: &mut [f32]) {
    for x in values {
        let inner = (2.0 / std::f32::consts::PI).sqrt() * (*x + 0.044715 * *x * *x * *x);
        *x = 0.5 * *x * (1.0 + inner.tanh());
    }
}

/// `input` (tokens, size), `selected` token indices → (selected, size)
#[must_use]
pub fn gather_rows(params: &Elementwise, input: &[f32], selected: &[u32]) -> Vec<f32> {
    let size = params.size as usize;
    selected.iter().flat_map(|&i| &input[i as usize * size..][..size]).copied().collect()
}
