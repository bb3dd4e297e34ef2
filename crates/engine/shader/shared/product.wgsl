// What the two forms of the product share: input, bias, output and how a result is stored.
@group(0) @binding(3) var<storage, read> input: array<vec4<f32>>; // (tokens, columns / 4)
@group(0) @binding(4) var<storage, read> bias: array<f32>; // (all_rows), or one unused value
@group(0) @binding(5) var<storage, read_write> output: array<f32>; // (tokens, all_rows)

// Four neighbouring rows' results of one token.
fn store(token: u32, first: u32, values: vec4<f32>) {
    for (var c = 0u; c < 4u; c++) {
        let row = first + c;
        if (row < params.rows) {
            let at = token * params.all_rows + params.first_row + row;
            var value = values[c];
            if (params.has_bias == 1u) {
                value += bias[params.first_row + row];
            }
            if (params.accumulate == 1u) {
                value += output[at];
            }
            output[at] = value;
        }
    }
}
