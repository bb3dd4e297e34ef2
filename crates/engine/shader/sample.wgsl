// Greedy choice: the most likely token of each row (the first of equals) and its probability. Each thread
// goes through its share once, four logits at a time, with a running maximum and a running sum below it.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // (rows, size)
@group(0) @binding(2) var<storage, read_write> chosen: array<vec2<u32>>; // (rows): token id, bits of the f32 probability

const THREADS: u32 = 256u;
const NO_LOGIT: f32 = -3.0e38;
var<workgroup> best: array<f32, THREADS>;
var<workgroup> best_id: array<u32, THREADS>;
var<workgroup> below: array<f32, THREADS>;

fn logit(base: u32, i: u32) -> f32 {
    if (i < params.size) {
        return logits[base + i];
    }
    return NO_LOGIT;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let base = workgroup.x * params.size;
    var value = NO_LOGIT;
    var id = 0xffffffffu;
    var sum = 0.0;
    for (var i = thread; i < params.size; i += 4u * THREADS) {
        let four = vec4<f32>(
            logit(base, i),
            logit(base, i + THREADS),
            logit(base, i + 2u * THREADS),
            logit(base, i + 3u * THREADS),
        );
        let before = value;
        for (var c = 0u; c < 4u; c++) {
            if (four[c] > value) {
                value = four[c];
                id = i + c * THREADS;
            }
        }
        sum = sum * exp(before - value) + dot(exp(four - value), vec4<f32>(1.0));
    }
    best[thread] = value;
    best_id[thread] = id;
    below[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            let other = best[thread + half];
            let other_id = best_id[thread + half];
            let largest = max(best[thread], other);
            below[thread] = below[thread] * exp(best[thread] - largest) + below[thread + half] * exp(other - largest);
            if (other > best[thread] || (other == best[thread] && other_id < best_id[thread])) {
                best[thread] = other;
                best_id[thread] = other_id;
            }
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        chosen[workgroup.x] = vec2<u32>(best_id[0], bitcast<u32>(1.0 / below[0]));
    }
}
