// output = input: the rate at which memory is read and written, for `hangtag bench`.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise; // size: of a row of 64 threads' grid, in vec4
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    let at = global.y * params.size + global.x;
    if (global.x < params.size && at < arrayLength(&input)) {
        output[at] = input[at];
    }
}
