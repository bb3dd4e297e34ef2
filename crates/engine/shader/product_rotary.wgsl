// Queries, keys and values from one matrix: queries and keys with rotary position embedding
// (Su et al. 2021), keys and values into the KV cache. Pairs that turn together are neighbours: the loader
// has put the rows of models that pair i with i + rotary_dim / 2 in that order.
struct Rotary {
    num_heads: u32,
    num_kv_heads: u32,
    head_dim: u32,
    // the first rotary_dim values of a head are rotated, the others pass
    rotary_dim: u32,
    // slots of the cache
    slots: u32,
}
@group(0) @binding(5) var<storage, read> tokens: array<Token>; // (tokens)
@group(0) @binding(6) var<storage, read> turns: array<vec2<f32>>; // (positions, rotary_dim / 2): cosine, sine
@group(0) @binding(7) var<storage, read_write> query: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)
@group(0) @binding(8) var<storage, read_write> cache: array<Half4>; // (keys and values, slots, num_kv_heads, head_dim / 4)
@group(0) @binding(9) var<uniform> rotary: Rotary;

fn turned(pair: vec2<f32>, position: u32, index: u32) -> vec2<f32> {
    let half = rotary.rotary_dim / 2u;
    if (index >= half) {
        return pair;
    }
    let turn = turns[position * half + index];
    return vec2<f32>(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y);
}

fn store(index: u32, first: u32, values: vec4<f32>) {
    let sums = biased(first, values);
    let token = tokens[index];
    let quads = rotary.head_dim / 4u;
    let head = (params.first_row + first) / rotary.head_dim;
    let quad = (params.first_row + first) / 4u % quads;
    let turned_sums = vec4<f32>(
        turned(sums.xy, token.position, quad * 2u),
        turned(sums.zw, token.position, quad * 2u + 1u),
    );
    let keys = rotary.num_heads + rotary.num_kv_heads;
    if (head < rotary.num_heads) {
        query[(index * rotary.num_heads + head) * quads + quad] = turned_sums;
    } else if (head < keys) {
        cache[(token.slot * rotary.num_kv_heads + head - rotary.num_heads) * quads + quad] = to_half4(turned_sums);
    } else {
        cache[((rotary.slots + token.slot) * rotary.num_kv_heads + head - keys) * quads + quad] = to_half4(sums);
    }
}
