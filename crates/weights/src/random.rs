//! Models of known shapes with random weights, for measurements: what speed and memory depend on is the shape alone.

use crate::adapter::Linear;
use crate::blocks::DType;
use crate::config::{Family, Mlp, ModelConfig, Norm, RopeStyle};
use crate::gguf::{Gguf, GgufError, GgufWriter, TensorInfo};
use crate::hf::metadata_of;
use crate::metadata::Metadata;
use crate::source::{ByteSource, SourceError, check_range};

/// Names of the known shapes.
pub const SHAPES: [&str; 5] =
    ["smollm2-135m", "tinyllama-1.1b", "phi-2", "mistral-7b", "llama-2-7b"];

/// A model's shape by its name.
pub fn shape(name: &str) -> Option<ModelConfig> {
    let llama = |vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads| ModelConfig {
        family: Family::Llama,
        vocab_size,
        hidden_size,
        intermediate_size,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: kv_heads,
        head_dim: hidden_size / heads,
        max_position_embeddings: 4096,
        norm: Norm::RmsNorm,
        norm_eps: 1e-5,
        parallel_block: false,
        rotary_dim: hidden_size / heads,
        rope_theta: 10_000.0,
        rope_style: RopeStyle::Interleaved,
        mlp: Mlp::SwiGlu,
        sliding_window: None,
        tie_word_embeddings: false,
    };
    Some(match name {
        "smollm2-135m" => {
            ModelConfig { tie_word_embeddings: true, ..llama(49_152, 576, 1536, 30, 9, 3) }
        }
        "tinyllama-1.1b" => llama(32_000, 2048, 5632, 22, 32, 4),
        "mistral-7b" => {
            ModelConfig { sliding_window: Some(4096), ..llama(32_000, 4096, 14_336, 32, 32, 8) }
        }
        "llama-2-7b" => llama(32_000, 4096, 11_008, 32, 32, 32),
        "phi-2" => ModelConfig {
            family: Family::Phi,
            max_position_embeddings: 2048,
            norm: Norm::LayerNorm,
            parallel_block: true,
            rotary_dim: 32,
            rope_style: RopeStyle::Halves,
            mlp: Mlp::GeluTanh,
            ..llama(51_200, 2560, 10_240, 32, 32, 32)
        },
        _ => return None,
    })
}

/// A GGUF file that exists nowhere: Q4_0 matrices with random numbers, norms of 1, biases of 0. Its bytes are made when
/// they are read, so that a model of any size costs no memory; the same bytes for the same model.
#[derive(Debug, Clone)]
pub struct RandomWeights {
    name: String,
    header: Vec<u8>,
    tensors: Vec<Stretch>,
    len: u64,
    /// What tensors are filled with, over and over: Q4_0 blocks, ones, zeros.
    patterns: [Vec<u8>; 3],
}

/// A tensor's bytes in the file.
#[derive(Debug, Clone)]
struct Stretch {
    start: u64,
    end: u64,
    pattern: usize,
}

/// A prime number of blocks, so that rows do not repeat each other.
const PERIOD: usize = 8191;

impl RandomWeights {
    /// A model of shape `config`; `name` is used in error messages.
    ///
    /// # Errors
    /// When a matrix has columns that are not whole blocks.
    pub fn new(name: &str, config: &ModelConfig) -> Result<Self, GgufError> {
        Self::with_tokenizer(name, config, &Metadata::new())
    }

    /// As [`RandomWeights::new`], with the tokenizer that `tokenizer` has among its pairs. It may have fewer tokens than the model.
    ///
    /// # Errors
    /// As [`RandomWeights::new`].
    pub fn with_tokenizer(
        name: &str,
        config: &ModelConfig,
        tokenizer: &Metadata,
    ) -> Result<Self, GgufError> {
        let mut metadata = metadata_of(config, name);
        for (key, value) in tokenizer.iter().filter(|(key, _)| key.starts_with("tokenizer.")) {
            metadata.insert(key, value.clone());
        }
        let mut writer = GgufWriter::new(metadata)?;
        for (name, shape) in tensors(config) {
            let dtype = if shape.len() == 1 { DType::F32 } else { DType::Q4_0 };
            writer.add_tensor(&name, dtype, &shape)?;
        }
        let header = writer.padded_header();
        let mut len = header.len() as u64;
        let mut stretch = |tensor: &TensorInfo| {
            let start = len;
            let end = start + tensor.num_bytes() as u64;
            len = end.next_multiple_of(32);
            let pattern = match (tensor.shape.len(), tensor.name.ends_with("bias")) {
                (1, true) => 2,
                (1, false) => 1,
                _ => 0,
            };
            Stretch { start, end, pattern }
        };
        let tensors = writer.tensors().iter().map(&mut stretch).collect();
        let ones = 1.0_f32.to_le_bytes().repeat(1024);
        let patterns = [random_blocks(config.hidden_size), ones, vec![0; 4096]];
        Ok(Self { name: name.to_owned(), header, tensors, len, patterns })
    }

    /// The model, opened.
    ///
    /// # Errors
    /// As [`RandomWeights::new`].
    pub async fn open(name: &str, config: &ModelConfig) -> Result<Gguf<Self>, GgufError> {
        Gguf::open(vec![Self::new(name, config)?]).await
    }

    /// Bytes from `offset` on; at least one, and not all.
    fn bytes(&self, offset: u64) -> &[u8] {
        if let Some(header) = self.header.get(offset as usize..).filter(|rest| !rest.is_empty()) {
            return header;
        }
        let at = self.tensors.partition_point(|tensor| tensor.end <= offset);
        let (pattern, start, end) = match self.tensors.get(at) {
            Some(tensor) if tensor.start <= offset => (tensor.pattern, tensor.start, tensor.end),
            // Padding.
            next => (2, offset, next.map_or(self.len, |tensor| tensor.start)),
        };
        let pattern = &self.patterns[pattern];
        let rest = &pattern[(offset - start) as usize % pattern.len()..];
        &rest[..rest.len().min((end - offset) as usize)]
    }
}

impl ByteSource for RandomWeights {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
        check_range(self, offset, length)?;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let next = self.bytes(offset + bytes.len() as u64);
            bytes.extend_from_slice(&next[..next.len().min(length - bytes.len())]);
        }
        Ok(bytes)
    }
}

/// Blocks whose weights keep activations of `columns` inputs near one.
fn random_blocks(columns: usize) -> Vec<u8> {
    let scale = half::f16::from_f32(0.2 / (columns.max(1) as f32).sqrt()).to_le_bytes();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // xorshift64* (Vigna 2016)
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
    };
    (0..PERIOD).flat_map(|_| [&scale[..], &next(), &next()].concat()).collect()
}

/// Every tensor of a model, by GGUF's names, with its shape.
fn tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let phi = config.family == Family::Phi;
    let (hidden, words) = (config.hidden_size, config.vocab_size);
    let mut tensors = Vec::new();
    let vectors = |tensors: &mut Vec<_>, name: String, size: usize, weight: bool| {
        if weight {
            tensors.push((format!("{name}.weight"), vec![size]));
        }
        if phi {
            tensors.push((format!("{name}.bias"), vec![size]));
        }
    };
    tensors.push(("token_embd.weight".to_owned(), vec![words, hidden]));
    for layer in 0..config.num_hidden_layers {
        vectors(&mut tensors, format!("blk.{layer}.attn_norm"), hidden, true);
        if !config.parallel_block {
            vectors(&mut tensors, format!("blk.{layer}.ffn_norm"), hidden, true);
        }
        let mut matrices: Vec<(&str, usize, usize)> = Vec::new();
        for linear in Linear::of_family(config.family) {
            let (rows, columns) = linear.shape(config);
            match (linear.gguf_part(config.family), matrices.last_mut()) {
                (Some(part), Some(last)) if last.0 == part => last.1 += rows,
                (Some(part), _) => matrices.push((part, rows, columns)),
                (None, _) => {}
            }
        }
        for (part, rows, columns) in matrices {
            let name = format!("blk.{layer}.{part}");
            tensors.push((format!("{name}.weight"), vec![rows, columns]));
            vectors(&mut tensors, name, rows, false);
        }
    }
    vectors(&mut tensors, "output_norm".to_owned(), hidden, true);
    if !config.tie_word_embeddings {
        tensors.push(("output.weight".to_owned(), vec![words, hidden]));
        vectors(&mut tensors, "output".to_owned(), words, false);
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_opens_as_itself() {
        for name in SHAPES {
            let config = shape(name).unwrap();
            let gguf = pollster::block_on(RandomWeights::open(name, &config)).unwrap();
            assert_eq!(ModelConfig::from_gguf(&gguf).unwrap(), config, "{name}");
        }
        assert_eq!(shape("gpt-2"), None);
    }

    #[test]
    fn a_tokenizer_comes_along_and_nothing_else() {
        let config = ModelConfig { num_hidden_layers: 1, ..shape("phi-2").unwrap() };
        let mut other = Metadata::new();
        other.insert("tokenizer.ggml.model", "gpt2");
        other.insert("general.name", "another");
        let weights = RandomWeights::with_tokenizer("phi-2", &config, &other).unwrap();
        let gguf = pollster::block_on(Gguf::open(vec![weights])).unwrap();
        assert_eq!(gguf.metadata().get_str("tokenizer.ggml.model"), Ok("gpt2"));
        assert_eq!(gguf.metadata().get_str("general.name"), Ok("phi-2"));
    }

    #[test]
    fn weights_are_random_and_the_same_in_every_reading() {
        let config = ModelConfig { num_hidden_layers: 1, ..shape("phi-2").unwrap() };
        let gguf = pollster::block_on(RandomWeights::open("phi-2", &config)).unwrap();
        let info = gguf.tensor("blk.0.ffn_up.weight").unwrap();
        let read = |rows| pollster::block_on(gguf.read_rows(info, rows)).unwrap();
        let rows = read(0..4);
        assert_eq!(rows[info.row_bytes()..], read(1..4));
        assert_ne!(rows[..info.row_bytes()], read(1..2));
        let values = crate::blocks::dequantize(DType::Q4_0, &rows).unwrap();
        let square: f32 = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
        assert!((0.5..2.0).contains(&(square * config.hidden_size as f32)), "{square}");
        let norm = pollster::block_on(gguf.read(gguf.tensor("output_norm.bias").unwrap())).unwrap();
        assert!(norm.iter().all(|byte| *byte == 0));
    }
}
