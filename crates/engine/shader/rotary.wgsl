// Rotary position embedding (Su et al. 2021) of queries and keys, and the write into the KV cache:
// a thread takes four neighbouring values of a query, a key or a value.
struct Rotary {
    num_heads: u32,
    num_kv_heads: u32,
    head_dim: u32,
    // the first rotary_dim values of a head are rotated, the others pass
    rotary_dim: u32,
    // 1: value 2i is paired with 2i + 1; 0: value i with i + rotary_dim / 2
    interleaved: u32,
}
@group(0) @binding(0) var<uniform> params: Rotary;
@group(0) @binding(1) var<storage, read> tokens: array<Token>; // (tokens)
@group(0) @binding(2) var<storage, read> turns: array<vec2<f32>>; // (positions, rotary_dim / 2): cosine, sine
@group(0) @binding(3) var<storage, read> query: array<f32>; // (tokens, num_heads, head_dim)
@group(0) @binding(4) var<storage, read> key: array<f32>; // (tokens, num_kv_heads, head_dim)
@group(0) @binding(5) var<storage, read> value: array<f32>; // (tokens, num_kv_heads, head_dim)
@group(0) @binding(6) var<storage, read_write> rotated: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)
@group(0) @binding(7) var<storage, read_write> key_cache: array<Half4>; // (slots, num_kv_heads, head_dim / 4)
@group(0) @binding(8) var<storage, read_write> value_cache: array<Half4>; // (slots, num_kv_heads, head_dim / 4)

// The pair of a value of a head: its partner's place, which turn they share, and the sine's sign.
struct Pair {
    partner: u32,
    turn: u32,
    sign: f32,
}

fn pair_of(i: u32) -> Pair {
    let half = params.rotary_dim / 2u;
    if (params.interleaved == 1u) {
        if (i % 2u == 0u) {
            return Pair(i + 1u, i / 2u, -1.0);
        }
        return Pair(i - 1u, i / 2u, 1.0);
    }
    if (i < half) {
        return Pair(i + half, i, -1.0);
    }
    return Pair(i - half, i - half, 1.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    let quads = params.head_dim / 4u;
    let heads = global.x / quads;
    let quad = global.x % quads;
    let index = global.y;
    if (index >= step.count || heads >= params.num_heads + 2u * params.num_kv_heads) {
        return;
    }
    let token = tokens[index];
    let turn_base = token.position * (params.rotary_dim / 2u);
    if (heads < params.num_heads) {
        let base = (index * params.num_heads + heads) * params.head_dim;
        var out = vec4<f32>();
        for (var c = 0u; c < 4u; c++) {
            let i = quad * 4u + c;
            out[c] = query[base + i];
            if (i < params.rotary_dim) {
                let pair = pair_of(i);
                let turn = turns[turn_base + pair.turn];
                out[c] = out[c] * turn.x + pair.sign * query[base + pair.partner] * turn.y;
            }
        }
        rotated[(index * params.num_heads + heads) * quads + quad] = out;
        return;
    }
    let kv_head = (heads - params.num_heads) % params.num_kv_heads;
    let base = (index * params.num_kv_heads + kv_head) * params.head_dim;
    let at = (token.slot * params.num_kv_heads + kv_head) * quads + quad;
    if (heads < params.num_heads + params.num_kv_heads) {
        var out = vec4<f32>();
        for (var c = 0u; c < 4u; c++) {
            let i = quad * 4u + c;
            out[c] = key[base + i];
            if (i < params.rotary_dim) {
                let pair = pair_of(i);
                let turn = turns[turn_base + pair.turn];
                out[c] = out[c] * turn.x + pair.sign * key[base + pair.partner] * turn.y;
            }
        }
        key_cache[at] = to_half4(out);
        return;
    }
    let i = base + quad * 4u;
    value_cache[at] = to_half4(vec4<f32>(value[i], value[i + 1u], value[i + 2u], value[i + 3u]));
}
