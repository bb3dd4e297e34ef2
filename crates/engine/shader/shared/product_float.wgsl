// input · weightsᵀ in f32. A slice takes every SPLIT-th group of eight columns, so that neighbouring threads read
// neighbouring weights and the same input.
@compute @workgroup_size(LANES, SPLIT, GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let four = workgroup.x * LANES + local.x;
    let token = (workgroup.y * GROUPS + local.z) * TOKENS;
    let stride = params.columns / 4u;
    var sums: array<vec4<f32>, TOKENS>;
    if (token < step.count) {
        for (var group = local.y; group < params.columns / 8u; group += SPLIT) {
            let w = weight_group(four / 16u, group, four % 16u);
            let at = group_columns(group);
            // Past the last token stands something of an earlier step, which is not stored.
            for (var t = 0u; t < TOKENS; t++) {
                let row = (token + t) * stride;
                sums[t] += input[row + at.x] * w.lo + input[row + at.y] * w.hi;
            }
        }
    }
    finish(&sums, token, four, local);
}
