// output = input / rms(input) * weight, a workgroup a token (Zhang and Sennrich 2019).
struct Norm {
    size: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> params: Norm;
@group(0) @binding(1) var<storage, read> input: array<f32>; // (tokens, size)
@group(0) @binding(2) var<storage, read> weight: array<f32>; // (size)
@group(0) @binding(3) var<storage, read_write> output: array<f32>; // (tokens, size)

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let base = workgroup.x * params.size;
    var squares = 0.0;
    for (var i = thread; i < params.size; i += WORKGROUP) {
        let x = input[base + i];
        squares += x * x;
    }
    let scale = inverseSqrt(workgroup_sum(thread, squares) / f32(params.size) + params.epsilon);
    for (var i = thread; i < params.size; i += WORKGROUP) {
        output[base + i] = input[base + i] * scale * weight[i];
    }
}
