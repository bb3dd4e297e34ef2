// Chains of multiply-adds that wait for no memory: the rate of arithmetic, for `hangtag bench`.
struct Chains {
    rounds: u32,
    factor: f32,
    summand: f32,
}
@group(0) @binding(0) var<uniform> params: Chains;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<f32>>; // a thread each

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    let start = values[global.x];
    var a = start;
    var b = start + 1.0;
    var c = start + 2.0;
    var d = start + 3.0;
    let factor = vec4<f32>(params.factor);
    let summand = vec4<f32>(params.summand);
    for (var round = 0u; round < params.rounds; round++) {
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        d = fma(d, factor, summand);
    }
    values[global.x] = a + b + c + d;
}
