// output = input · weightsᵀ for many tokens: a thread keeps four rows of four tokens in registers and
// expands each weight once for the four. No barrier, no workgroup memory: neighbouring threads read
// neighbouring weights and the same input, which the caches serve.
@compute @workgroup_size(16, 4)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let token = (workgroup.y * 4u + local.y) * 4u;
    if (token >= step.count) {
        return;
    }
    let stride = params.columns / 4u;
    let last = step.count - 1u;
    // Past the last token the last one is computed again, and not stored.
    let row0 = token * stride;
    let row1 = min(token + 1u, last) * stride;
    let row2 = min(token + 2u, last) * stride;
    let row3 = min(token + 3u, last) * stride;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var group = 0u; group < params.columns / 8u; group++) {
        let w = weight_group(workgroup.x, group, local.x);
        let at = group_columns(group);
        sum0 += input[row0 + at.x] * w.lo + input[row0 + at.y] * w.hi;
        sum1 += input[row1 + at.x] * w.lo + input[row1 + at.y] * w.hi;
        sum2 += input[row2 + at.x] * w.lo + input[row2 + at.y] * w.hi;
        sum3 += input[row3 + at.x] * w.lo + input[row3 + at.y] * w.hi;
    }
    let first = workgroup.x * 64u + local.x * 4u;
    store(token, first, sum0);
    if (token + 1u < step.count) {
        store(token + 1u, first, sum1);
    }
    if (token + 2u < step.count) {
        store(token + 2u, first, sum2);
    }
    if (token + 3u < step.count) {
        store(token + 3u, first, sum3);
    }
}
