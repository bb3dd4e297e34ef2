// output = silu(gate) * up (Shazeer 2020), where even rows of the matrix are the gate's and odd ones are up's.
@group(0) @binding(5) var<storage, read_write> output: array<f32>; // (tokens, all_rows / 2)

fn silu(x: f32) -> f32 {
    return x / (1.0 + exp(-x));
}

fn store(token: u32, first: u32, values: vec4<f32>) {
    let sums = biased(first, values);
    let at = (token * params.all_rows + params.first_row + first) / 2u;
    output[at] = silu(sums.x) * sums.y;
    if (first + 2u < params.rows) {
        output[at + 1u] = silu(sums.z) * sums.w;
    }
}
