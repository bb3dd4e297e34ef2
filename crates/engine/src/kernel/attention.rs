//! Twin of `attention.wgsl`.

use half::f16;

use super::Token;

/// Parameters of attention.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Attention {
    /// Query heads.
    pub num_heads: u32,
    /// Key and value heads.
    pub num_kv_heads: u32,
    /// Values of a head.
    pub head_dim: u32,
    /// Keys further back than this are not seen; 0: all are.
    pub sliding_window: u32,
    /// Slots of the cache.
    pub slots: u32,
    /// What scores are multiplied with, 1/√head_dim.
    pub scale: f32,
}

/// Query rows that share a workgroup.
pub const ROWS: usize = 8;

/// `query` (tokens, num_heads, head_dim), `cache` (keys and values, slots, num_kv_heads, head_dim) →
/// (tokens, num_heads, head_dim)
#[must_use]
pub fn attention(params: &Attention, tokens: &[Token], query: &[f32], cache: &[f16]) -> Vec<f32> {
    let (heads, kv_heads) = (params.num_heads as usize, params.num_kv_heads as usize);
    let head_dim = params.head_dim as usize;
    let (key_cache, value_cache) = cache.split_at(params.slots as usize * kv_heads * head_dim);
    let mut output = vec![0.0; query.len()];
    for (i, token) in tokens.iter().enumerate() {
        let prefix = token.first..token.first + token.prefix;
        let mut slots: Vec<u32> = prefix.chain(token.segment..=token.slot).collect();
        if params.sliding_window > 0 {
            slots.drain(..slots.len().saturating_sub(params.sliding_window as usize));
        }
        for head in 0..heads {
            let at = (i * heads + head) * head_dim;
            let kv = |slot: u32| {
                let kv_head = head / (heads / kv_heads);
                (slot as usize * kv_heads + kv_head) * head_dim
            };
            let scores = slots.iter().map(|slot| {
                let keys = &key_cache[kv(*slot)..][..head_dim];
                let query = &query[at..at + head_dim];
                params.scale * query.iter().zip(keys).map(|(q, k)| q * k.to_f32()).sum::<f32>()
            });
            let mut weights: Vec<f32> = scores.collect();
            softmax(&mut weights);
            for (slot, weight) in slots.iter().zip(weights) {
                let values = &value_cache[kv(*slot)..][..head_dim];
                for (out, value) in output[at..at + head_dim].iter_mut().zip(values) {
                    *out += weight * value.to_f32();
                }
            }
        }
    }
    output
}

fn softmax(values: &mut [f32]) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let total: f32 = values.iter().sum();
    values.iter_mut().for_each(|x| *x /= total);
}
