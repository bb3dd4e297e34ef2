//! Each kernel against its twin: fresh inputs, poisoned outputs, shapes off the tiles, both tiers.

use std::collections::HashMap;

use half::f16;
use hangtag_weights::DType;

use super::harness::{Random, Run, assert_close, difference, gpu, gpu_test, values};
use super::packing::random_blocks;
use crate::kernel::attention::{self, Attention};
use crate::kernel::elementwise::{Elementwise, gather_rows};
use crate::kernel::embed::embed;
use crate::kernel::limits::{Chains, copy, multiply_add};
use crate::kernel::norm::{Norm, layer_norm, rms_norm};
use crate::kernel::product::{
    Matrix, Operands, Rotary, product, product_gelu, product_rotary, product_swiglu, turns,
};
use crate::kernel::sample::sample;
use crate::kernel::{self, Form, Inner, Kernel, Token, Variant};
use crate::matrix::{MatrixFormat, Packed, TILE_ROWS, pack};
use crate::tuning::{FLOAT_FORMS, INTEGER_FORMS};

use bytemuck::cast_slice as bytes;

const POISON: f32 = f32::NAN;

/// A file type of each format.
const FORMATS: [(DType, MatrixFormat); 5] = [
    (DType::Q4_0, MatrixFormat::Q4),
    (DType::Q4_1, MatrixFormat::Q4),
    (DType::Q8_0, MatrixFormat::Q8),
    (DType::F16, MatrixFormat::F16),
    (DType::F32, MatrixFormat::F32),
];

fn run<P>(
    kernel: &'static Kernel,
    params: P,
    count: usize,
    grid: (usize, usize),
) -> Run<'static, P> {
    let variant = Variant { format: MatrixFormat::F32, form: FLOAT_FORMS[0], quads: 16 };
    Run { kernel, variant, params, buffers: Vec::new(), count, constrained: false, grid }
}

#[test]
fn the_comparison_fails_on_a_corrupted_result() {
    let good = Random::new().floats(1000);
    assert_eq!(difference(&good, &good, 1e-6), None);
    let mut one_off = good.clone();
    one_off[500] += 0.5;
    assert!(difference(&one_off, &good, 1e-3).is_some());
    let mut unwritten = good.clone();
    unwritten[999] = POISON;
    assert!(difference(&unwritten, &good, 1e-3).is_some());
    let mut swapped = good.clone();
    swapped.swap(1, 2);
    assert!(difference(&swapped, &good, 1e-6).is_some());
    assert!(difference(&good[1..], &good, 1e-3).is_some());
}

gpu_test! {
    async fn rms_norm_equals_its_twin() {
        for baseline in [false, true] {
            let (gpu, mut random) = (gpu(baseline).await, Random::new());
            for (tokens, size) in [(1, 64), (7, 576), (3, 40), (2, 129)] {
                let params = Norm { size: size as u32, epsilon: 1e-5 };
                let (input, weight) = (random.floats(tokens * size), random.floats(size));
                let poison = vec![POISON; tokens * size];
                let run = Run {
                    buffers: vec![bytes(&input), bytes(&weight), bytes(&poison)],
                    ..run(&kernel::RMS_NORM, params, tokens, (tokens, 1))
                };
                let actual = values(&run.outputs(&gpu).await[0]);
                assert_close("rms_norm", &actual, &rms_norm(&params, &input, &weight), 1e-5);
            }
        }
    }
}

gpu_test! {
    async fn layer_norm_equals_its_twin() {
        for baseline in [false, true] {
            let (gpu, mut random) = (gpu(baseline).await, Random::new());
            for (tokens, size) in [(1, 64), (5, 2560), (3, 40), (2, 129)] {
                let params = Norm { size: size as u32, epsilon: 1e-5 };
                // Far from zero, where a one-pass variance would cancel.
                let input: Vec<f32> = random.floats(tokens * size).iter().map(|x| x + 50.0).collect();
                let (weight, bias) = (random.floats(size), random.floats(size));
                let poison = vec![POISON; tokens * size];
                let run = Run {
                    buffers: vec![bytes(&input), bytes(&weight), bytes(&bias), bytes(&poison)],
                    ..run(&kernel::LAYER_NORM, params, tokens, (tokens, 1))
                };
                let actual = values(&run.outputs(&gpu).await[0]);
                let expected = layer_norm(&params, &input, &weight, &bias);
                assert_close("layer_norm", &actual, &expected, 1e-4);
            }
        }
    }
}

/// A random matrix of a file type, as two parts if it has more than one tile.
fn random_parts(
    random: &mut Random,
    dtype: DType,
    rows: usize,
    columns: usize,
) -> Vec<(Matrix, Packed)> {
    let first_rows = if rows > TILE_ROWS { TILE_ROWS } else { rows };
    let parts = [(0, first_rows), (first_rows, rows - first_rows)];
    let parts = parts.into_iter().filter(|(_, rows)| *rows > 0);
    parts
        .map(|(first_row, part_rows)| {
            let file = random_blocks(random, dtype, part_rows * columns);
            let packed = pack(dtype, &file, part_rows, columns).expect("fits");
            let params = Matrix {
                rows: part_rows as u32,
                columns: columns as u32,
                first_row: first_row as u32,
                all_rows: rows as u32,
                has_bias: 0,
                accumulate: 0,
            };
            (params, packed)
        })
        .collect()
}

/// Every form that there is for a format.
fn forms(format: MatrixFormat) -> Vec<Form> {
    let integer = INTEGER_FORMS
        .into_iter()
        .filter(|form| form.inner == Inner::Integer && format.has_scales());
    FLOAT_FORMS.into_iter().chain(integer).collect()
}

/// A part of a random matrix with its bias and its input, bound as the products' first four bindings.
struct Case {
    what: String,
    variant: Variant,
    params: Matrix,
    packed: Packed,
    input: Vec<f32>,
    bias: Vec<f32>,
    tokens: usize,
}

impl Case {
    /// Every format and form, and shapes off the tiles of both; `row_multiple` is what the kernel asks of the rows.
    fn all(random: &mut Random, kernel: &Kernel, row_multiple: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for (dtype, format) in FORMATS {
            for form in forms(format) {
                for (tokens, rows, columns) in
                    [(1, 64, 32), (5, 70, 96), (70, 2, 64), (18, 130, 576)]
                {
                    let rows = usize::next_multiple_of(rows, row_multiple);
                    let what =
                        format!("{} {dtype:?} {form:?} {tokens}×{rows}×{columns}", kernel.name);
                    cases.extend(random_parts(random, dtype, rows, columns).into_iter().map(
                        |(params, packed)| Case {
                            what: what.clone(),
                            variant: Variant { format, form, quads: 1 },
                            params,
                            packed,
                            input: random.floats(tokens * columns),
                            bias: random.floats(rows),
                            tokens,
                        },
                    ));
                }
            }
        }
        cases
    }

    fn operands(&self) -> Operands<'_> {
        let integer = self.variant.form.inner == Inner::Integer;
        Operands { weights: &self.packed, input: &self.input, bias: &self.bias, integer }
    }

    fn run<'a>(&'a self, kernel: &'static Kernel, rest: &[&'a [u8]]) -> Run<'a, Matrix> {
        // A scale buffer must be bound even where it is not read.
        let scales: &[u32] =
            if self.packed.scales.is_empty() { &[0; 4] } else { &self.packed.scales };
        let first =
            [bytes(&self.packed.words), bytes(scales), bytes(&self.input), bytes(&self.bias)];
        let (x, y) = self.variant.form.grid(self.params.rows as usize, self.tokens);
        Run {
            kernel,
            variant: self.variant,
            params: self.params,
            buffers: [&first, rest].concat(),
            count: self.tokens,
            constrained: false,
            grid: (x as usize, y as usize),
        }
    }
}

type ProductTwin = fn(&Matrix, Operands<'_>, &mut [f32]);

/// `halving` is 2 if two rows make one value.
async fn check_product(
    kernel: &'static Kernel,
    twin: ProductTwin,
    halving: usize,
    accumulates: bool,
) {
    for baseline in [false, true] {
        let (gpu, mut random) = (gpu(baseline).await, Random::new());
        let mut pipelines = HashMap::new();
        for (flags, mut case) in Case::all(&mut random, kernel, halving).into_iter().enumerate() {
            case.params.has_bias = u32::from(flags % 2 == 0);
            case.params.accumulate = u32::from(accumulates && flags % 4 < 2);
            let first = random.floats(case.tokens * case.params.all_rows as usize / halving);
            let compile = || kernel.compile(&gpu, case.variant);
            let pipeline = pipelines.entry(case.variant).or_insert_with(compile);
            let run = case.run(kernel, &[bytes(&first)]);
            let actual = values(&run.outputs_of(pipeline, &gpu).await[0]);
            let mut expected = first.clone();
            twin(&case.params, case.operands(), &mut expected);
            assert_close(&case.what, &actual, &expected, 2e-5);
        }
    }
}

gpu_test! {
    async fn product_equals_its_twin() {
        check_product(&kernel::PRODUCT, product, 1, true).await;
    }
}

gpu_test! {
    async fn product_swiglu_equals_its_twin() {
        check_product(&kernel::PRODUCT_SWIGLU, product_swiglu, 2, false).await;
    }
}

gpu_test! {
    async fn product_gelu_equals_its_twin() {
        check_product(&kernel::PRODUCT_GELU, product_gelu, 1, false).await;
    }
}

gpu_test! {
    /// Rounded, an input is not what it was, but near; and what is no number stays none.
    async fn integer_products_round_and_keep_nan() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        let cases = Case::all(&mut random, &kernel::PRODUCT, 1).into_iter();
        let suits = |case: &Case| {
            case.variant.form.inner == Inner::Integer && case.tokens > 1 && case.params.rows as usize >= TILE_ROWS
        };
        let mut pipelines = HashMap::new();
        for mut case in cases.filter(suits) {
            let compile = || kernel::PRODUCT.compile(&gpu, case.variant);
            let pipeline = pipelines.entry(case.variant).or_insert_with(compile);
            let poison = vec![POISON; case.tokens * case.params.all_rows as usize];
            let mut exact = poison.clone();
            product(&case.params, Operands { integer: false, ..case.operands() }, &mut exact);
            let actual = values(&case.run(&kernel::PRODUCT, &[bytes(&poison)]).outputs_of(pipeline, &gpu).await[0]);
            let rows = case.params.first_row as usize..;
            let part = |all: &[f32]| all[rows.clone()][..case.params.rows as usize].to_vec();
            assert_close(&case.what, &part(&actual), &part(&exact), 2e-2);
            assert!(difference(&part(&actual), &part(&exact), 2e-5).is_some(), "{}", case.what);

            case.input[7] = f32::NAN;
            let run = case.run(&kernel::PRODUCT, &[bytes(&poison)]);
            let actual = values::<f32>(&run.outputs_of(pipeline, &gpu).await[0]);
            assert!(part(&actual).iter().all(|x| x.is_nan()), "{}", case.what);
            let second = &actual[case.params.all_rows as usize..];
            assert!(part(second).iter().all(|x| x.is_finite()), "{}", case.what);
        }
    }
}

gpu_test! {
    async fn embed_equals_its_twin() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        for (dtype, format) in FORMATS {
            let (rows, columns) = (150, 544);
            let ids = [0, 63, 64, 149, 65, 3, 3].map(|id: u32| id);
            let mut actual = vec![POISON; ids.len() * columns];
            let mut expected = actual.clone();
            for (params, packed) in random_parts(&mut random, dtype, rows, columns) {
                let scales = if packed.scales.is_empty() { &[0; 4][..] } else { &packed.scales };
                let buffers = vec![bytes(&packed.words), bytes(scales), bytes(&ids), bytes(&actual)];
                let grid = ((columns / 8).div_ceil(64), ids.len());
                let variant = Variant { format, form: FLOAT_FORMS[0], quads: 1 };
                let run = Run { variant, buffers, ..run(&kernel::EMBED, params, ids.len(), grid) };
                let after = values(&run.outputs(&gpu).await[0]);
                actual = after;
                embed(&params, &packed, &ids, &mut expected);
            }
            // Both parts were run, so no poison is left.
            assert_close(&format!("embed {dtype:?}"), &actual, &expected, 1e-6);
        }
    }
}

/// Tokens of a prefix and of rows behind it, in an order that no batch would have.
fn scattered_tokens(prefix: u32) -> Vec<Token> {
    let row = |segment: u32, i: u32| Token {
        position: prefix + i,
        prefix,
        segment,
        slot: segment + i,
        first: 0,
    };
    let alone = Token { position: 4, prefix: 0, segment: 0, slot: 4, first: 0 };
    // Of the prefix itself: its own segment is empty.
    let inside = Token { position: 6, prefix: 7, segment: 7, slot: 6, first: 0 };
    // Of another text, whose prefix stands elsewhere.
    let other = Token { position: 45, prefix: 40, segment: 290, slot: 295, first: 245 };
    vec![
        row(prefix, 0),
        row(prefix + 80, 70),
        alone,
        row(prefix + 9, 3),
        inside,
        other,
        row(prefix, 1),
    ]
}

gpu_test! {
    async fn product_rotary_equals_its_twin() {
        for baseline in [false, true] {
            let (gpu, mut random) = (gpu(baseline).await, Random::new());
            let shapes = [
                (64, 64, FLOAT_FORMS[0]),
                (80, 32, FLOAT_FORMS[1]),
                (16, 16, FLOAT_FORMS[3]),
                (80, 32, INTEGER_FORMS[3]),
                (64, 64, INTEGER_FORMS[5]),
            ];
            for (head_dim, rotary_dim, form) in shapes {
                let (num_heads, num_kv_heads, slots) = (6, 3, 300);
                let rotary = Rotary { num_heads, num_kv_heads, head_dim, rotary_dim, slots };
                let tokens = scattered_tokens(130);
                let table = turns(slots as usize, rotary_dim as usize, 10_000.0);
                let rows = ((num_heads + 2 * num_kv_heads) * head_dim) as usize;
                let mut query = vec![POISON; tokens.len() * (num_heads * head_dim) as usize];
                let mut cache = vec![f16::NAN; 2 * (slots * num_kv_heads * head_dim) as usize];
                let (mut twin_query, mut twin_cache) = (query.clone(), cache.clone());
                let (input, bias) = (random.floats(tokens.len() * 96), random.floats(rows));
                for (mut params, packed) in random_parts(&mut random, DType::Q4_0, rows, 96) {
                    params.has_bias = 1;
                    let (input, bias) = (input.clone(), bias.clone());
                    let variant = Variant { format: MatrixFormat::Q4, form, quads: 1 };
                    let what = format!("{rotary:?}");
                    let case = Case { what, variant, params, packed, input, bias, tokens: tokens.len() };
                    let cache_bits = half_bits(&cache);
                    let uniform = [rotary];
                    let rest = [
                        bytes(&tokens), bytes(&table), bytes(&query), bytes(&cache_bits), bytes(&uniform),
                    ];
                    let outputs = case.run(&kernel::PRODUCT_ROTARY, &rest).outputs(&gpu).await;
                    query = values(&outputs[0]);
                    cache = values::<u16>(&outputs[1]).into_iter().map(f16::from_bits).collect();
                    let both = (&params, &rotary);
                    product_rotary(both, case.operands(), &tokens, &table, &mut twin_query, &mut twin_cache);
                }
                // Both parts were run, so no poison is left in the queries.
                assert_close(&format!("queries {rotary:?}"), &query, &twin_query, 2e-5);
                check_cache(&format!("cache {rotary:?}"), &cache, &twin_cache);
            }
        }
    }
}

fn half_bits(halves: &[f16]) -> Vec<u16> {
    halves.iter().map(|h| h.to_bits()).collect()
}

/// Slots that no token has keep their poison; the others are the twin's to half a unit in the last place.
#[track_caller]
fn check_cache(what: &str, actual: &[f16], expected: &[f16]) {
    let (mut written, mut twin) = (Vec::new(), Vec::new());
    for (a, e) in actual.iter().zip(expected) {
        assert_eq!(a.is_nan(), e.is_nan(), "{what}: the wrong slots were written");
        if !e.is_nan() {
            written.push(a.to_f32());
            twin.push(e.to_f32());
        }
    }
    assert!(!twin.is_empty());
    assert_close(what, &written, &twin, 1e-3);
}

gpu_test! {
    async fn attention_equals_its_twin() {
        for baseline in [false, true] {
            let (gpu, mut random) = (gpu(baseline).await, Random::new());
            for (heads, kv_heads, head_dim, sliding_window, prefix) in
                [(9, 3, 64, 0, 130), (4, 4, 80, 0, 64), (4, 2, 16, 8, 63), (2, 1, 256, 65, 129), (2, 2, 128, 0, 0)]
            {
                let tokens = scattered_tokens(prefix);
                let slots = 300;
                let params = Attention {
                    num_heads: heads,
                    num_kv_heads: kv_heads,
                    head_dim,
                    sliding_window,
                    slots: slots as u32,
                    scale: 1.0 / (head_dim as f32).sqrt(),
                };
                let query: Vec<f32> =
                    random.floats(tokens.len() * (heads * head_dim) as usize).iter().map(|x| 4.0 * x).collect();
                let cache = random.floats(2 * slots * (kv_heads * head_dim) as usize);
                let cache: Vec<f16> = cache.into_iter().map(f16::from_f32).collect();
                let poison = vec![POISON; query.len()];
                let cache_bits = half_bits(&cache);
                let variant = Variant { format: MatrixFormat::F32, form: FLOAT_FORMS[0], quads: head_dim / 4 };
                let query_rows = tokens.len() * (heads / kv_heads) as usize;
                let run = Run {
                    variant,
                    buffers: vec![bytes(&tokens), bytes(&query), bytes(&cache_bits), bytes(&poison)],
                    ..run(
                        &kernel::ATTENTION, params, tokens.len(),
                        (query_rows.div_ceil(attention::ROWS), kv_heads as usize),
                    )
                };
                let actual = values(&run.outputs(&gpu).await[0]);
                let expected = attention::attention(&params, &tokens, &query, &cache);
                assert_close(&format!("attention {params:?}"), &actual, &expected, 2e-5);
            }
        }
    }
}

gpu_test! {
    async fn gather_rows_equals_its_twin() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        let (tokens, size) = (9, 72);
        let input = random.floats(tokens * size);
        let selected = [8u32, 0, 3, 3];
        let poison = vec![POISON; selected.len() * size];
        let params = Elementwise { size: size as u32 };
        let run = Run {
            buffers: vec![bytes(&input), bytes(&selected), bytes(&poison)],
            ..run(&kernel::GATHER_ROWS, params, selected.len(), (size.div_ceil(64), selected.len()))
        };
        let actual: Vec<f32> = values(&run.outputs(&gpu).await[0]);
        assert_eq!(actual, gather_rows(&params, &input, &selected));
    }
}

gpu_test! {
    async fn copy_equals_its_twin() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        let input = random.floats(4 * 300);
        let poison = vec![POISON; input.len()];
        let run = Run {
            buffers: vec![bytes(&input), bytes(&poison)],
            ..run(&kernel::COPY, Elementwise { size: 128 }, 0, (2, 3))
        };
        // The grid is larger than the buffers; their sentinels are copied onto each other.
        let actual: Vec<f32> = values(&run.outputs(&gpu).await[0]);
        assert_eq!(actual, copy(&input));
    }
}

gpu_test! {
    async fn multiply_add_equals_its_twin() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        let params = Chains { rounds: 17, factor: 0.9, summand: 0.25 };
        let start = random.floats(4 * 128);
        let run = Run { buffers: vec![bytes(&start)], ..run(&kernel::MULTIPLY_ADD, params, 0, (2, 1)) };
        let actual: Vec<f32> = values(&run.outputs(&gpu).await[0]);
        let mut expected = start.clone();
        multiply_add(&params, &mut expected);
        assert_close("multiply_add", &actual, &expected, 1e-5);
    }
}

gpu_test! {
    async fn sample_equals_its_twin() {
        let (gpu, mut random) = (gpu(false).await, Random::new());
        for (rows, size) in [(1, 49_152), (5, 320), (3, 100)] {
            let mut logits: Vec<f32> = random.floats(rows * size).iter().map(|x| 8.0 * x).collect();
            // Two equal best ones: the first counts.
            let (a, b) = (random.below(size), random.below(size));
            logits[a] = 9.0;
            logits[b] = 9.0;
            let params = Elementwise { size: size as u32 };
            let poison = vec![u32::MAX; 2 * rows];
            // About one token in four, and in each row one at least.
            let words = size.div_ceil(32);
            let mut mask: Vec<u32> = (0..rows * words).map(|_| random.bits() & random.bits()).collect();
            (0..rows).for_each(|row| mask[row * words] |= 4);
            for constrained in [false, true] {
                let run = Run {
                    buffers: vec![bytes(&logits), bytes(&mask), bytes(&poison)],
                    constrained,
                    ..run(&kernel::SAMPLE, params, rows, (rows, 1))
                };
                let actual: Vec<[u32; 2]> = values(&run.outputs(&gpu).await[0]);
                let expected = sample(&params, &logits, constrained.then_some(&mask));
                if !constrained {
                    assert_eq!(expected[0].0 as usize, a.min(b));
                }
                for ([id, bits], (twin_id, twin_probability)) in actual.into_iter().zip(expected) {
                    assert_eq!(id, twin_id);
                    assert_close("probability", &[f32::from_bits(bits)], &[twin_probability], 1e-4);
                }
            }
        }
    }
}
