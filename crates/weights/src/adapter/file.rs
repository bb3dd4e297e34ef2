//! `adapter_model.safetensors`: two tensors for each adapted matrix.

use super::{Adapter, AdapterConfig, AdapterError, Linear, Lora, WEIGHTS_FILE};
use crate::blocks;
use crate::config::ModelConfig;
use crate::row_order;
use crate::safetensors::{Element, SafeTensors, SafeTensorsError, SafeTensorsWriter};
use crate::source::ByteSource;
use crate::task_version;
use std::collections::BTreeMap;

/// Which of a matrix's two tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    A,
    B,
}

/// One tensor of an adapter's file.
struct Named {
    layer: usize,
    linear: Linear,
    part: Part,
}

impl Adapter {
    /// Reads an adapter for the model `model`, which error messages call `base`: both files of it, `config_json` as
    /// text. When `base` and the adapter's own record of its base are known and differ, the adapter is refused.
    ///
    /// # Errors
    /// When the adapter is not plain LoRA, is of another base, or is damaged or not whole; the error names the
    /// setting or the tensor.
    pub async fn read<S: ByteSource>(
        config_json: &str,
        weights: S,
        model: &ModelConfig,
        base: Option<&str>,
    ) -> Result<Self, AdapterError> {
        let config = AdapterConfig::from_json(config_json, model.family)?;
        if let Some(base) = base
            && !config.base.is_empty()
            && !is_same_base(&config.base, base)
        {
            return Err(AdapterError::OtherBase { adapter: config.base, base: base.to_owned() });
        }
        let file = SafeTensors::open(weights).await?;
        let wanted = wanted(&config, model);
        refuse_unexpected(&file, &wanted)?;
        let mut modules = BTreeMap::new();
        for (name, named) in &wanted {
            let shape = named.shape(&config, model);
            let found = &file.tensor(name)?.shape;
            if *found != shape {
                return Err(AdapterError::Shape {
                    tensor: name.clone(),
                    found: found.clone(),
                    expected: shape.to_vec(),
                    base: base.unwrap_or("at hand").to_owned(),
                    adapter: known(&config.base),
                });
            }
            let numbers = file.read(name, &shape).await?;
            refuse_not_finite(&file, name, &numbers)?;
            let lora = modules
                .entry((named.layer, named.linear))
                .or_insert(Lora { a: Vec::new(), b: Vec::new() });
            match (named.part, named.linear.permuted_heads(model)) {
                (Part::A, _) => lora.a = numbers,
                (Part::B, None) => lora.b = numbers,
                (Part::B, Some(_)) => {
                    lora.b = row_order::to_gguf(&numbers, model.head_dim, config.r);
                }
            }
        }
        Ok(Self { config, task_version: task_version::of_file(&file)?, modules })
    }

    /// The texts of both files: `adapter_config.json`, and the bytes of `adapter_model.safetensors` with the numbers
    /// stored as `element`.
    ///
    /// # Errors
    /// When a matrix is missing, too much, or of a size that `model` does not have, or `element` is no float or too
    /// small for a number.
    pub fn to_files(
        &self,
        model: &ModelConfig,
        element: Element,
    ) -> Result<(String, Vec<u8>), AdapterError> {
        let config_json = self.config.to_json(model.family)?;
        let wanted = wanted(&self.config, model);
        if let Some(((layer, linear), _)) = self.modules.iter().find(|((layer, linear), _)| {
            *layer >= model.num_hidden_layers || !self.config.targets.contains(linear)
        }) {
            return Err(AdapterError::UnexpectedTensor {
                file: WEIGHTS_FILE.to_owned(),
                tensor: format!("layer {layer}, {linear}"),
                problem: "it is none of the targets in the model's layers".to_owned(),
            });
        }
        let mut writer = SafeTensorsWriter::new();
        // Not among PEFT's settings: some of its versions refuse those that they do not know.
        task_version::add_to(&mut writer, self.task_version);
        for (name, named) in &wanted {
            writer.add_tensor(name, element, &named.shape(&self.config, model))?;
        }
        let mut bytes = Vec::new();
        writer.write(&mut bytes, &mut |name, out| {
            let numbers = self.numbers(name, &wanted, model)?;
            let dtype = element.dtype().ok_or_else(|| bad(name, "adapters are floats"))?;
            refuse_too_large(name, &numbers, element)?;
            let stored =
                blocks::quantize(dtype, &numbers).map_err(|error| bad(name, &error.to_string()))?;
            out.write_all(&stored).map_err(SafeTensorsError::Write)
        })?;
        Ok((config_json, bytes))
    }

    /// The numbers of one tensor in HF's order.
    fn numbers(
        &self,
        name: &str,
        wanted: &BTreeMap<String, Named>,
        model: &ModelConfig,
    ) -> Result<Vec<f32>, SafeTensorsError> {
        let missing = || bad(name, "the adapter has no such matrix");
        let named = wanted.get(name).ok_or_else(missing)?;
        let lora = self.modules.get(&(named.layer, named.linear)).ok_or_else(missing)?;
        let numbers = match named.part {
            Part::A => &lora.a,
            Part::B => &lora.b,
        };
        let [rows, columns] = named.shape(&self.config, model);
        if numbers.len() != rows * columns {
            let problem = format!("{} numbers, expected {rows} x {columns}", numbers.len());
            return Err(bad(name, &problem));
        }
        Ok(match (named.part, named.linear.permuted_heads(model)) {
            (Part::B, Some(_)) => row_order::to_hf(numbers, model.head_dim, columns),
            _ => numbers.clone(),
        })
    }
}

impl Named {
    /// (r, in) of A and (out, r) of B.
    fn shape(&self, config: &AdapterConfig, model: &ModelConfig) -> [usize; 2] {
        let (rows, columns) = self.linear.shape(model);
        match self.part {
            Part::A => [config.r, columns],
            Part::B => [rows, config.r],
        }
    }
}

/// The tensors that the file must have, by PEFT's names.
fn wanted(config: &AdapterConfig, model: &ModelConfig) -> BTreeMap<String, Named> {
    let mut wanted = BTreeMap::new();
    for layer in 0..model.num_hidden_layers {
        for &linear in &config.targets {
            let Some(path) = linear.hf_path(model.family, layer) else { continue };
            for (part, letter) in [(Part::A, 'A'), (Part::B, 'B')] {
                let name = format!("base_model.model.{path}.lora_{letter}.weight");
                wanted.insert(name, Named { layer, linear, part });
            }
        }
    }
    wanted
}

fn refuse_unexpected<S: ByteSource>(
    file: &SafeTensors<S>,
    wanted: &BTreeMap<String, Named>,
) -> Result<(), AdapterError> {
    match file.tensors().find(|(name, _)| !wanted.contains_key(*name)) {
        None => Ok(()),
        Some((name, _)) => Err(AdapterError::UnexpectedTensor {
            file: file.name().to_owned(),
            tensor: name.to_owned(),
            problem: "it is no part of a target module in a layer of the base; the adapter is of another base, or \
                      more than plain LoRA"
                .to_owned(),
        }),
    }
}

fn refuse_not_finite<S: ByteSource>(
    file: &SafeTensors<S>,
    name: &str,
    numbers: &[f32],
) -> Result<(), AdapterError> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(at) => Err(AdapterError::Weights(SafeTensorsError::BadTensor {
            file: file.name().to_owned(),
            tensor: name.to_owned(),
            problem: format!("number {at} is {}: the training diverged", numbers[at]),
        })),
    }
}

/// Numbers that are finite must stay so, or the adapter could not be read again.
fn refuse_too_large(
    tensor: &str,
    numbers: &[f32],
    element: Element,
) -> Result<(), SafeTensorsError> {
    let largest = if element == Element::F16 { half::f16::MAX.to_f32() } else { f32::MAX };
    match numbers.iter().find(|number| number.is_finite() && number.abs() > largest) {
        None => Ok(()),
        Some(number) => Err(bad(tensor, &format!("{number} is too large for F16: write F32"))),
    }
}

fn bad(tensor: &str, problem: &str) -> SafeTensorsError {
    SafeTensorsError::BadTensor {
        file: WEIGHTS_FILE.to_owned(),
        tensor: tensor.to_owned(),
        problem: problem.to_owned(),
    }
}

fn known(base: &str) -> String {
    if base.is_empty() { "an unnamed base".to_owned() } else { base.to_owned() }
}

/// Whether two names can mean the same base: their last parts are the same but for upper and lower case, since a
/// model in a local folder keeps the last part of its name.
fn is_same_base(a: &str, b: &str) -> bool {
    let last = |name: &str| {
        let name = name.trim_end_matches(['/', '\\']);
        name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase()
    };
    last(a) == last(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{llama, phi};
    use crate::source::MemorySource;

    fn adapter(model: &ModelConfig) -> Adapter {
        let targets = [Linear::Q, Linear::K, Linear::Down].into();
        let config = AdapterConfig {
            base: "org/Base".to_owned(),
            r: 2,
            lora_alpha: 4.0,
            lora_dropout: 0.0,
            use_rslora: false,
            targets,
        };
        let mut modules = BTreeMap::new();
        for layer in 0..model.num_hidden_layers {
            for &linear in &config.targets {
                let (rows, columns) = linear.shape(model);
                let numbers = |count: usize| (0..count).map(|i| (i + layer) as f32).collect();
                modules.insert(
                    (layer, linear),
                    Lora { a: numbers(2 * columns), b: numbers(2 * rows) },
                );
            }
        }
        Adapter { config, task_version: 2, modules }
    }

    fn read(
        files: &(String, Vec<u8>),
        model: &ModelConfig,
        base: Option<&str>,
    ) -> Result<Adapter, AdapterError> {
        let weights = MemorySource::new(WEIGHTS_FILE, files.1.clone());
        pollster::block_on(Adapter::read(&files.0, weights, model, base))
    }

    #[test]
    fn adapters_read_back_in_every_type() {
        for model in [llama(), phi()] {
            for element in [Element::F32, Element::F16, Element::BF16] {
                let files = adapter(&model).to_files(&model, element).unwrap();
                let back = read(&files, &model, Some("local/base/")).unwrap();
                assert_eq!(back, adapter(&model), "{element:?}");
            }
        }
        assert!(adapter(&llama()).to_files(&llama(), Element::I32).is_err());
    }

    #[test]
    fn only_the_rows_of_llamas_q_and_k_are_in_another_order() {
        let b_of = |model: &ModelConfig, module: &str| {
            let (_, bytes) = adapter(model).to_files(model, Element::F32).unwrap();
            let file = SafeTensors::open(MemorySource::new("m", bytes));
            let file = pollster::block_on(file).unwrap();
            let name = format!("base_model.model.model.layers.0.{module}.lora_B.weight");
            pollster::block_on(file.read_rows(&name, 0..4)).unwrap()
        };
        // HF's rows 0 and 1 of a head of 4 are GGUF's rows 0 and 2.
        assert_eq!(b_of(&llama(), "self_attn.q_proj"), [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
        let straight: Vec<f32> = (0..8).map(|i| i as f32).collect();
        assert_eq!(b_of(&llama(), "mlp.down_proj"), straight);
        assert_eq!(b_of(&phi(), "self_attn.q_proj"), straight);
    }

    #[test]
    fn an_adapter_of_another_base_is_refused_with_both_names() {
        let files = adapter(&llama()).to_files(&llama(), Element::F32).unwrap();
        let named = read(&files, &llama(), Some("org/Other")).unwrap_err().to_string();
        assert!(named.contains("org/Base") && named.contains("org/Other"), "{named}");
        let wider = ModelConfig { hidden_size: 8, ..llama() };
        let shaped = read(&files, &wider, Some("org/base")).unwrap_err().to_string();
        assert!(shaped.starts_with("tensor base_model.model.model.layers.0."), "{shaped}");
        assert!(shaped.contains("org/Base") && shaped.contains("org/base"), "{shaped}");
        let fewer = ModelConfig { num_hidden_layers: 1, ..llama() };
        let unexpected = read(&files, &fewer, None).unwrap_err().to_string();
        assert!(unexpected.contains("layers.1.") && unexpected.contains("another base"));
        let more = ModelConfig { num_hidden_layers: 3, ..llama() };
        let missing = read(&files, &more, None).unwrap_err().to_string();
        assert!(missing.contains("has no tensor base_model.model.model.layers.2."), "{missing}");
    }

    #[test]
    fn what_does_not_fit_or_is_not_finite_is_not_passed_on() {
        let mut broken = adapter(&phi());
        broken.modules.get_mut(&(1, Linear::K)).unwrap().b.pop();
        let error = broken.to_files(&phi(), Element::F32).unwrap_err().to_string();
        assert!(error.contains("layers.1.self_attn.k_proj.lora_B.weight: 15 numbers"), "{error}");
        broken.modules.remove(&(1, Linear::K));
        assert!(broken.to_files(&phi(), Element::F32).is_err());
        let mut more = adapter(&phi());
        let lora = more.modules[&(0, Linear::Q)].clone();
        more.modules.insert((2, Linear::Q), lora);
        assert!(more.to_files(&phi(), Element::F32).is_err());
        let mut large = adapter(&phi());
        large.modules.get_mut(&(0, Linear::Q)).unwrap().a[3] = -1e5;
        assert!(large.to_files(&phi(), Element::F32).is_ok());
        let error = large.to_files(&phi(), Element::F16).unwrap_err().to_string();
        assert!(error.contains("q_proj.lora_A.weight: -100000 is too large for F16"), "{error}");
        let mut diverged = adapter(&phi());
        diverged.modules.get_mut(&(0, Linear::Q)).unwrap().a[3] = f32::NAN;
        let files = diverged.to_files(&phi(), Element::F32).unwrap();
        let error = read(&files, &phi(), None).unwrap_err().to_string();
        assert!(error.contains("q_proj.lora_A.weight: number 3 is NaN"), "{error}");
    }
}
