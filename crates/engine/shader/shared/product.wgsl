// input · weightsᵀ, in a form that the constants LANES, TOKENS, GROUPS and SPLIT in front of this file
// give: a thread keeps four rows of TOKENS tokens in registers and takes every SPLIT-th group of eight
// columns; a workgroup has LANES such fours of rows, GROUPS such groups of tokens and SPLIT slices of the
// columns, whose sums it adds up at the end. Large forms read less, small ones fill the GPU when there is
// little to do. Neighbouring threads read neighbouring weights and the same input.
@group(0) @binding(3) var<storage, read> input: array<vec4<f32>>; // (tokens, columns / 4)
@group(0) @binding(4) var<storage, read> bias: array<f32>; // (all_rows), or one unused value

var<workgroup> partial: array<vec4<f32>, LANES * SPLIT * GROUPS>;

@compute @workgroup_size(LANES, SPLIT, GROUPS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
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
    for (var t = 0u; t < TOKENS; t++) {
        var sum = sums[t];
        if (SPLIT > 1u) {
            workgroupBarrier();
            partial[thread] = sum;
            workgroupBarrier();
            for (var i = 1u; i < SPLIT; i++) {
                sum += partial[(local.z * SPLIT + i) * LANES + local.x];
            }
        }
        if (local.y == 0u && token + t < step.count && four * 4u < params.rows) {
            store(token + t, four * 4u, sum);
        }
    }
}

// Four neighbouring rows' results with their bias.
fn biased(first: u32, values: vec4<f32>) -> vec4<f32> {
    if (params.has_bias == 0u) {
        return values;
    }
    let at = params.first_row + first;
    return values + vec4<f32>(bias[at], bias[at + 1u], bias[at + 2u], bias[at + 3u]);
}
