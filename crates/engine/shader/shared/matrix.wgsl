// A weight matrix (rows, columns) in tiles of 64 rows. Inside a tile, the words of four neighbouring
// rows are one vec4 and the 16 such vec4 of the same columns are neighbours, so that the threads of a
// workgroup, each with four rows, read neighbouring memory.
struct Matrix {
    // rows and columns of this part of the matrix
    rows: u32,
    columns: u32,
    // where this part's rows start in the whole matrix, and how many rows the whole has
    first_row: u32,
    all_rows: u32,
    has_bias: u32,
    // 1: add to what the output holds (the residual stream)
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> params: Matrix;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> scales: array<vec4<u32>>;

// Eight columns of four rows: row c is column c of both matrices, so that x * lo is four dot products.
struct Group {
    lo: mat4x4<f32>,
    hi: mat4x4<f32>,
}

// The same weights as bytes, before scale and minimum: four columns a word, of four rows.
struct Words {
    lo: vec4<u32>,
    hi: vec4<u32>,
}

// weight = byte * scale + minimum, of four rows.
struct Scales {
    scale: vec4<f32>,
    minimum: vec4<f32>,
}

fn scales_of(s: vec4<u32>) -> Scales {
    let low = vec4<f32>(unpack2x16float(s.x), unpack2x16float(s.y));
    let high = vec4<f32>(unpack2x16float(s.z), unpack2x16float(s.w));
    return Scales(vec4<f32>(low.xz, high.xz), vec4<f32>(low.yw, high.yw));
}
