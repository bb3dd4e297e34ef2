// 4-bit blocks of 32 columns (GGUF Q4_0, Q4_1): weight = nibble * scale + minimum.
// weights (tiles, columns / 8, 16): word i of a block holds its columns 4i.. in the low and 16 + 4i..
// in the high nibbles, as in the file; scales (tiles, columns / 32, 16): scale and minimum as two f16.

// The vec4 of the input that lo and hi of this group multiply.
fn group_columns(group: u32) -> vec2<u32> {
    let at = (group / 4u) * 8u + group % 4u;
    return vec2<u32>(at, at + 4u);
}

fn nibbles(word: u32, scale: u32) -> vec4<f32> {
    let s = unpack2x16float(scale);
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) * s.x + s.y;
}

fn weight_group(tile: u32, group: u32, lane: u32) -> Group {
    let w = weights[(tile * (params.columns / 8u) + group) * 16u + lane];
    let s = scales[(tile * (params.columns / 32u) + group / 4u) * 16u + lane];
    let h = w >> vec4<u32>(4u);
    return Group(
        mat4x4<f32>(nibbles(w.x, s.x), nibbles(w.y, s.y), nibbles(w.z, s.z), nibbles(w.w, s.w)),
        mat4x4<f32>(nibbles(h.x, s.x), nibbles(h.y, s.y), nibbles(h.z, s.z), nibbles(h.w, s.w)),
    );
}
