// f32: weights (tiles, columns, 16), one column a word; no scales.

// The vec4 of the input that lo and hi of this group multiply.
fn group_columns(group: u32) -> vec2<u32> {
    return vec2<u32>(group * 2u, group * 2u + 1u);
}

fn four_columns(at: u32) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(
        bitcast<vec4<f32>>(weights[at]),
        bitcast<vec4<f32>>(weights[at + 16u]),
        bitcast<vec4<f32>>(weights[at + 32u]),
        bitcast<vec4<f32>>(weights[at + 48u]),
    ));
}

fn weight_group(tile: u32, group: u32, lane: u32) -> Group {
    let at = (tile * params.columns + group * 8u) * 16u + lane;
    return Group(four_columns(at), four_columns(at + 64u));
}
