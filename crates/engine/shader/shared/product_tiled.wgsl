// input · weightsᵀ in f32, for many tokens: 16 columns of all the workgroup's rows and tokens at a time are put in
// workgroup memory, so that a weight is made from its bits once for all tokens, and a value is asked for once for
// all rows. A thread then multiplies four rows with TOKENS tokens, 4 or 8, a column at a time. A slice takes every SPLIT-th
// sixteen columns.
const QUADS_OF_TOKENS: u32 = GROUPS * TOKENS / 4u;
var<workgroup> weight_tile: array<vec4<f32>, 16u * SPLIT * LANES>; // (slices, columns, lanes): four rows
var<workgroup> input_tile: array<vec4<f32>, 16u * SPLIT * QUADS_OF_TOKENS>; // (slices, columns, token quads): four tokens

fn put_weights(four: u32, lane: u32, group: u32, part: u32) {
    var lo = mat4x4<f32>();
    var hi = mat4x4<f32>();
    if (group < params.columns / 8u) {
        let w = weight_group(four / 16u, group, four % 16u);
        lo = transpose(w.lo);
        hi = transpose(w.hi);
    }
    for (var c = 0u; c < 4u; c++) {
        weight_tile[(part * 8u + c) * LANES + lane] = lo[c];
        weight_tile[(part * 8u + 4u + c) * LANES + lane] = hi[c];
    }
}

fn put_input(token: u32, quad: u32, group: u32, part: u32, half: u32) {
    var rows = mat4x4<f32>();
    if (group < params.columns / 8u) {
        let both = group_columns(group);
        let at = select(both.x, both.y, half == 1u);
        let stride = params.columns / 4u;
        // Past the last token stands something of an earlier step, which is not stored.
        for (var t = 0u; t < 4u; t++) {
            rows[t] = input[(token + t) * stride + at];
        }
    }
    rows = transpose(rows);
    for (var c = 0u; c < 4u; c++) {
        input_tile[(part * 8u + half * 4u + c) * QUADS_OF_TOKENS + quad] = rows[c];
    }
}

fn outer(x: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x.x * w, x.y * w, x.z * w, x.w * w);
}

@compute @workgroup_size(LANES, SPLIT, GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let first_four = workgroup.x * LANES;
    let first_token = workgroup.y * GROUPS * TOKENS;
    let weight_start = local.y * 16u * LANES + local.x;
    let input_start = local.y * 16u * QUADS_OF_TOKENS + local.z * (TOKENS / 4u);
    // Matrices and not an array, which may live in slow memory.
    var low = mat4x4<f32>();
    var high = mat4x4<f32>();
    for (var round = 0u; round < params.columns / 8u; round += 2u * SPLIT) {
        let group = round + 2u * local.y;
        workgroupBarrier();
        for (var job = local.z * LANES + local.x; job < LANES * 2u + QUADS_OF_TOKENS * 4u; job += LANES * GROUPS) {
            if (job < LANES * 2u) {
                put_weights(first_four + job % LANES, job % LANES, group + job / LANES, local.y * 2u + job / LANES);
            } else {
                let quad = (job - LANES * 2u) / 4u;
                let part = job / 2u % 2u;
                put_input(first_token + quad * 4u, quad, group + part, local.y * 2u + part, job % 2u);
            }
        }
        workgroupBarrier();
        for (var column = 0u; column < 16u; column++) {
            let w = weight_tile[weight_start + column * LANES];
            low += outer(input_tile[input_start + column * QUADS_OF_TOKENS], w);
            if (TOKENS > 4u) {
                high += outer(input_tile[input_start + column * QUADS_OF_TOKENS + 1u], w);
            }
        }
    }
    var sums: array<vec4<f32>, TOKENS>;
    for (var t = 0u; t < 4u; t++) {
        sums[t] = low[t];
        if (TOKENS > 4u) {
            sums[TOKENS - 4u + t] = high[t];
        }
    }
    finish(&sums, first_token + local.z * TOKENS, first_four + local.x, local);
}
