// The hidden states of the tokens whose next token is asked for.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read> input: array<f32>; // (tokens, size)
@group(0) @binding(2) var<storage, read> selected: array<u32>; // (rows)
@group(0) @binding(3) var<storage, read_write> output: array<f32>; // (rows, size)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    if (global.x >= params.size || global.y >= step.count) {
        return;
    }
    output[global.y * params.size + global.x] = input[selected[global.y] * params.size + global.x];
}
