//! Where the frozen base comes from: a GGUF file or a folder of Hugging Face transformers.

use std::ops::Range;

use hangtag_weights::hf::HfFolder;
use hangtag_weights::{ByteSource, Gguf, ModelConfig, blocks};

use crate::TrainError;

/// Tensors of a model by their GGUF names, read a few rows at a time.
pub trait Tensors {
    /// What the model is.
    fn config(&self) -> &ModelConfig;

    /// Type and row-major shape of a tensor; `None` if the model has none of this name.
    fn describe(&self, name: &str) -> Option<(blocks::DType, Vec<usize>)>;

    /// The bytes of some of a tensor's rows, in its type. A vector is one row.
    ///
    /// # Errors
    /// When they cannot be read.
    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<u8>, TrainError>;
}

/// A GGUF model as [`Tensors`].
#[derive(Debug)]
pub struct GgufTensors<S> {
    gguf: Gguf<S>,
    config: ModelConfig,
}

impl<S: ByteSource> GgufTensors<S> {
    /// Reads the model's description.
    ///
    /// # Errors
    /// When the family is not supported.
    pub fn new(gguf: Gguf<S>) -> Result<Self, TrainError> {
        let config = ModelConfig::from_gguf(&gguf)?;
        Ok(Self { gguf, config })
    }
}

impl<S: ByteSource> Tensors for GgufTensors<S> {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn describe(&self, name: &str) -> Option<(blocks::DType, Vec<usize>)> {
        let info = self.gguf.tensor(name).ok()?;
        Some((info.dtype, info.shape.clone()))
    }

    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<u8>, TrainError> {
        let info = self.gguf.tensor(name)?;
        Ok(pollster::block_on(self.gguf.read_rows(info, rows))?)
    }
}

/// Tensors come in f32, with the rows in GGUF's order, whatever the folder stores them as.
impl Tensors for HfFolder {
    fn config(&self) -> &ModelConfig {
        self.config()
    }

    fn describe(&self, name: &str) -> Option<(blocks::DType, Vec<usize>)> {
        let (_, shape) = self.tensors().into_iter().find(|(known, _)| known == name)?;
        Some((blocks::DType::F32, shape))
    }

    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<u8>, TrainError> {
        let numbers = self.read_rows(name, rows)?;
        Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;
    use hangtag_weights::FileSource;
    use hangtag_weights::export::{self, Format, Options, export};

    use super::*;
    use crate::base::{Base, BasePrecision};

    fn golden(name: &str) -> Vec<FileSource> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
        vec![FileSource::open(path.join(format!("{name}.gguf"))).unwrap()]
    }

    /// The golden model in the form of transformers, in `folder`.
    fn as_hf(name: &str, folder: &Path) -> HfFolder {
        let options = Options {
            format: Format::SafeTensors,
            shard_bytes: Some(50_000),
            name: name.to_owned(),
            base: name.to_owned(),
            adapter: None,
            licence: "MIT".to_owned(),
            task_version: 1,
            trained_on: None,
            card: None,
            confidence: None,
        };
        let base = export::Base::open_gguf(golden(name)).unwrap();
        let out = folder.join(name);
        export(&base, None, &out, &options, &mut |_| {}).unwrap();
        HfFolder::open(&out).unwrap()
    }

    #[test]
    fn a_folder_of_transformers_is_the_same_base() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["llama", "phi", "mistral"] {
            let gguf =
                GgufTensors::new(pollster::block_on(Gguf::open(golden(name))).unwrap()).unwrap();
            let hf = as_hf(name, folder.path());
            assert_eq!(Tensors::config(&hf), gguf.config());
            assert_eq!(hf.describe("blk.9.attn_norm.weight"), None);
            // The golden matrices are exact in the 16 bits of the folder.
            for (tensor, shape) in hf.tensors() {
                let floats = |tensors: &dyn Tensors| {
                    let (dtype, described) = tensors.describe(&tensor).unwrap();
                    assert_eq!(described, shape);
                    let rows = if shape.len() == 1 { 1 } else { shape[0] };
                    blocks::dequantize(dtype, &tensors.rows(&tensor, 0..rows).unwrap()).unwrap()
                };
                assert_eq!(floats(&hf), floats(&gguf), "{name}, {tensor}");
            }
            // No tensor is missing or of another shape.
            for precision in [BasePrecision::FourBit, BasePrecision::SixteenBit] {
                let base = Base::load(&hf, precision, None, &Device::Cpu).unwrap();
                assert_eq!(base.layers.len(), gguf.config().num_hidden_layers);
            }
        }
    }
}
