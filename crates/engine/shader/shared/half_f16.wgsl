// Four halves as the hardware's own type; the same bytes as half_baseline.wgsl.
alias Half4 = vec4<f16>;

fn from_half4(h: Half4) -> vec4<f32> {
    return vec4<f32>(h);
}

fn to_half4(v: vec4<f32>) -> Half4 {
    return vec4<f16>(clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
}
