// Rows of the embedding matrix: one thread takes eight columns of one token.
// Tokens whose row lies in another part of the matrix are left to that part's dispatch.
@group(0) @binding(3) var<storage, read> ids: array<u32>; // (tokens)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>; // (tokens, columns / 4)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    let group = global.x;
    let token = global.y;
    if (token >= step.count || group >= params.columns / 8u) {
        return;
    }
    let id = ids[token];
    if (id < params.first_row || id - params.first_row >= params.rows) {
        return;
    }
    let row = id - params.first_row;
    let w = weight_group(row / 64u, group, (row % 64u) / 4u);
    let at = group_columns(group);
    let base = token * (params.columns / 4u);
    // Selected, not indexed: a matrix in registers has no address.
    switch (row % 4u) {
        case 0u: { output[base + at.x] = w.lo[0]; output[base + at.y] = w.hi[0]; }
        case 1u: { output[base + at.x] = w.lo[1]; output[base + at.y] = w.hi[1]; }
        case 2u: { output[base + at.x] = w.lo[2]; output[base + at.y] = w.hi[2]; }
        default: { output[base + at.x] = w.lo[3]; output[base + at.y] = w.hi[3]; }
    }
}
