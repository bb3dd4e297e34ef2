// gate = silu(gate) * up (Shazeer 2020).
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read_write> gate: array<f32>; // (tokens, size)
@group(0) @binding(2) var<storage, read> up: array<f32>; // (tokens, size)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    if (global.x >= params.size || global.y >= step.count) {
        return;
    }
    let at = global.y * params.size + global.x;
    let x = gate[at];
    gate[at] = x / (1.0 + exp(-x)) * up[at];
}
