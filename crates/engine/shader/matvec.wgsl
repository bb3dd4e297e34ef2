// output = input · weightsᵀ for a few tokens: the columns are split over eight threads, so that a
// single token still fills the GPU; one workgroup is one tile of 64 rows of one token.
const SPLIT: u32 = 8u;
var<workgroup> partial: array<vec4<f32>, 128>; // (SPLIT, 16)

@compute @workgroup_size(16, 8)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let token = workgroup.y;
    let base = token * (params.columns / 4u);
    var sum = vec4<f32>();
    for (var group = local.y; group < params.columns / 8u; group += SPLIT) {
        let w = weight_group(workgroup.x, group, local.x);
        let at = group_columns(group);
        sum += input[base + at.x] * w.lo + input[base + at.y] * w.hi;
    }
    partial[local.y * 16u + local.x] = sum;
    workgroupBarrier();
    if (local.y == 0u && token < step.count) {
        for (var i = 1u; i < SPLIT; i++) {
            sum += partial[i * 16u + local.x];
        }
        store(token, workgroup.x * 64u + local.x * 4u, sum);
    }
}
