//! Every backward pass against finite differences, on the CPU; and, where there is a GPU, every CUDA kernel against its twin.

use candle_core::{DType, Device, Tensor};
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
    let (x, dy, residual) =
        (random(&mut rng, (3, 8)), random(&mut rng, (3, 8)), random(&mut rng, (3, 8)));
    for norm in norms() {
        let f = |x: &Tensor| {
            weighted(&add_norm(x, Addends::default(), &norm).unwrap().1, &dy)
                + weighted(x, &residual)
        };
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
    let (a, b) = (
        floats(&a.to_device(&Device::Cpu).unwrap()).unwrap(),
        floats(&b.to_device(&Device::Cpu).unwrap()).unwrap(),
    );
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
    let mut config = hangtag_weights::random::shape("smollm2-135m").unwrap();
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
    let weights = [
        random(&mut rng, s.q_shape()),
        random(&mut rng, s.kv_shape()),
        random(&mut rng, s.kv_shape()),
    ];
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
    assert_eq!(
        floats(&merge_heads_backward(&merged, s).unwrap()).unwrap(),
        floats(&weights[0]).unwrap()
    );
}

/// Two sequences of five tokens: a text of two with runs behind it, and a plain one with a window of three.
fn mask(window: u32) -> Mask {
    let spans: Vec<u32> = [
        [0, 2, 0],
        [0, 2, 0],
        [0, 2, 2],
        [0, 2, 2],
        [0, 2, 4],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 1, 0],
    ]
    .concat();
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
    let (x, dy, bias) =
        ((random(&mut rng, (3, 8)) * 3.0).unwrap(), random(&mut rng, (3, 4)), random(&mut rng, 8));
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
    let f = |logits: &Tensor| {
        floats(&loss(logits).0).unwrap().iter().map(|&loss| f64::from(loss)).sum()
    };
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
    Moments {
        parameters: random(rng, 6),
        first: random(rng, 6),
        second: random(rng, 6).abs().unwrap(),
    }
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
        let p =
            get(&state.parameters, i) * (1.0 - rate * 0.01) - rate * m_hat / (v_hat.sqrt() + 1e-8);
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
    let exported =
        blocks::dequantize(blocks::DType::Q4_0, &blocks::quantize_q4_0_least_error(&sum)).unwrap();
    assert_eq!(
        floats(&fake_quantize_q4_0(&weight, &delta, DType::F32).unwrap()).unwrap(),
        exported
    );
}

/// Every CUDA kernel against its twin, in f32 and bf16.
#[cfg(feature = "cuda")]
mod on_the_gpu {
    use super::*;

    /// Moves a tensor to the GPU; floats become `dtype`.
    fn there(tensor: &Tensor, dtype: DType, gpu: &Device) -> Tensor {
        let tensor = if tensor.dtype() == DType::F32 {
            tensor.to_dtype(dtype).unwrap()
        } else {
            tensor.clone()
        };
        tensor.to_device(gpu).unwrap()
    }

    /// The same tensor after a rounding to `dtype`, on the CPU as f32.
    fn rounded(tensor: &Tensor, dtype: DType) -> Tensor {
        tensor.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap()
    }

    struct Check {
        gpu: Device,
        dtype: DType,
    }

    impl Check {
        /// `run` gets inputs of the activations' type and must give the same on both devices.
        fn same(
            &self,
            name: &str,
            inputs: &[Tensor],
            run: &dyn Fn(&[Tensor], &Device) -> Vec<Tensor>,
        ) {
            let here: Vec<Tensor> = inputs.iter().map(|input| rounded(input, self.dtype)).collect();
            let away: Vec<Tensor> =
                inputs.iter().map(|input| there(input, self.dtype, &self.gpu)).collect();
            let bound = if self.dtype == DType::F32 { 1e-5 } else { 6e-3 };
            for (expected, found) in run(&here, &Device::Cpu).iter().zip(run(&away, &self.gpu)) {
                let error = distance(&found, expected);
                assert!(error < bound, "{name} in {:?}: {error}", self.dtype);
                let spoilt = found.affine(1.1, 0.1).unwrap();
                assert!(distance(&spoilt, expected) > bound, "{name}: the comparison cannot fail");
            }
        }
    }

    fn norm_on(norm: &NormParams, device: &Device) -> NormParams {
        NormParams {
            weight: norm.weight.to_device(device).unwrap(),
            shift: norm.shift.as_ref().map(|shift| shift.to_device(device).unwrap()),
            ..norm.clone()
        }
    }

    fn mask_on(device: &Device) -> Mask {
        let mask = long_mask();
        Mask {
            spans: mask.spans.to_device(device).unwrap(),
            positions: mask.positions.to_device(device).unwrap(),
            window: mask.window,
        }
    }

    /// Two sequences of 160: a text of 40, then runs of 10.
    fn long_mask() -> Mask {
        let (mut spans, mut positions) = (Vec::new(), Vec::new());
        for at in (0..160_u32).chain(0..160) {
            let own = if at < 40 { 0 } else { at / 10 * 10 };
            spans.extend([0, 40, own]);
            positions.push(if at < 40 { at } else { 40 + at % 10 });
        }
        Mask {
            spans: Tensor::new(spans, &Device::Cpu).unwrap(),
            positions: Tensor::new(positions, &Device::Cpu).unwrap(),
            window: u32::MAX,
        }
    }

    #[test]
    fn kernels_are_their_twins() {
        let gpu = Device::new_cuda(0).expect("this test needs an NVIDIA GPU");
        for dtype in [DType::F32, DType::BF16] {
            let check = Check { gpu: gpu.clone(), dtype };
            let mut rng = Rng::new(20);
            let mut draw = |rows: usize, columns: usize| random(&mut rng, (rows, columns));
            for norm in norms() {
                let inputs = [draw(70, 8), draw(70, 8), draw(70, 8)];
                check.same("add_norm", &inputs, &|x, device| {
                    let addends = Addends { first: Some(&x[1]), second: Some(&x[2]), bias: None };
                    let (sum, y) = add_norm(&x[0], addends, &norm_on(&norm, device)).unwrap();
                    vec![sum, y]
                });
                check.same("norm_backward", &inputs, &|x, device| {
                    vec![norm_backward(&x[0], &norm_on(&norm, device), &x[1], Some(&x[2])).unwrap()]
                });
            }
            check.same("swiglu", &[draw(9, 32), draw(9, 16)], &|x, _| {
                vec![swiglu(&x[0]).unwrap(), swiglu_backward(&x[0], &x[1]).unwrap()]
            });
            check.same("gelu", &[draw(9, 32), draw(9, 32)], &|x, _| {
                vec![gelu(&x[0], None).unwrap(), gelu_backward(&x[0], None, &x[1]).unwrap()]
            });
            let scores = [draw(2 * 3 * 160, 160), draw(2 * 3 * 160, 160)]
                .map(|t| t.reshape((2, 3, 160, 160)).unwrap());
            check.same("masked_softmax", &scores, &|x, device| {
                let p = masked_softmax(&x[0], &mask_on(device), 0.7).unwrap();
                let ds = softmax_backward(&p, &x[1], 0.7).unwrap();
                vec![p, ds]
            });
            check.same("heads", &[draw(10, 48)], &|x, device| heads_and_back(&x[0], device));
            check.same("cross_entropy", &[draw(7, 300)], &|x, device| {
                let targets = Tensor::new(&[6_u32, 0, 3, 299, 12, 13, 14], device).unwrap();
                let weights =
                    Tensor::new(&[1.0_f32, 0.25, 2.0, 1.0, 1.0, 1.0, 1.0], device).unwrap();
                let (loss, gradient) = cross_entropy(&x[0], None, &targets, &weights).unwrap();
                let (words, logs) = likeliest(&x[0], None).unwrap();
                let words: Vec<f32> = words.into_iter().map(|word| word as f32).collect();
                vec![loss, gradient, on_cpu(words, 7).unwrap(), on_cpu(logs, 7).unwrap()]
            });
            check.same("gather_rows", &[draw(6, 8)], &|x, device| {
                let rows = Tensor::new(&[5_u32, NOTHING, 0, 0], device).unwrap();
                vec![gather_rows(&x[0], &rows).unwrap()]
            });
            check.same("dropout", &[draw(50, 40)], &|x, _| vec![dropout(&x[0], 77, 0.3).unwrap()]);
            check.same("gemm_add", &[draw(40, 24), draw(40, 16), draw(24, 16)], &|x, _| {
                let sum = x[0].copy().unwrap();
                vec![gemm_add(sum, &x[1], Op::Plain, &x[2], Op::Transposed).unwrap()]
            });
        }
    }

    fn heads_and_back(qkv: &Tensor, device: &Device) -> Vec<Tensor> {
        let s = head_shape();
        let rotation = rotation_on(device);
        let positions = Tensor::new(&[0_u32, 1, 2, 3, 1, 0, 1, 5, 6, 7], device).unwrap();
        let [q, k, v] = split_heads(qkv, None, &rotation, &positions, s).unwrap();
        let back = split_heads_backward([&q, &k, &v], &rotation, &positions, s).unwrap();
        let merged = merge_heads(&q).unwrap();
        let again = merge_heads_backward(&merged, s).unwrap();
        vec![q, k, v, back, merged, again]
    }

    fn rotation_on(device: &Device) -> Rotation {
        let mut config = hangtag_weights::random::shape("phi-2").unwrap();
        config.rotary_dim = 4;
        Rotation::new(&config, 16, device).unwrap()
    }

    #[test]
    fn factors_optimiser_and_blocks_are_their_twins() {
        let gpu = Device::new_cuda(0).expect("this test needs an NVIDIA GPU");
        let check = Check { gpu: gpu.clone(), dtype: DType::F32 };
        let mut rng = Rng::new(21);
        check.same("lora", &[random(&mut rng, 10)], &|x, device| {
            let parts = Parts::new(6, &[0..2, 3..6], 2, device).unwrap();
            let matrix = block_diagonal(&x[0], &parts, 2.0, DType::F32).unwrap();
            let blocks = diagonal_blocks(&matrix, &parts, 0.5).unwrap();
            vec![matrix, blocks]
        });
        let state = moments(&mut rng);
        let inputs = [
            state.parameters,
            state.first,
            state.second,
            random(&mut rng, 6),
            Tensor::new(&[3.0_f32], &Device::Cpu).unwrap(),
        ];
        check.same("adamw", &inputs, &|x, device| {
            let state =
                Moments { parameters: x[0].clone(), first: x[1].clone(), second: x[2].clone() };
            let weight = Tensor::new(&[2.0_f32], device).unwrap();
            let after = adamw(&state, &x[3], &x[4], &weight, &STEP).unwrap();
            vec![after.parameters, after.first, after.second]
        });
        let (weight, delta) =
            (random(&mut rng, (64, 96)), (random(&mut rng, (64, 96)) * 0.1).unwrap());
        let expected = fake_quantize_q4_0(&weight, &delta, DType::F32).unwrap();
        let found = fake_quantize_q4_0(
            &there(&weight, DType::F32, &gpu),
            &there(&delta, DType::F32, &gpu),
            DType::F32,
        );
        // To the bit: the export must write what training saw.
        assert_eq!(
            floats(&found.unwrap().to_device(&Device::Cpu).unwrap()).unwrap(),
            floats(&expected).unwrap()
        );
        for dtype in [blocks::DType::Q4_0, blocks::DType::Q4_1, blocks::DType::Q8_0] {
            let bytes = blocks::quantize(dtype, &floats(&weight).unwrap()).unwrap();
            let count = bytes.len();
            let bytes = Tensor::from_vec(bytes, count, &Device::Cpu).unwrap();
            let expected = dequantize(&bytes, dtype, (64, 96), DType::F32).unwrap();
            let found =
                dequantize(&bytes.to_device(&gpu).unwrap(), dtype, (64, 96), DType::F32).unwrap();
            assert_eq!(
                floats(&found.to_device(&Device::Cpu).unwrap()).unwrap(),
                floats(&expected).unwrap()
            );
        }
    }
}
