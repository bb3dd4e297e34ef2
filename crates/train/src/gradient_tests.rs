//! Loss and gradients against those of PyTorch's automatic differentiation (`tests/goldens/record_gradients.py`).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors};
use hangtag_task::TaskVersion;
use hangtag_weights::Adapter;
use hangtag_weights::safetensors::Element;

use crate::base::Base;
use crate::example::{Example, Segment};
use crate::kernel::Rotation;
use crate::lora::Layout;
use crate::model::{Model, Rounding, StepOptions};
use crate::model_tests::{golden, relative};
use crate::pack::{LayoutKind, LossPer, Packed, fill, pieces};

const NAMES: [&str; 2] = ["llama", "phi"];
/// Products recorded for each model.
const NUM_PRODUCTS: usize = 2;
/// Tokens of a sequence: both products fit one.
const LENGTH: usize = 256;
/// Allowed length of a factor's error in units of the length of its gradient; both sides compute in f32.
const TOLERANCE: f64 = 1e-4;

/// Gradients by PEFT's names of the factors, row-major in HF's order.
type Gradients = BTreeMap<String, Vec<f32>>;

/// What PyTorch computed, and of what.
struct Recorded {
    base: Base,
    adapter: Adapter,
    examples: Vec<Example>,
    loss: f64,
    gradients: Gradients,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/goldens/{name}-adapter"))
}

impl Recorded {
    fn load(name: &str) -> Self {
        let base = golden(name);
        let tensors =
            safetensors::load(folder(name).join("gradients.safetensors"), &Device::Cpu).unwrap();
        let loss = f64::from(tensors["loss"].to_vec1::<f32>().unwrap()[0]);
        Self {
            adapter: Adapter::load(&folder(name), &base.config, None).unwrap(),
            examples: (0..NUM_PRODUCTS).map(|product| example(product, &tensors)).collect(),
            gradients: gradients(tensors),
            base,
            loss,
        }
    }

    /// Our mean loss of a token and its gradients.
    fn ours(&self, kind: LayoutKind, recompute: bool) -> (f64, Gradients) {
        let config = &self.base.config;
        let layout = Layout::new(&self.adapter.config, config, &Device::Cpu).unwrap();
        let rotation = Rotation::new(config, LENGTH, &Device::Cpu).unwrap();
        let parameters = layout.from_adapter(&self.adapter).unwrap();
        let parameters = Tensor::from_vec(parameters, layout.len(), &Device::Cpu).unwrap();
        let model =
            Model::new(&self.base, &layout, &rotation, &parameters, Rounding::Exact).unwrap();

        let of = |example| pieces(example, kind, 2, LENGTH, LossPer::Token);
        let all = self.examples.iter().flat_map(of).collect();
        let packed = Packed::new(&fill(all, LENGTH, kind == LayoutKind::Packed));
        let options = StepOptions { recompute, ..StepOptions::default() };
        let outcome = model.step(&model.on_device(&packed).unwrap(), &options).unwrap();

        let weight = packed.weight();
        let loss = f64::from(outcome.loss.to_vec1::<f32>().unwrap()[0] / weight);
        let gradient: Vec<f32> = outcome.gradient.to_vec1().unwrap();
        let mean: Vec<f32> = gradient.iter().map(|sum| sum / weight).collect();
        // A gradient has the form of the adapter that it is of, so that it is told in PEFT's terms the same way.
        let files = layout
            .to_adapter(&mean, TaskVersion::Once)
            .unwrap()
            .to_files(config, Element::F32)
            .unwrap();
        (loss, gradients(safetensors::load_buffer(&files.1, &Device::Cpu).unwrap()))
    }

    /// The largest relative error of a factor's gradient, and which factor's.
    fn error(&self, ours: &Gradients) -> (f64, String) {
        assert!(ours.keys().eq(self.gradients.keys()));
        let errors = self.gradients.iter().map(|(name, expected)| {
            assert_eq!(ours[name].len(), expected.len(), "{name}");
            (relative(&ours[name], expected), name.clone())
        });
        errors.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
    }
}

fn example(product: usize, tensors: &HashMap<String, Tensor>) -> Example {
    let tokens = |name: String| -> Option<Vec<u32>> {
        Some(tensors.get(&name)?.to_dtype(DType::U32).unwrap().to_vec1().unwrap())
    };
    let segment = |feature| {
        Some(Segment {
            feature,
            suffix: tokens(format!("suffix.{product}.{feature}"))?,
            answer: tokens(format!("answer.{product}.{feature}"))?,
        })
    };
    Example {
        product,
        window: 0..1,
        prefix: tokens(format!("prefix.{product}")).unwrap(),
        segments: (0..).map_while(segment).collect(),
    }
}

fn gradients(tensors: HashMap<String, Tensor>) -> Gradients {
    let factors = tensors.into_iter().filter(|(name, _)| name.contains(".lora_"));
    factors.map(|(name, tensor)| (name, tensor.flatten_all().unwrap().to_vec1().unwrap())).collect()
}

#[test]
fn gradients_are_pytorchs() {
    for name in NAMES {
        let recorded = Recorded::load(name);
        assert_eq!(recorded.examples.iter().map(|e| e.segments.len()).sum::<usize>(), 5);
        for kind in [LayoutKind::Packed, LayoutKind::Single] {
            for recompute in [false, true] {
                let (loss, ours) = recorded.ours(kind, recompute);
                let (error, factor) = recorded.error(&ours);
                let off = (loss / recorded.loss - 1.0).abs();
                assert!(off < 1e-5, "{name}, {kind:?}: {loss}, PyTorch has {}", recorded.loss);
                assert!(error < TOLERANCE, "{name}, {kind:?}: {factor} is off by {error}");
            }
        }
    }
}

#[test]
fn other_gradients_are_noticed() {
    for name in NAMES {
        let recorded = Recorded::load(name);
        // Features that see the answers before them.
        let (_, chained) = recorded.ours(LayoutKind::Chained, false);
        assert!(recorded.error(&chained).0 > 1e-2, "{name}");

        let (_, ours) = recorded.ours(LayoutKind::Packed, false);
        for factor in recorded.gradients.keys() {
            // A factor alone that is a thousandth too long, or whose rows are in another order.
            let mut longer = ours.clone();
            longer.get_mut(factor).unwrap().iter_mut().for_each(|number| *number *= 1.001);
            assert_eq!(recorded.error(&longer).1, *factor);
            assert!(recorded.error(&longer).0 > TOLERANCE, "{name}");
            let mut turned = ours.clone();
            turned.get_mut(factor).unwrap().rotate_left(recorded.adapter.config.r);
            assert!(recorded.error(&turned).0 > 1e-2, "{name}");
        }
    }
}
