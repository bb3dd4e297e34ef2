//! Where the frozen base comes from: a GGUF file or a folder of Hugging Face transformers.

use hangtag_weights::hf::HfFolder;
use hangtag_weights::{ByteSource, Gguf, ModelConfig, blocks};

use crate::TrainError;

/// Tensors of a model by their GGUF names.
pub trait Tensors {
    /// What the model is.
    fn config(&self) -> &ModelConfig;

    /// Type and bytes of a tensor; `None` if the model has none of this name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn tensor(&self, name: &str) -> Result<Option<(blocks::DType, Vec<u8>)>, TrainError>;
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

    fn tensor(&self, name: &str) -> Result<Option<(blocks::DType, Vec<u8>)>, TrainError> {
        if !self.gguf.has_tensor(name) {
            return Ok(None);
        }
        let info = self.gguf.tensor(name)?;
        let bytes = pollster::block_on(self.gguf.read(info))?;
        Ok(Some((info.dtype, bytes)))
    }
}

/// Tensors come in f32, with the rows in GGUF's order, whatever the folder stores them as.
impl Tensors for HfFolder {
    fn config(&self) -> &ModelConfig {
        self.config()
    }

    fn tensor(&self, name: &str) -> Result<Option<(blocks::DType, Vec<u8>)>, TrainError> {
        let tensors = self.tensors();
        let Some((_, shape)) = tensors.iter().find(|(known, _)| known == name) else {
            return Ok(None);
        };
        // A vector is one row; asking for more of it does no harm.
        let numbers = self.read_rows(name, 0..shape[0])?;
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Ok(Some((blocks::DType::F32, bytes)))
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
            assert_eq!(hf.tensor("blk.9.attn_norm.weight").unwrap(), None);
            // The golden matrices are exact in the 16 bits of the folder.
            for (tensor, _) in hf.tensors() {
                let floats = |tensors: &dyn Tensors| {
                    let (dtype, bytes) = tensors.tensor(&tensor).unwrap().unwrap();
                    blocks::dequantize(dtype, &bytes).unwrap()
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
