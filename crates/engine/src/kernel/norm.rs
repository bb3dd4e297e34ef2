//! Twins of `rms_norm.wgsl` and `layer_norm.wgsl`.

/// Parameters of both norms.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Norm {
    /// Values of a token.
    pub size: u32,
    /// Added to the mean square (or variance) under the root.
    pub epsilon: f32,
}

/// `input` (tokens, size), `weight` (size) → (tokens, size)
#[must_use]
pub fn rms_norm(params: &Norm, input: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut output = Vec::with_capacity(input.len());
    for token in input.chunks_exact(params.size as usize) {
        let square = token.iter().map(|x| x * x).sum::<f32>() / params.size as f32;
        let scale = 1.0 / (square + params.epsilon).sqrt();
        output.extend(token.iter().zip(weight).map(|(x, w)| x * scale * w));
    }
    output
}

/// `input` (tokens, size), `weight` (size), `bias` (size) → (tokens, size)
#[must_use]
pub fn layer_norm(params: &Norm, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut output = Vec::with_capacity(input.len());
    for token in input.chunks_exact(params.size as usize) {
        let mean = token.iter().sum::<f32>() / params.size as f32;
        let variance =
            token.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / params.size as f32;
        let scale = 1.0 / (variance + params.epsilon).sqrt();
        for ((x, w), b) in token.iter().zip(weight).zip(bias) {
            output.push((x - mean) * scale * w + b);
        }
    }
    output
}
