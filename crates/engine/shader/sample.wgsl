// Greedy choice: the most likely token of each row (the first of equals) and its probability.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // (rows, size)
@group(0) @binding(2) var<storage, read_write> chosen: array<vec2<u32>>; // (rows): token id, bits of the f32 probability

const THREADS: u32 = 256u;
var<workgroup> best: array<f32, THREADS>;
var<workgroup> best_id: array<u32, THREADS>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let base = workgroup.x * params.size;
    var value = -3.0e38;
    var id = 0xffffffffu;
    for (var i = thread; i < params.size; i += THREADS) {
        let x = logits[base + i];
        if (x > value) {
            value = x;
            id = i;
        }
    }
    best[thread] = value;
    best_id[thread] = id;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            let other = best[thread + half];
            let other_id = best_id[thread + half];
            if (other > best[thread] || (other == best[thread] && other_id < best_id[thread])) {
                best[thread] = other;
                best_id[thread] = other_id;
            }
        }
        workgroupBarrier();
    }
    let largest = best[0];
    let largest_id = best_id[0];
    workgroupBarrier();
    var sum = 0.0;
    for (var i = thread; i < params.size; i += THREADS) {
        sum += exp(logits[base + i] - largest);
    }
    best[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            best[thread] += best[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        chosen[workgroup.x] = vec2<u32>(largest_id, bitcast<u32>(1.0 / best[0]));
    }
}
