// f16: weights (tiles, columns / 2, 16), two columns a word; no scales.

// The vec4 of the input that lo and hi of this group multiply.
fn group_columns(group: u32) -> vec2<u32> {
    return vec2<u32>(group * 2u, group * 2u + 1u);
}

fn four(a: u32, b: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(a), unpack2x16float(b));
}

fn weight_group(tile: u32, group: u32, lane: u32) -> Group {
    let at = (tile * (params.columns / 2u) + group * 4u) * 16u + lane;
    let a = weights[at];
    let b = weights[at + 16u];
    let c = weights[at + 32u];
    let d = weights[at + 48u];
    return Group(
        mat4x4<f32>(four(a.x, b.x), four(a.y, b.y), four(a.z, b.z), four(a.w, b.w)),
        mat4x4<f32>(four(c.x, d.x), four(c.y, d.y), four(c.z, d.z), four(c.w, d.w)),
    );
}
