// Greedy choice: the most likely token of each row that its mask allows (the first of equals) and its
// probability among all tokens. Each thread goes through its share once, four logits at a time, with a running
// maximum and a running sum below it.
struct Elementwise {
    size: u32,
}
@group(0) @binding(0) var<uniform> params: Elementwise;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // (rows, size)
@group(0) @binding(2) var<storage, read> allowed: array<u32>; // (rows, size / 32): a bit a token
@group(0) @binding(3) var<storage, read_write> chosen: array<vec2<u32>>; // (rows): token id, bits of the f32 probability

const THREADS: u32 = 256u;
const NO_LOGIT: f32 = -3.0e38;
var<workgroup> best: array<f32, THREADS>;
var<workgroup> best_id: array<u32, THREADS>;
var<workgroup> largest: array<f32, THREADS>;
var<workgroup> below: array<f32, THREADS>;

fn logit(row: u32, i: u32) -> f32 {
    if (i < params.size) {
        return logits[row * params.size + i];
    }
    return NO_LOGIT;
}

fn is_allowed(row: u32, i: u32) -> bool {
    let word = allowed[row * ((params.size + 31u) / 32u) + i / 32u];
    return step.constrained == 0u || ((word >> (i % 32u)) & 1u) == 1u;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = workgroup.x;
    var value = NO_LOGIT;
    var id = 0xffffffffu;
    var highest = NO_LOGIT;
    var sum = 0.0;
    for (var i = thread; i < params.size; i += 4u * THREADS) {
        let four = vec4<f32>(
            logit(row, i),
            logit(row, i + THREADS),
            logit(row, i + 2u * THREADS),
            logit(row, i + 3u * THREADS),
        );
        let before = highest;
        for (var c = 0u; c < 4u; c++) {
            highest = max(highest, four[c]);
            let token = i + c * THREADS;
            if (four[c] > value && is_allowed(row, token)) {
                value = four[c];
                id = token;
            }
        }
        sum = sum * exp(before - highest) + dot(exp(four - highest), vec4<f32>(1.0));
    }
    best[thread] = value;
    best_id[thread] = id;
    largest[thread] = highest;
    below[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            let other = best[thread + half];
            let other_id = best_id[thread + half];
            if (other > best[thread] || (other == best[thread] && other_id < best_id[thread])) {
                best[thread] = other;
                best_id[thread] = other_id;
            }
            let both = max(largest[thread], largest[thread + half]);
            below[thread] = below[thread] * exp(largest[thread] - both)
                + below[thread + half] * exp(largest[thread + half] - both);
            largest[thread] = both;
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        chosen[row] = vec2<u32>(best_id[0], bitcast<u32>(exp(best[0] - largest[0]) / below[0]));
    }
}
