// Attention of one head of one token over the shared prefix and the row's own segment: 64 keys at a
// time with an online softmax (Milakov and Gimelshein 2018), so that no score matrix is kept.
struct Attention {
    num_heads: u32,
    num_kv_heads: u32,
    head_dim: u32,
    // keys further back than this are not seen; 0: all are
    sliding_window: u32,
    scale: f32,
}
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<storage, read> tokens: array<Token>; // (tokens)
@group(0) @binding(2) var<storage, read> query: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)
@group(0) @binding(3) var<storage, read> key_cache: array<Half4>; // (slots, num_kv_heads, head_dim / 4)
@group(0) @binding(4) var<storage, read> value_cache: array<Half4>; // (slots, num_kv_heads, head_dim / 4)
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)

var<workgroup> scaled_query: array<vec4<f32>, 64>; // (head_dim / 4)
var<workgroup> weight: array<f32, WORKGROUP>;
var<workgroup> place: array<u32, WORKGROUP>;

// The least finite f32 would do as well; a score that is not there must only lose every comparison.
const NO_SCORE: f32 = -3.0e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let head = workgroup.x;
    let index = workgroup.y;
    let quads = params.head_dim / 4u;
    let kv_head = head / (params.num_heads / params.num_kv_heads);
    let row = (index * params.num_heads + head) * quads;
    let token = tokens[index];
    let num_keys = token.prefix + token.slot - token.segment + 1u;
    var first = 0u;
    if (params.sliding_window > 0u && num_keys > params.sliding_window) {
        first = num_keys - params.sliding_window;
    }
    if (thread < quads) {
        scaled_query[thread] = query[row + thread] * params.scale;
    }
    workgroupBarrier();

    var largest = NO_SCORE;
    var total = 0.0;
    var sum = vec4<f32>();
    for (var start = first; start < num_keys; start += WORKGROUP) {
        let i = start + thread;
        var slot = i;
        if (i >= token.prefix) {
            slot = token.segment + i - token.prefix;
        }
        let at = (slot * params.num_kv_heads + kv_head) * quads;
        var score = NO_SCORE;
        if (i < num_keys) {
            score = 0.0;
            for (var quad = 0u; quad < quads; quad++) {
                score += dot(scaled_query[quad], from_half4(key_cache[at + quad]));
            }
        }
        let block_largest = max(largest, workgroup_max(thread, score));
        let correction = exp(largest - block_largest);
        largest = block_largest;
        var probability = 0.0;
        if (i < num_keys) {
            probability = exp(score - largest);
        }
        total = total * correction + workgroup_sum(thread, probability);
        weight[thread] = probability;
        place[thread] = at;
        workgroupBarrier();
        if (thread < quads) {
            sum *= correction;
            for (var j = 0u; j < min(WORKGROUP, num_keys - start); j++) {
                sum += weight[j] * from_half4(value_cache[place[j] + thread]);
            }
        }
        workgroupBarrier();
    }
    if (thread < quads) {
        output[row + thread] = sum / total;
    }
}
