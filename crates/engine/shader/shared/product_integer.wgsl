// input · weightsᵀ in integers: every 32 columns of the input become signed bytes with a scale, as in Q8_0, four of
// which a GPU multiplies with four weights and adds up at once. The threads of a slice first round its next BLOCKS
// blocks for all the tokens of the workgroup, so that each value is rounded once for all of the workgroup's rows.
const SLOTS: u32 = GROUPS * TOKENS * BLOCKS; // blocks of the input that a slice keeps
var<workgroup> rounded: array<vec4<u32>, SPLIT * SLOTS * 2u>; // in the order of weight_words
var<workgroup> rounded_scales: array<vec2<f32>, SPLIT * SLOTS>; // scale, and scale times the sum of the bytes

// To the nearest integer, -127 to 127, in the lowest byte: what is below a float's mantissa is rounded off.
fn signed_byte_words(values: vec4<f32>) -> u32 {
    let bits = bitcast<vec4<u32>>(values + 12582912.0) & vec4<u32>(0xffu);
    return bits.x | (bits.y << 8u) | (bits.z << 16u) | (bits.w << 24u);
}

fn round_block(slot: u32, token: u32, block: u32) {
    let row = token * (params.columns / 4u);
    var values: array<vec4<f32>, 8>;
    // As integers, since these order NaN above all numbers: it must not be lost.
    var magnitudes = vec4<u32>();
    for (var i = 0u; i < 4u; i++) {
        let at = group_columns(block * 4u + i);
        values[2u * i] = input[row + at.x];
        values[2u * i + 1u] = input[row + at.y];
        let low = bitcast<vec4<u32>>(values[2u * i]) & vec4<u32>(0x7fffffffu);
        let high = bitcast<vec4<u32>>(values[2u * i + 1u]) & vec4<u32>(0x7fffffffu);
        magnitudes = max(magnitudes, max(low, high));
    }
    let pairs = max(magnitudes.xy, magnitudes.zw);
    let largest = bitcast<f32>(max(pairs.x, pairs.y));
    var inverse = 0.0;
    if (largest > 1e-30) {
        inverse = 127.0 / largest;
    }
    var sum = 0;
    for (var half = 0u; half < 2u; half++) {
        var words: vec4<u32>;
        for (var i = 0u; i < 4u; i++) {
            words[i] = signed_byte_words(values[half * 4u + i] * inverse);
            sum += dot4I8Packed(words[i], 0x01010101u);
        }
        rounded[slot * 2u + half] = words;
    }
    let scale = largest / 127.0;
    rounded_scales[slot] = vec2<f32>(scale, scale * f32(sum));
}

fn dots(w: vec4<u32>, x: u32) -> vec4<i32> {
    return vec4<i32>(dot4I8Packed(w.x, x), dot4I8Packed(w.y, x), dot4I8Packed(w.z, x), dot4I8Packed(w.w, x));
}

@compute @workgroup_size(LANES, SPLIT, GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let four = workgroup.x * LANES + local.x;
    let tile = four / 16u;
    let lane = four % 16u;
    let first_token = workgroup.y * GROUPS * TOKENS;
    let token = first_token + local.z * TOKENS;
    let blocks = params.columns / 32u;
    var sums: array<vec4<f32>, TOKENS>;
    for (var round = 0u; round < blocks; round += SPLIT * BLOCKS) {
        let first = round + local.y * BLOCKS;
        workgroupBarrier();
        for (var job = local.z * LANES + local.x; job < SLOTS; job += LANES * GROUPS) {
            let block = first + job % BLOCKS;
            if (block < blocks && first_token + job / BLOCKS < step.count) {
                round_block(local.y * SLOTS + job, first_token + job / BLOCKS, block);
            }
        }
        workgroupBarrier();
        // No `continue` where there is no token: all threads must meet at the barriers.
        let end = select(first, min(first + BLOCKS, blocks), token < step.count);
        for (var block = first; block < end; block++) {
            let slot = local.y * SLOTS + local.z * TOKENS * BLOCKS + block - first;
            // Said, not left to the rule that variables begin as zero: Chrome on SwiftShader keeps the last round's.
            var block_sums = array<vec4<i32>, TOKENS>();
            for (var half = 0u; half < 2u; half++) {
                let a = weight_words(tile, block * 4u + half * 2u, lane);
                let b = weight_words(tile, block * 4u + half * 2u + 1u, lane);
                for (var t = 0u; t < TOKENS; t++) {
                    let x = rounded[(slot + t * BLOCKS) * 2u + half];
                    block_sums[t] += dots(a.lo, x.x) + dots(a.hi, x.y) + dots(b.lo, x.z) + dots(b.hi, x.w);
                }
            }
            let weight = weight_scales(tile, block, lane);
            for (var t = 0u; t < TOKENS; t++) {
                let x = rounded_scales[slot + t * BLOCKS];
                sums[t] += x.x * weight.scale * vec4<f32>(block_sums[t]) + x.y * weight.minimum;
            }
        }
    }
    finish(&sums, token, four, local);
}
