//! Twin of `rotary.wgsl`, and the table of turns.

use half::f16;

use super::Token;

/// Parameters of the rotary embedding and the cache write.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Rotary {
    /// Query heads.
    pub num_heads: u32,
    /// Key and value heads.
    pub num_kv_heads: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Values of a head that are rotated.
    pub rotary_dim: u32,
    /// 1: value 2i is paired with 2i + 1; 0: value i with i + rotary_dim / 2.
    pub interleaved: u32,
}

/// (positions, rotary_dim / 2) pairs of cosine and sine. The angles are made in f64: shaders only
/// promise sines near zero.
#[must_use]
pub fn turns(positions: usize, rotary_dim: usize, theta: f32) -> Vec<[f32; 2]> {
    let half = rotary_dim / 2;
    let frequency = |i: usize| f64::from(theta).powf(-((2 * i) as f64) / rotary_dim as f64);
    (0..positions * half)
        .map(|n| {
            let angle = (n / half) as f64 * frequency(n % half);
            [angle.cos() as f32, angle.sin() as f32]
        })
        .collect()
}

/// The rotated queries (tokens, num_heads, head_dim); keys and values go into the caches
/// (slots, num_kv_heads, head_dim) as f16.
pub fn rotary(
    params: &Rotary,
    tokens: &[Token],
    turns: &[[f32; 2]],
    [query, key, value]: [&[f32]; 3],
    key_cache: &mut [f16],
    value_cache: &mut [f16],
) -> Vec<f32> {
    let (heads, kv_heads) = (params.num_heads as usize, params.num_kv_heads as usize);
    let head_dim = params.head_dim as usize;
    let mut rotated = query.to_vec();
    for (i, token) in tokens.iter().enumerate() {
        let turns = &turns[token.position as usize * params.rotary_dim as usize / 2..];
        for head in rotated[i * heads * head_dim..][..heads * head_dim].chunks_exact_mut(head_dim) {
            rotate(params, turns, head);
        }
        let kv = i * kv_heads * head_dim..(i + 1) * kv_heads * head_dim;
        let cache = token.slot as usize * kv_heads * head_dim..;
        let mut keys = key[kv.clone()].to_vec();
        keys.chunks_exact_mut(head_dim).for_each(|head| rotate(params, turns, head));
        for (to, from) in key_cache[cache.clone()].iter_mut().zip(keys) {
            *to = f16::from_f32(from);
        }
        for (to, from) in value_cache[cache].iter_mut().zip(&value[kv]) {
            *to = f16::from_f32(*from);
        }
    }
    rotated
}

fn rotate(params: &Rotary, turns: &[[f32; 2]], head: &mut [f32]) {
    let half = params.rotary_dim as usize / 2;
    for (i, [cos, sin]) in turns[..half].iter().enumerate() {
        let (a, b) = if params.interleaved == 1 { (2 * i, 2 * i + 1) } else { (i, i + half) };
        let (x, y) = (head[a], head[b]);
        head[a] = x * cos - y * sin;
        head[b] = y * cos + x * sin;
    }
}
