// x = gelu(x), the tanh form (Hendrycks and Gimpel 2016), which Phi uses as gelu_new.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read_write> values: array<f32>; // (tokens, size)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    if (global.x >= params.size || global.y >= step.count) {
        return;
    }
    let at = global.y * params.size + global.x;
    let x = values[at];
    // tanh overflows to NaN on some GPUs far outside this range, where it is 1 in f32.
    let inner = clamp(0.7978845608 * (x + 0.044715 * x * x * x), -15.0, 15.0);
    values[at] = 0.5 * x * (1.0 + tanh(inner));
}
