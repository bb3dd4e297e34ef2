// Four halves in two words: f16 storage without the shader-f16 feature.
alias Half4 = vec2<u32>;

fn from_half4(h: Half4) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(h.x), unpack2x16float(h.y));
}

fn to_half4(v: vec4<f32>) -> Half4 {
    // Out of range is undefined in pack2x16float, so it saturates here.
    let c = clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0));
    return vec2<u32>(pack2x16float(c.xy), pack2x16float(c.zw));
}
