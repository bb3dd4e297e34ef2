// Attention of ROWS query rows (a token and one of the heads that share a key head) over the shared prefix
// and the rows' own segments. Keys and values are read once for all the rows of a workgroup, KEYS at a time
// with an online softmax (Milakov and Gimelshein 2018; Dao et al. 2022), so that no score matrix is kept;
// prefix and segments meet in the same running sums.
struct Attention {
    num_heads: u32,
    num_kv_heads: u32,
    head_dim: u32,
    // keys further back than this are not seen; 0: all are
    sliding_window: u32,
    // slots of the cache
    slots: u32,
    scale: f32,
}
@group(0) @binding(0) var<uniform> params: Attention;
@group(0) @binding(1) var<storage, read> tokens: array<Token>; // (tokens)
@group(0) @binding(2) var<storage, read> query: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)
@group(0) @binding(3) var<storage, read> cache: array<Half4>; // (keys and values, slots, num_kv_heads, head_dim / 4)
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>; // (tokens, num_heads, head_dim / 4)

const ROWS: u32 = 8u;
const KEYS: u32 = 128u; // the threads of a workgroup: one scores one key
const PARTS: u32 = 16u; // threads that a row has for its softmax and its values
var<workgroup> scaled_query: array<vec4<f32>, 512>; // (ROWS, head_dim / 4)
var<workgroup> weight: array<f32, 1024>; // (ROWS, KEYS)
var<workgroup> partial: array<f32, 128>; // (ROWS, PARTS)
var<workgroup> row_token: array<Token, 8>; // (ROWS)

// A score that is not there must only lose every comparison.
const NO_SCORE: f32 = -3.0e38;

// What a thread knows of its row, thread / PARTS.
struct Running {
    largest: f32,
    total: f32,
    sums: array<vec4<f32>, 4>, // quads part, part + PARTS, …
}

fn is_visible(token: Token, slot: u32, in_prefix: bool) -> bool {
    var position = slot;
    if (in_prefix) {
        if (slot >= token.prefix) {
            return false;
        }
    } else {
        if (slot < token.segment || slot > token.slot) {
            return false;
        }
        position = token.prefix + slot - token.segment;
    }
    return params.sliding_window == 0u || position + params.sliding_window > token.position;
}

// Takes in the keys and values of slots first..end, at most KEYS.
fn take(running: ptr<function, Running>, thread: u32, kv_head: u32, first: u32, end: u32, in_prefix: bool) {
    let quads = params.head_dim / 4u;
    let slot = first + thread;
    var scores: array<f32, ROWS>;
    if (slot < end) {
        let at = (slot * params.num_kv_heads + kv_head) * quads;
        for (var quad = 0u; quad < quads; quad++) {
            let key = from_half4(cache[at + quad]);
            for (var r = 0u; r < ROWS; r++) {
                scores[r] += dot(scaled_query[r * quads + quad], key);
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let seen = slot < end && is_visible(row_token[r], slot, in_prefix);
        weight[r * KEYS + thread] = select(NO_SCORE, scores[r], seen);
    }
    workgroupBarrier();

    let row = thread / PARTS;
    let part = thread % PARTS;
    var largest = NO_SCORE;
    for (var j = part; j < KEYS; j += PARTS) {
        largest = max(largest, weight[row * KEYS + j]);
    }
    partial[thread] = largest;
    workgroupBarrier();
    largest = (*running).largest;
    for (var j = 0u; j < PARTS; j++) {
        largest = max(largest, partial[row * PARTS + j]);
    }
    workgroupBarrier();
    var total = 0.0;
    for (var j = part; j < KEYS; j += PARTS) {
        let score = weight[row * KEYS + j];
        let probability = select(0.0, exp(score - largest), score > NO_SCORE);
        weight[row * KEYS + j] = probability;
        total += probability;
    }
    partial[thread] = total;
    workgroupBarrier();
    let correction = exp((*running).largest - largest);
    (*running).largest = largest;
    (*running).total *= correction;
    for (var j = 0u; j < PARTS; j++) {
        (*running).total += partial[row * PARTS + j];
    }

    for (var i = 0u; i < 4u; i++) {
        let quad = part + i * PARTS;
        if (quad < quads) {
            var sum = (*running).sums[i] * correction;
            let values = ((params.slots + first) * params.num_kv_heads + kv_head) * quads + quad;
            for (var j = 0u; j < min(KEYS, end - first); j++) {
                sum += weight[row * KEYS + j] * from_half4(cache[values + j * params.num_kv_heads * quads]);
            }
            (*running).sums[i] = sum;
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let kv_head = workgroup.y;
    let quads = params.head_dim / 4u;
    let group = params.num_heads / params.num_kv_heads;
    let first_row = workgroup.x * ROWS;
    for (var i = thread; i < ROWS * quads; i += KEYS) {
        let row = first_row + i / quads;
        var value = vec4<f32>();
        if (row / group < step.count) {
            let head = kv_head * group + row % group;
            value = query[(row / group * params.num_heads + head) * quads + i % quads] * params.scale;
        }
        scaled_query[i] = value;
    }
    var prefix_end = 0u;
    var segment_start = 0xffffffffu;
    var segment_end = 0u;
    for (var r = 0u; r < ROWS; r++) {
        let token = tokens[min((first_row + r) / group, step.count - 1u)];
        prefix_end = max(prefix_end, token.prefix);
        // A token of the prefix itself has an empty segment.
        if (token.segment <= token.slot) {
            segment_start = min(segment_start, token.segment);
            segment_end = max(segment_end, token.slot + 1u);
        }
        if (thread == r) {
            row_token[r] = token;
        }
    }
    workgroupBarrier();

    var running = Running(NO_SCORE, 0.0, array<vec4<f32>, 4>());
    for (var first = 0u; first < prefix_end; first += KEYS) {
        take(&running, thread, kv_head, first, min(first + KEYS, prefix_end), true);
    }
    for (var first = segment_start; first < segment_end; first += KEYS) {
        take(&running, thread, kv_head, first, min(first + KEYS, segment_end), false);
    }

    let row = first_row + thread / PARTS;
    if (row / group < step.count) {
        let at = (row / group * params.num_heads + kv_head * group + row % group) * quads;
        for (var i = 0u; i < 4u; i++) {
            let quad = thread % PARTS + i * PARTS;
            if (quad < quads) {
                output[at + quad] = running.sums[i] / running.total;
            }
        }
    }
}
