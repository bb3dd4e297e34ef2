//! Twin of `gather_rows.wgsl`.

/// Parameters of the kernels that take rows of one size.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Elementwise {
    /// Values of a row.
    pub size: u32,
}

/// `input` (tokens, size), `selected` token indices → (selected, size)
#[must_use]
pub fn gather_rows(params: &Elementwise, input: &[f32], selected: &[u32]) -> Vec<f32> {
    let size = params.size as usize;
    selected.iter().flat_map(|&i| &input[i as usize * size..][..size]).copied().collect()
}
