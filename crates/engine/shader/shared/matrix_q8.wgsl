// 8-bit blocks of 32 columns (GGUF Q8_0): weight = signed byte * scale.
// weights (tiles, columns / 4, 16): four bytes a word; scales (tiles, columns / 32, 16): the scale and 0.

// The vec4 of the input that lo and hi of this group multiply.
fn group_columns(group: u32) -> vec2<u32> {
    return vec2<u32>(group * 2u, group * 2u + 1u);
}

fn signed_bytes(word: u32, scale: u32) -> vec4<f32> {
    let s = unpack2x16float(scale);
    return vec4<f32>(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)) * s.x + s.y;
}

fn weight_group(tile: u32, group: u32, lane: u32) -> Group {
    let at = (tile * (params.columns / 4u) + group * 2u) * 16u + lane;
    let w = weights[at];
    let h = weights[at + 16u];
    let s = scales[(tile * (params.columns / 32u) + group / 4u) * 16u + lane];
    return Group(
        mat4x4<f32>(signed_bytes(w.x, s.x), signed_bytes(w.y, s.y), signed_bytes(w.z, s.z), signed_bytes(w.w, s.w)),
        mat4x4<f32>(signed_bytes(h.x, s.x), signed_bytes(h.y, s.y), signed_bytes(h.z, s.z), signed_bytes(h.w, s.w)),
    );
}

fn weight_words(tile: u32, group: u32, lane: u32) -> Words {
    let at = (tile * (params.columns / 4u) + group * 2u) * 16u + lane;
    return Words(weights[at], weights[at + 16u]);
}

fn weight_scales(tile: u32, block: u32, lane: u32) -> Scales {
    return scales_of(scales[(tile * (params.columns / 32u) + block) * 16u + lane]);
}
