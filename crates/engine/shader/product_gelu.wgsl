// output = gelu(input · weightsᵀ + bias), tanh form (Hendrycks and Gimpel 2016).
@group(0) @binding(5) var<storage, read_write> output: array<f32>; // (tokens, all_rows)

fn store(token: u32, first: u32, values: vec4<f32>) {
    let x = biased(first, values);
    // tanh overflows to NaN on some GPUs for large arguments.
    let inner = clamp(0.7978845608 * (x + 0.044715 * x * x * x), vec4<f32>(-15.0), vec4<f32>(15.0));
    let y = 0.5 * x * (1.0 + tanh(inner));
    let at = token * params.all_rows + params.first_row + first;
    for (var c = 0u; c < min(4u, params.rows - first); c++) {
        output[at + c] = y[c];
    }
}
