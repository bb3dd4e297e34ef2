// output = input · weightsᵀ + bias, or added to what the output holds: the residual stream.
@group(0) @binding(5) var<storage, read_write> output: array<f32>; // (tokens, all_rows)

fn store(token: u32, first: u32, values: vec4<f32>) {
    let sums = biased(first, values);
    let at = token * params.all_rows + params.first_row + first;
    for (var c = 0u; c < min(4u, params.rows - first); c++) {
        if (params.accumulate == 1u) {
            output[at + c] += sums[c];
        } else {
            output[at + c] = sums[c];
        }
    }
}
