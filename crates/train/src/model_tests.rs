//! The whole decoder: gradients against finite differences, and layouts and recomputation against each other.

use candle_core::{Device, Tensor};
use hangtag_task::TaskVersion;
use hangtag_weights::adapter::{AdapterConfig, Linear};
use hangtag_weights::{FileSource, Gguf};

use crate::base::{Base, BasePrecision};
use crate::example::{Example, Segment};
use crate::kernel::Rotation;
use crate::lora::Layout;
use crate::model::{Model, Rounding, StepOptions};
use crate::pack::{LayoutKind, LossPer, Packed, fill, pieces};
use crate::rng::Rng;
use crate::tensors::GgufTensors;

/// A tiny model of the goldens.
pub(crate) fn golden(name: &str) -> Base {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../tests/goldens/{name}.gguf"));
    let gguf = pollster::block_on(Gguf::open(vec![FileSource::open(path).unwrap()])).unwrap();
    let tensors = GgufTensors::new(gguf).unwrap();
    Base::load(&tensors, BasePrecision::SixteenBit, None, &Device::Cpu).unwrap()
}

struct Setup {
    base: Base,
    layout: Layout,
    rotation: Rotation,
    parameters: Vec<f32>,
}

impl Setup {
    fn new(name: &str, targets: &[Linear]) -> Self {
        let base = golden(name);
        let config = AdapterConfig {
            base: name.to_owned(),
            r: 3,
            lora_alpha: 6.0,
            lora_dropout: 0.0,
            use_rslora: false,
            targets: targets
                .iter()
                .copied()
                .filter(|l| Linear::of_family(base.config.family).any(|known| known == *l))
                .collect(),
        };
        let layout = Layout::new(&config, &base.config, &Device::Cpu).unwrap();
        let rotation = Rotation::new(&base.config, 64, &Device::Cpu).unwrap();
        let mut rng = Rng::new(5);
        let mut parameters = layout.init(&mut rng);
        // B must not be zero, or A has no gradient.
        parameters[layout.a_len..].iter_mut().for_each(|b| *b = 0.2 * rng.uniform() - 0.1);
        Self { base, layout, rotation, parameters }
    }

    /// Loss and gradient with these parameters.
    fn outcome(
        &self,
        parameters: &[f32],
        packed: &Packed,
        options: &StepOptions,
        rounding: Rounding,
    ) -> (f64, Vec<f32>) {
        let parameters = Tensor::from_slice(parameters, parameters.len(), &Device::Cpu).unwrap();
        let model =
            Model::new(&self.base, &self.layout, &self.rotation, &parameters, rounding).unwrap();
        let outcome = model.step(&model.on_device(packed).unwrap(), options).unwrap();
        (f64::from(outcome.loss.to_vec1::<f32>().unwrap()[0]), outcome.gradient.to_vec1().unwrap())
    }

    fn exact(&self, packed: &Packed) -> (f64, Vec<f32>) {
        self.outcome(&self.parameters, packed, &StepOptions::default(), Rounding::Exact)
    }
}

fn example() -> Example {
    let segment = |feature, suffix: &[u32], answer: &[u32]| Segment {
        feature,
        suffix: suffix.to_vec(),
        answer: answer.to_vec(),
    };
    Example {
        product: 0,
        window: 0..1,
        prefix: vec![40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50],
        segments: vec![
            segment(0, &[60, 61], &[70, 71, 10]),
            segment(1, &[62, 63, 64], &[72, 10]),
            segment(2, &[65], &[73, 74, 75, 10]),
        ],
    }
}

fn packed(kind: LayoutKind) -> Packed {
    let example = example();
    let pieces = pieces(&example, kind, 2, 64, LossPer::Token);
    Packed::new(&fill(pieces, 64, kind == LayoutKind::Packed))
}

/// Length of the difference in units of the length of `b`.
pub(crate) fn relative(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let length = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
    };
    length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied())
}

const NAMES: [&str; 3] = ["llama", "phi", "mistral"];

#[test]
fn gradients_are_those_of_finite_differences() {
    for name in NAMES {
        let setup = Setup::new(name, &Linear::ALL);
        let packed = packed(LayoutKind::Packed);
        let (_, gradient) = setup.exact(&packed);
        // Along random directions: every parameter takes part in each.
        let mut rng = Rng::new(6);
        for _ in 0..4 {
            let direction: Vec<f32> = gradient.iter().map(|_| 2.0 * rng.uniform() - 1.0).collect();
            let moved = |by: f32| -> f64 {
                let parameters: Vec<f32> =
                    setup.parameters.iter().zip(&direction).map(|(p, d)| p + by * d).collect();
                setup.outcome(&parameters, &packed, &StepOptions::default(), Rounding::Exact).0
            };
            let step = 2e-4_f32;
            let quotient = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            let along: f64 =
                gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            let size: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            assert!(
                (quotient - along).abs() < 0.02 * size,
                "{name}: {quotient} and {along}, gradient of {size}"
            );
            assert!(size > 0.1, "{name}");
        }
    }
}

#[test]
fn packed_and_single_sequences_have_one_gradient() {
    for name in NAMES {
        let setup = Setup::new(name, &Linear::ALL);
        let (together, packed_gradient) = setup.exact(&packed(LayoutKind::Packed));
        let (apart, single_gradient) = setup.exact(&packed(LayoutKind::Single));
        assert!((together - apart).abs() < 1e-4 * apart, "{name}: {together} and {apart}");
        assert!(relative(&packed_gradient, &single_gradient) < 1e-4, "{name}");
        // Features after each other see more than their own text: the comparison can fail.
        let (chained, gradient) = setup.exact(&packed(LayoutKind::Chained));
        assert!((chained - apart).abs() > 1e-3 * apart);
        assert!(relative(&gradient, &single_gradient) > 1e-2);
    }
}

#[test]
fn recomputed_blocks_give_the_same_bits() {
    for name in NAMES {
        let setup = Setup::new(name, &[Linear::Q, Linear::V, Linear::Down]);
        let packed = packed(LayoutKind::Packed);
        let options = StepOptions { dropout: 0.2, seed: 9, recompute: false };
        let kept = setup.outcome(&setup.parameters, &packed, &options, Rounding::Exact);
        let recomputed = setup.outcome(
            &setup.parameters,
            &packed,
            &StepOptions { recompute: true, ..options },
            Rounding::Exact,
        );
        assert_eq!(kept, recomputed, "{name}");
        let other = setup.outcome(
            &setup.parameters,
            &packed,
            &StepOptions { seed: 10, ..options },
            Rounding::Exact,
        );
        assert_ne!(kept, other);
    }
}

#[test]
fn an_adapter_survives_the_way_to_peft_and_back() {
    for name in NAMES {
        let setup = Setup::new(name, &Linear::ALL);
        let adapter = setup.layout.to_adapter(&setup.parameters, TaskVersion::Twice).unwrap();
        assert_eq!(setup.layout.from_adapter(&adapter).unwrap(), setup.parameters);
        let folder = tempfile::tempdir().unwrap();
        adapter
            .save(folder.path(), &setup.base.config, hangtag_weights::safetensors::Element::F32)
            .unwrap();
        let read =
            hangtag_weights::Adapter::load(folder.path(), &setup.base.config, Some(name)).unwrap();
        assert_eq!(setup.layout.from_adapter(&read).unwrap(), setup.parameters);
    }
}

#[test]
fn senseless_adapters_are_refused() {
    let base = golden("phi");
    let config = |change: &dyn Fn(&mut AdapterConfig)| {
        let mut config = AdapterConfig {
            base: String::new(),
            r: 4,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            use_rslora: false,
            targets: [Linear::Q].into(),
        };
        change(&mut config);
        Layout::new(&config, &base.config, &Device::Cpu)
            .map(|layout| layout.len())
            .map_err(|error| error.to_string())
    };
    assert!(config(&|_| ()).is_ok());
    assert!(config(&|c| c.r = 0).unwrap_err().contains("lora.rank: 0 is no rank"));
    assert!(config(&|c| c.lora_alpha = f32::NAN).unwrap_err().contains("lora.alpha"));
    assert!(config(&|c| c.lora_dropout = 1.0).unwrap_err().contains("lora.dropout"));
    assert!(config(&|c| c.targets = [Linear::Gate].into()).unwrap_err().contains("lora.targets"));
    assert!(config(&|c| c.targets.clear()).unwrap_err().contains("lora.targets"));
}
