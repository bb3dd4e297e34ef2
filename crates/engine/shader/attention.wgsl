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

const ROWS: u32 = 8u; // in two fours, low and high, since drivers keep vectors and matrices in registers, but not every array
const KEYS: u32 = 128u; // the threads of a workgroup: one scores one key
const PARTS: u32 = KEYS / ROWS; // threads that a row has for its softmax
const SLICES: u32 = KEYS / QUADS; // of the keys, each with a thread for each quad of the values
const VALUES: u32 = 4u; // that a thread asks for at once, so that it waits for memory once
var<workgroup> scaled_query: array<vec4<f32>, 2u * 4u * QUADS>; // (head_dim, 2): a value of four rows
var<workgroup> weight: array<f32, ROWS * KEYS>; // (ROWS, KEYS)
var<workgroup> reduced: array<f32, KEYS>; // (ROWS, PARTS)
var<workgroup> correction: array<f32, ROWS>;
var<workgroup> slice_sums: array<vec4<f32>, KEYS>; // (SLICES, QUADS)
var<workgroup> rows: array<RowFour, 2>;

// Where four rows' tokens stand, each as Token says.
struct RowFour {
    position: vec4<u32>,
    prefix: vec4<u32>,
    segment: vec4<u32>,
    slot: vec4<u32>,
    first: vec4<u32>,
}

// A score that is not there must only lose every comparison.
const NO_SCORE: f32 = -3.0e38;

fn visible(four: u32, slot: u32, in_prefix: bool) -> vec4<bool> {
    let row = rows[four];
    let at = vec4<u32>(slot);
    var position = at - row.first;
    var seen = (at >= row.first) & (position < row.prefix);
    if (!in_prefix) {
        seen = (at >= row.segment) & (at <= row.slot);
        position = row.prefix + at - row.segment;
    }
    let window = vec4<u32>(params.sliding_window);
    return seen & ((window == vec4<u32>(0u)) | (position + window > row.position));
}

// Scores of this thread's key, where the row sees it.
fn score(thread: u32, kv_head: u32, first: u32, end: u32, in_prefix: bool) {
    let slot = first + thread;
    var low = vec4<f32>();
    var high = vec4<f32>();
    if (slot < end) {
        let at = (slot * params.num_kv_heads + kv_head) * QUADS;
        for (var quad = 0u; quad < QUADS; quad++) {
            let key = from_half4(cache[at + quad]);
            let q = quad * 8u;
            low += key.x * scaled_query[q] + key.y * scaled_query[q + 2u];
            high += key.x * scaled_query[q + 1u] + key.y * scaled_query[q + 3u];
            low += key.z * scaled_query[q + 4u] + key.w * scaled_query[q + 6u];
            high += key.z * scaled_query[q + 5u] + key.w * scaled_query[q + 7u];
        }
    }
    let none = vec4<f32>(NO_SCORE);
    let here = vec4<bool>(slot < end);
    low = select(none, low, visible(0u, slot, in_prefix) & here);
    high = select(none, high, visible(1u, slot, in_prefix) & here);
    for (var r = 0u; r < 4u; r++) {
        weight[r * KEYS + thread] = low[r];
        weight[(r + 4u) * KEYS + thread] = high[r];
    }
}

// A row's running softmax, of which each of its PARTS threads has the sum of its own part.
struct Running {
    largest: f32,
    total: f32,
}

// Scores to weights below the row's running maximum; what was summed up below the last one shrinks by `correction`.
fn normalise(thread: u32, before: Running) -> Running {
    let row = thread / PARTS;
    let part = thread % PARTS;
    var largest = NO_SCORE;
    for (var i = 0u; i < ROWS; i++) {
        largest = max(largest, weight[row * KEYS + part + i * PARTS]);
    }
    reduced[thread] = largest;
    workgroupBarrier();
    largest = before.largest;
    for (var i = 0u; i < PARTS; i++) {
        largest = max(largest, reduced[row * PARTS + i]);
    }
    let shrink = exp(before.largest - largest);
    var total = before.total * shrink;
    for (var i = 0u; i < ROWS; i++) {
        let at = row * KEYS + part + i * PARTS;
        let score = weight[at];
        let probability = select(0.0, exp(score - largest), score > NO_SCORE);
        weight[at] = probability;
        total += probability;
    }
    if (part == 0u) {
        correction[row] = shrink;
    }
    workgroupBarrier();
    return Running(largest, total);
}

fn four_of(at: u32, stride: u32) -> vec4<f32> {
    return vec4<f32>(weight[at], weight[at + stride], weight[at + 2u * stride], weight[at + 3u * stride]);
}

fn times(m: mat4x4<f32>, v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(m[0] * v.x, m[1] * v.y, m[2] * v.z, m[3] * v.w);
}

fn outer(value: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(value * w.x, value * w.y, value * w.z, value * w.w);
}

@compute @workgroup_size(KEYS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let kv_head = workgroup.y;
    let group = params.num_heads / params.num_kv_heads;
    let first_row = workgroup.x * ROWS;
    // (head_dim, two fours): a thread gathers one value of four rows.
    for (var i = thread; i < 8u * QUADS; i += KEYS) {
        var four = vec4<f32>();
        for (var c = 0u; c < 4u; c++) {
            let row = first_row + (i % 2u) * 4u + c;
            if (row / group < step.count) {
                let head = kv_head * group + row % group;
                let quad = query[(row / group * params.num_heads + head) * QUADS + i / 8u];
                four[c] = quad[i / 2u % 4u] * params.scale;
            }
        }
        scaled_query[i] = four;
    }
    var prefix_start = 0xffffffffu;
    var prefix_end = 0u;
    var segment_start = 0xffffffffu;
    var segment_end = 0u;
    for (var four = 0u; four < 2u; four++) {
        var row: RowFour;
        for (var c = 0u; c < 4u; c++) {
            let token = tokens[min((first_row + 4u * four + c) / group, step.count - 1u)];
            if (token.prefix > 0u) {
                prefix_start = min(prefix_start, token.first);
                prefix_end = max(prefix_end, token.first + token.prefix);
            }
            // A token of the prefix itself has an empty segment.
            if (token.segment <= token.slot) {
                segment_start = min(segment_start, token.segment);
                segment_end = max(segment_end, token.slot + 1u);
            }
            row.position[c] = token.position;
            row.prefix[c] = token.prefix;
            row.segment[c] = token.segment;
            row.slot[c] = token.slot;
            row.first[c] = token.first;
        }
        if (thread == four) {
            rows[four] = row;
        }
    }
    workgroupBarrier();

    let slice = thread / QUADS;
    let quad = thread % QUADS;
    let prefix_blocks = (max(prefix_end, prefix_start) - prefix_start + KEYS - 1u) / KEYS;
    let segment_blocks = (max(segment_end, segment_start) - segment_start + KEYS - 1u) / KEYS;
    var running = Running(NO_SCORE, 0.0);
    var low: mat4x4<f32>; // sums of rows 0 to 3
    var high: mat4x4<f32>;
    for (var block = 0u; block < prefix_blocks + segment_blocks; block++) {
        let in_prefix = block < prefix_blocks;
        let first = select(segment_start + (block - prefix_blocks) * KEYS, prefix_start + block * KEYS, in_prefix);
        let end = min(first + KEYS, select(segment_end, prefix_end, in_prefix));
        score(thread, kv_head, first, end, in_prefix);
        workgroupBarrier();
        running = normalise(thread, running);
        low = times(low, vec4<f32>(correction[0], correction[1], correction[2], correction[3]));
        high = times(high, vec4<f32>(correction[4], correction[5], correction[6], correction[7]));
        if (slice < SLICES) {
            let stride = params.num_kv_heads * QUADS;
            let at = ((params.slots + first) * params.num_kv_heads + kv_head) * QUADS + quad;
            for (var begin = slice; begin < end - first; begin += SLICES * VALUES) {
                var values: array<Half4, VALUES>;
                for (var i = 0u; i < VALUES; i++) {
                    values[i] = cache[at + min(begin + i * SLICES, end - first - 1u) * stride];
                }
                for (var i = 0u; i < VALUES; i++) {
                    let key = begin + i * SLICES;
                    if (key < end - first) {
                        let value = from_half4(values[i]);
                        low += outer(value, four_of(key, KEYS));
                        high += outer(value, four_of(4u * KEYS + key, KEYS));
                    }
                }
            }
        }
        workgroupBarrier();
    }

    reduced[thread] = running.total;
    for (var r = 0u; r < ROWS; r++) {
        var sum = low[r % 4u];
        if (r >= 4u) {
            sum = high[r % 4u];
        }
        slice_sums[thread] = sum;
        workgroupBarrier();
        let row = first_row + r;
        if (thread < QUADS && row / group < step.count) {
            for (var i = 1u; i < SLICES; i++) {
                sum += slice_sums[i * QUADS + thread];
            }
            var total = 0.0;
            for (var i = 0u; i < PARTS; i++) {
                total += reduced[r * PARTS + i];
            }
            output[(row / group * params.num_heads + kv_head * group + row % group) * QUADS + thread] = sum / total;
        }
        workgroupBarrier();
    }
}
