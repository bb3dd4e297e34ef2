// What every product shares. The constants LANES, TOKENS, GROUPS and SPLIT in front of this file give its form:
// a thread keeps four rows of TOKENS tokens in registers and takes its slice of the columns; a workgroup has LANES
// such fours of rows, GROUPS such groups of tokens and SPLIT slices of the columns, whose sums it adds up at the
// end. Large forms read less, small ones fill the GPU when there is little to do.
@group(0) @binding(3) var<storage, read> input: array<vec4<f32>>; // (tokens, columns / 4)
@group(0) @binding(4) var<storage, read> bias: array<f32>; // (all_rows), or one unused value

var<workgroup> partial: array<vec4<f32>, LANES * SPLIT * GROUPS>;

// Adds up the slices' sums for the tokens from `token` on and stores them.
fn finish(sums: ptr<function, array<vec4<f32>, TOKENS>>, token: u32, four: u32, local: vec3<u32>) {
    for (var t = 0u; t < TOKENS; t++) {
        var sum = (*sums)[t];
        if (SPLIT > 1u) {
            workgroupBarrier();
            partial[(local.z * SPLIT + local.y) * LANES + local.x] = sum;
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
