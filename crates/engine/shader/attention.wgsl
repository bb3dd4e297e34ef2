// Attention of ROWS query rows (a token and one of the heads that share a key head) over the shared prefix
// and the rows' own segments, for heads of QUADS vec4, a constant in front of this file. Keys and values are
// read once for all the rows of a workgroup, KEYS at a time with an online softmax (Milakov and Gimelshein
// 2018; Dao et al. 2022), so that no score matrix is kept; prefix and segments meet in the same running sums.
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
const PARTS: u32 = KEYS / ROWS; // threads that a row has for its softmax
const SLICES: u32 = KEYS / QUADS; // of the keys, each with a thread for each quad of the values
var<workgroup> scaled_query: array<vec4<f32>, ROWS * QUADS>;
var<workgroup> weight: array<f32, ROWS * KEYS>;
var<workgroup> partial: array<f32, KEYS>; // (ROWS, PARTS)
var<workgroup> correction: array<f32, ROWS>;
var<workgroup> totals: array<f32, ROWS>;
var<workgroup> slice_sums: array<vec4<f32>, KEYS>; // (SLICES, QUADS)
var<workgroup> row_token: array<Token, ROWS>;

// A score that is not there must only lose every comparison.
const NO_SCORE: f32 = -3.0e38;

fn is_visible(token: Token, slot: u32, in_prefix: bool) -> bool {
    var position = slot - token.first;
    if (in_prefix) {
        if (slot < token.first || position >= token.prefix) {
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

// Scores of this thread's key, where the row sees it.
fn score(thread: u32, kv_head: u32, first: u32, end: u32, in_prefix: bool) {
    let slot = first + thread;
    var scores: array<f32, ROWS>;
    if (slot < end) {
        let at = (slot * params.num_kv_heads + kv_head) * QUADS;
        for (var quad = 0u; quad < QUADS; quad++) {
            let key = from_half4(cache[at + quad]);
            for (var r = 0u; r < ROWS; r++) {
                scores[r] += dot(scaled_query[r * QUADS + quad], key);
            }
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let seen = slot < end && is_visible(row_token[r], slot, in_prefix);
        weight[r * KEYS + thread] = select(NO_SCORE, scores[r], seen);
    }
}

// Scores to weights below the row's running maximum, which is returned; the sums so far shrink by `correction`.
fn normalise(thread: u32, before: f32) -> f32 {
    let row = thread / PARTS;
    let part = thread % PARTS;
    var largest = NO_SCORE;
    for (var j = part; j < KEYS; j += PARTS) {
        largest = max(largest, weight[row * KEYS + j]);
    }
    partial[thread] = largest;
    workgroupBarrier();
    largest = before;
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
    if (part == 0u) {
        correction[row] = exp(before - largest);
        total = totals[row] * correction[row];
        for (var j = 0u; j < PARTS; j++) {
            total += partial[row * PARTS + j];
        }
        totals[row] = total;
    }
    workgroupBarrier();
    return largest;
}

@compute @workgroup_size(KEYS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let kv_head = workgroup.y;
    let group = params.num_heads / params.num_kv_heads;
    let first_row = workgroup.x * ROWS;
    for (var i = thread; i < ROWS * QUADS; i += KEYS) {
        let row = first_row + i / QUADS;
        var value = vec4<f32>();
        if (row / group < step.count) {
            let head = kv_head * group + row % group;
            value = query[(row / group * params.num_heads + head) * QUADS + i % QUADS] * params.scale;
        }
        scaled_query[i] = value;
    }
    var prefix_start = 0xffffffffu;
    var prefix_end = 0u;
    var segment_start = 0xffffffffu;
    var segment_end = 0u;
    for (var r = 0u; r < ROWS; r++) {
        let token = tokens[min((first_row + r) / group, step.count - 1u)];
        if (token.prefix > 0u) {
            prefix_start = min(prefix_start, token.first);
            prefix_end = max(prefix_end, token.first + token.prefix);
        }
        // A token of the prefix itself has an empty segment.
        if (token.segment <= token.slot) {
            segment_start = min(segment_start, token.segment);
            segment_end = max(segment_end, token.slot + 1u);
        }
        if (thread == r) {
            row_token[r] = token;
            totals[r] = 0.0;
        }
    }
    workgroupBarrier();

    let slice = thread / QUADS;
    let quad = thread % QUADS;
    let prefix_blocks = (max(prefix_end, prefix_start) - prefix_start + KEYS - 1u) / KEYS;
    let segment_blocks = (max(segment_end, segment_start) - segment_start + KEYS - 1u) / KEYS;
    var largest = NO_SCORE;
    var sums: array<vec4<f32>, ROWS>;
    for (var block = 0u; block < prefix_blocks + segment_blocks; block++) {
        let in_prefix = block < prefix_blocks;
        let first = select(segment_start + (block - prefix_blocks) * KEYS, prefix_start + block * KEYS, in_prefix);
        let end = min(first + KEYS, select(segment_end, prefix_end, in_prefix));
        score(thread, kv_head, first, end, in_prefix);
        workgroupBarrier();
        largest = normalise(thread, largest);
        for (var r = 0u; r < ROWS; r++) {
            sums[r] *= correction[r];
        }
        if (slice < SLICES) {
            let values = ((params.slots + first) * params.num_kv_heads + kv_head) * QUADS + quad;
            for (var j = slice; j < end - first; j += SLICES) {
                let value = from_half4(cache[values + j * params.num_kv_heads * QUADS]);
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += weight[r * KEYS + j] * value;
                }
            }
        }
        workgroupBarrier();
    }

    for (var r = 0u; r < ROWS; r++) {
        slice_sums[thread] = sums[r];
        workgroupBarrier();
        let row = first_row + r;
        if (thread < QUADS && row / group < step.count) {
            var sum = sums[r];
            for (var i = 1u; i < SLICES; i++) {
                sum += slice_sums[i * QUADS + thread];
            }
            output[(row / group * params.num_heads + kv_head * group + row % group) * QUADS + thread] = sum / totals[r];
        }
        workgroupBarrier();
    }
}
