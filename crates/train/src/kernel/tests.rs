//! Every backward pass against finite differences, on the CPU; and, where there is a GPU, every CUDA kernel against its twin.

use candle_core::{DType, Device, Result, Tensor};
use hangtag_weights::blocks;

use super::*;
use crate::rng::Rng;

fn random(rng: &mut Rng, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let values: Vec<f32> = (0..shape.elem_count()).map(|_| 2.0 * rng.uniform() - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Sum of `y · weights`, in f64.
fn weighted(y: &Tensor, weights: &Tensor) -> f64 {
    let (y, weights) = (floats(y).unwrap(), floats(weights).unwrap());
    y.iter().zip(&weights).map(|(y, w)| f64::from(*y) * f64::from(*w)).sum()
}

/// Largest difference between `gradient` and central differences of `f` at `x`, over the largest difference quotient.
fn error_of(gradient: &Tensor, x: &Tensor, f: &dyn Fn(&Tensor) -> f64) -> f64 {
    let (values, gradient) = (floats(x).unwrap(), floats(gradient).unwrap());
    let step = 1e-2_f32;
    let (mut worst, mut largest) = (0.0_f64, 1e-3_f64);
    for at in 0..values.len() {
        let moved = |by: f32| {
            let mut values = values.clone();
            values[at] += by;
            f(&on_cpu(values, x.shape()).unwrap())
        };
        let quotient = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        largest = largest.max(quotient.abs());
        worst = worst.max((quotient - f64::from(gradient[at])).abs());
    }
    worst / largest
}

/// The bound: f32 rounding and the third derivative at a step of 0.01.
const BOUND: f64 = 2e-3;

fn norms() -> [NormParams; 2] {
    let mut rng = Rng::new(3);
    let weight = (random(&mut rng, 8) + 1.5).unwrap();
    let shift = random(&mut rng, 8);
    [
        NormParams { weight: weight.clone(), shift: None, eps: 1e-5, centre: false },
        NormParams { weight, shift: Some(shift), eps: 1e-5, centre: true },
    ]
}

#[test]
fn norms_have_the_gradient_of_their_finite_differences() {
    let mut rng = Rng::new(1);
    let (x, dy, residual) = (random(&mut rng, (3, 8)), random(&mut rng, (3, 8)), random(&mut rng, (3, 8)));
    for norm in norms() {
        let f = |x: &Tensor| weighted(&add_norm(x, Addends::default(), &norm).unwrap().1, &dy) + weighted(x, &residual);
        let dx = norm_backward(&x, &norm, &dy, Some(&residual)).unwrap();
        assert!(error_of(&dx, &x, &f) < BOUND);
        // The comparison can fail.
        assert!(error_of(&(dx * 1.02).unwrap(), &x, &f) > BOUND);
    }
}

#[test]
fn addends_are_added_before_the_norm() {
    let mut rng = Rng::new(2);
    let [x, first, second] = [(); 3].map(|()| random(&mut rng, (2, 8)));
    let bias = random(&mut rng, 8);
    for norm in norms() {
        let addends = Addends { first: Some(&first), second: Some(&second), bias: Some(&bias) };
        let (sum, y) = add_norm(&x, addends, &norm).unwrap();
        let expected = (((&x + &first).unwrap() + &second).unwrap().broadcast_add(&bias)).unwrap();
        assert!(distance(&sum, &expected) < 1e-6);
        assert!(distance(&y, &add_norm(&expected, Addends::default(), &norm).unwrap().1) < 1e-6);
    }
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_dtype(DType::F32).unwrap(), b.to_dtype(DType::F32).unwrap());
    let (a, b) = (floats(&a.to_device(&Device::Cpu).unwrap()).unwrap(), floats(&b.to_device(&Device::Cpu).unwrap()).unwrap());
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(&b).all(|value| value.is_finite()));
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = square(&mut a.iter().zip(&b).map(|(a, b)| f64::from(a - b)));
    difference / square(&mut b.iter().map(|b| f64::from(*b))).max(1e-12)
}

fn head_shape() -> HeadShape {
    HeadShape { batch: 2, length: 5, heads: 4, kv_heads: 2, dim: 6 }
}

fn rotation(rotary: usize, interleaved: bool) -> Rotation {
    let mut config = crate::bench::shape("smollm2-135m").unwrap();
    config.rotary_dim = rotary;
    config.rope_style = match interleaved {
        true => hangtag_weights::RopeStyle::Interleaved,
        false => hangtag_weights::RopeStyle::Halves,
    };
    Rotation::new(&config, 16, &Device::Cpu).unwrap()
}

#[test]
fn heads_have_the_gradient_of_their_finite_differences() {
    let (mut rng, s) = (Rng::new(4), head_shape());
    let qkv = random(&mut rng, (10, 48));
    let bias = random(&mut rng, 48);
    let positions = Tensor::new(&[0_u32, 1, 2, 3, 1, 0, 1, 5, 6, 7], &Device::Cpu).unwrap();
    let weights = [random(&mut rng, s.q_shape()), random(&mut rng, s.kv_shape()), random(&mut rng, s.kv_shape())];
    for (rotary, interleaved) in [(6, true), (6, false), (4, false), (4, true)] {
        let rotation = rotation(rotary, interleaved);
        let f = |qkv: &Tensor| {
            let heads = split_heads(qkv, Some(&bias), &rotation, &positions, s).unwrap();
            heads.iter().zip(&weights).map(|(y, w)| weighted(y, w)).sum()
        };
        let dqkv = split_heads_backward(weights.each_ref(), &rotation, &positions, s).unwrap();
        assert!(error_of(&dqkv, &qkv, &f) < BOUND, "{rotary} {interleaved}");
    }
    let merged = merge_heads(&weights[0]).unwrap();
    assert_eq!(floats(&merge_heads_backward(&merged, s).unwrap()).unwrap(), floats(&weights[0]).unwrap());
}

/// Two sequences of five tokens: a text of two with runs behind it, and a plain one with a window of three.
fn mask(window: u32) -> Mask {
    let spans: Vec<u32> = [[0, 2, 0], [0, 2, 0], [0, 2, 2], [0, 2, 2], [0, 2, 4], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]].concat();
    Mask {
        spans: Tensor::new(spans, &Device::Cpu).unwrap(),
        positions: Tensor::new(&[0_u32, 1, 2, 3, 2, 0, 1, 2, 3, 4], &Device::Cpu).unwrap(),
        window,
    }
}

#[test]
fn softmax_sees_the_text_and_its_own_run() {
    let scores = random(&mut Rng::new(5), (2, 2, 5, 5));
    let p = masked_softmax(&scores, &mask(3), 0.5).unwrap();
    let values = floats(&p).unwrap();
    let row = |batch: usize, i: usize| &values[((batch * 2) * 5 + i) * 5..][..5];
    let seen = |row: &[f32]| row.iter().map(|&p| u8::from(p > 0.0)).collect::<Vec<_>>();
    assert_eq!(seen(row(0, 1)), [1, 1, 0, 0, 0]);
    assert_eq!(seen(row(0, 3)), [0, 1, 1, 1, 0]);
    assert_eq!(seen(row(0, 4)), [1, 1, 0, 0, 1]);
    assert_eq!(seen(row(1, 4)), [0, 0, 1, 1, 1]);
    assert!((row(0, 3).iter().sum::<f32>() - 1.0).abs() < 1e-6);

    let dp = random(&mut Rng::new(6), (2, 2, 5, 5));
    let f = |scores: &Tensor| weighted(&masked_softmax(scores, &mask(3), 0.5).unwrap(), &dp);
    let ds = softmax_backward(&p, &dp, 0.5).unwrap();
    assert!(error_of(&ds, &scores, &f) < BOUND);
}

#[test]
fn activations_have_the_gradient_of_their_finite_differences() {
    let mut rng = Rng::new(7);
    let (x, dy, bias) = ((random(&mut rng, (3, 8)) * 3.0).unwrap(), random(&mut rng, (3, 4)), random(&mut rng, 8));
    let dx = swiglu_backward(&x, &dy).unwrap();
    assert!(error_of(&dx, &x, &|x| weighted(&swiglu(x).unwrap(), &dy)) < BOUND);
    let dy = random(&mut rng, (3, 8));
    let dx = gelu_backward(&x, Some(&bias), &dy).unwrap();
    assert!(error_of(&dx, &x, &|x| weighted(&gelu(x, Some(&bias)).unwrap(), &dy)) < BOUND);
}

#[test]
fn cross_entropy_has_the_gradient_of_its_finite_differences() {
    let mut rng = Rng::new(8);
    let (logits, bias) = ((random(&mut rng, (3, 7)) * 4.0).unwrap(), random(&mut rng, 7));
    let targets = Tensor::new(&[6_u32, 0, 3], &Device::Cpu).unwrap();
    let weights = Tensor::new(&[1.0_f32, 0.25, 2.0], &Device::Cpu).unwrap();
    let loss = |logits: &Tensor| cross_entropy(logits, Some(&bias), &targets, &weights).unwrap();
    let f = |logits: &Tensor| floats(&loss(logits).0).unwrap().iter().map(|&loss| f64::from(loss)).sum();
    assert!(error_of(&loss(&logits).1, &logits, &f) < BOUND);
}

#[test]
fn the_likeliest_word_is_the_first_of_equals() {
    let logits = Tensor::new(&[[1.0_f32, 5.0, 5.0], [7.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let (words, logs) = likeliest(&logits, None).unwrap();
    assert_eq!(words, [1, 0]);
    assert!((f64::from(logs[0]) - (1.0 / (2.0 + (-4.0_f64).exp())).ln()).abs() < 1e-6);
}

fn parts() -> Parts {
    Parts::new(6, &[0..2, 3..6], 2, &Device::Cpu).unwrap()
}

#[test]
fn factors_stand_in_the_blocks_of_their_parts() {
    let b = random(&mut Rng::new(9), 10);
    let matrix = block_diagonal(&b, &parts(), 2.0, DType::F32).unwrap();
    let rows: Vec<Vec<f32>> = matrix.to_vec2().unwrap();
    let values = floats(&b).unwrap();
    assert_eq!(rows[1], [2.0 * values[2], 2.0 * values[3], 0.0, 0.0]);
    assert_eq!(rows[2], [0.0; 4]);
    assert_eq!(rows[3], [0.0, 0.0, 2.0 * values[4], 2.0 * values[5]]);
    assert_eq!(floats(&diagonal_blocks(&matrix, &parts(), 0.5).unwrap()).unwrap(), values);
}

#[test]
fn dropout_keeps_the_mean_and_depends_on_the_seed_alone() {
    let ones = Tensor::ones(10_000, DType::F32, &Device::Cpu).unwrap();
    let dropped = floats(&dropout(&ones, 1, 0.25).unwrap()).unwrap();
    let zeros = dropped.iter().filter(|&&value| value == 0.0).count();
    assert!((2_350..2_650).contains(&zeros), "{zeros}");
    assert!(dropped.iter().all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
    assert_eq!(dropped, floats(&dropout(&ones, 1, 0.25).unwrap()).unwrap());
    assert_ne!(dropped, floats(&dropout(&ones, 2, 0.25).unwrap()).unwrap());
}

fn moments(rng: &mut Rng) -> Moments {
    Moments { parameters: random(rng, 6), first: random(rng, 6), second: random(rng, 6).abs().unwrap() }
}

const STEP: AdamwStep = AdamwStep {
    step: 3,
    rate: 0.1,
    high_rate: 0.4,
    high_rate_from: 4,
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-8,
    decay: 0.01,
    max_norm: 1.0,
};

#[test]
fn adamw_is_the_papers() {
    let mut rng = Rng::new(10);
    let (state, gradient) = (moments(&mut rng), (random(&mut rng, 6) * 8.0).unwrap());
    let one = |value: f32| Tensor::new(&[value], &Device::Cpu).unwrap();
    let squares = gradient.sqr().unwrap().sum_all().unwrap().reshape(1).unwrap();
    let after = adamw(&state, &gradient, &squares, &one(2.0), &STEP).unwrap();
    let get = |t: &Tensor, i: usize| f64::from(floats(t).unwrap()[i]);
    let norm = f64::from(floats(&squares).unwrap()[0]).sqrt() / 2.0;
    assert!(norm > 1.0);
    for i in 0..6 {
        let g = get(&gradient, i) / 2.0 / norm;
        let m = 0.9 * get(&state.first, i) + 0.1 * g;
        let v = 0.99 * get(&state.second, i) + 0.01 * g * g;
        let rate = if i < 4 { 0.1 } else { 0.4 };
        let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(3)), v / (1.0 - 0.99_f64.powi(3)));
        let p = get(&state.parameters, i) * (1.0 - rate * 0.01) - rate * m_hat / (v_hat.sqrt() + 1e-8);
        assert!((get(&after.parameters, i) - p).abs() < 1e-5, "{i}");
    }
    let broken = adamw(&state, &gradient, &one(f32::NAN), &one(2.0), &STEP).unwrap();
    assert_eq!(floats(&broken.parameters).unwrap(), floats(&state.parameters).unwrap());
}

#[test]
fn rounding_is_the_exports() {
    let mut rng = Rng::new(11);
    let (weight, delta) = (random(&mut rng, (2, 64)), (random(&mut rng, (2, 64)) * 0.1).unwrap());
    let sum = floats(&(&weight + &delta).unwrap()).unwrap();
    let exported = blocks::dequantize(blocks::DType::Q4_0, &blocks::quantize_q4_0_least_error(&sum)).unwrap();
    assert_eq!(floats(&fake_quantize_q4_0(&weight, &delta, DType::F32).unwrap()).unwrap(), exported);
}
