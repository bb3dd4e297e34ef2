// 4-bit blocks of 32 columns (GGUF Q4_0, Q4_1): weight = nibble * scale + minimum.
// weights (tiles, columns / 8, 16): word i of a block holds its columns 4i.. in the low and 16 + 4i..
// in the high nibbles, as in the file; scales (tiles, columns / 32, 16): scale and minimum as two f16.

// The vec4 of the input that lo and hi of this group multiply.
fn group_columns(group: u32) -> vec2<u32> {
    let at = (group / 4u) * 8u + group % 4u;
    return vec2<u32>(at, at + 4u);
}

// Four weights from the low nibbles of the word's bytes. Set into the mantissa of 1.0, a nibble makes
// 1 + nibble / 16 without a conversion, which GPUs are slow at; `s` is 16 scale and minimum - 16 scale.
fn nibbles(word: u32, s: vec2<f32>) -> vec4<f32> {
    let shifted = vec4<u32>(word << 19u, word << 11u, word << 3u, word >> 5u);
    return bitcast<vec4<f32>>((shifted & vec4<u32>(0x780000u)) | vec4<u32>(0x3f800000u)) * s.x + s.y;
}

fn affine(scale: u32) -> vec2<f32> {
    let s = unpack2x16float(scale);
    return vec2<f32>(16.0 * s.x, s.y - 16.0 * s.x);
}

fn weight_group(tile: u32, group: u32, lane: u32) -> Group {
    let w = weights[(tile * (params.columns / 8u) + group) * 16u + lane];
    let s = scales[(tile * (params.columns / 32u) + group / 4u) * 16u + lane];
    let h = w >> vec4<u32>(4u);
    let x = affine(s.x);
    let y = affine(s.y);
    let z = affine(s.z);
    let v = affine(s.w);
    return Group(
        mat4x4<f32>(nibbles(w.x, x), nibbles(w.y, y), nibbles(w.z, z), nibbles(w.w, v)),
        mat4x4<f32>(nibbles(h.x, x), nibbles(h.y, y), nibbles(h.z, z), nibbles(h.w, v)),
    );
}

fn weight_words(tile: u32, group: u32, lane: u32) -> Words {
    let w = weights[(tile * (params.columns / 8u) + group) * 16u + lane];
    return Words(w & vec4<u32>(0x0f0f0f0fu), (w >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu));
}

fn weight_scales(tile: u32, block: u32, lane: u32) -> Scales {
    return scales_of(scales[(tile * (params.columns / 32u) + block) * 16u + lane]);
}
