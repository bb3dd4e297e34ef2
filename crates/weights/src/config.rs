//! A model's architecture, as its GGUF metadata describes it.

use crate::gguf::Gguf;
use crate::metadata::{Metadata, MetadataError, Value};
use crate::source::ByteSource;

const MAX_HEAD_DIM: usize = 256;
/// Larger than any model that fits a GPU; keeps products of two sizes far from overflow.
const MAX_SIZE: usize = 1 << 24;

/// Family of models; both are descriptions of one decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama, Mistral, TinyLlama, SmolLM2: GGUF architecture `llama`.
    Llama,
    /// Phi-1, Phi-1.5, Phi-2: GGUF architecture `phi2`.
    Phi,
}

/// How hidden states are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Root mean square, with a weight.
    RmsNorm,
    /// Mean and variance, with weight and bias.
    LayerNorm,
}

/// Which elements of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeStyle {
    /// Elements 2i and 2i + 1: GGUF's order for llama, whose query and key rows are permuted from HF's.
    Interleaved,
    /// Elements i and i + rotary_dim / 2.
    Halves,
}

/// The feed-forward part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mlp {
    /// down(silu(gate(x)) · up(x)).
    SwiGlu,
    /// down(gelu_tanh(up(x))), with biases.
    GeluTanh,
}

/// The architecture of a model; fields are named as in HF's config.json.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // HF's names say it
pub struct ModelConfig {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    /// Size of one attention head.
    pub head_dim: usize,
    /// Longest context in tokens that the model was trained for.
    pub max_position_embeddings: usize,
    pub norm: Norm,
    pub norm_eps: f32,
    /// Attention and MLP both read the same normalised input and are added together.
    pub parallel_block: bool,
    /// Number of leading elements of a head that are rotated; even.
    pub rotary_dim: usize,
    pub rope_theta: f32,
    pub rope_style: RopeStyle,
    pub mlp: Mlp,
    /// Number of latest positions that a token attends to; `None` for all.
    pub sliding_window: Option<usize>,
    /// The output matrix is the embedding matrix.
    pub tie_word_embeddings: bool,
}

/// Why a model's architecture is not one that Hangtag runs.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A metadata value is missing or of the wrong type.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The architecture is another.
    #[error("model family \"{family}\" is not supported; use a GGUF of the llama or phi2 family")]
    UnsupportedFamily {
        /// `general.architecture` of the file.
        family: String,
    },
    /// The model has a feature that is not supported.
    #[error("the model uses {feature}, which is not supported")]
    Unsupported {
        /// The feature and where it was seen.
        feature: String,
    },
    /// The values contradict each other or are implausible.
    #[error("the model's description makes no sense: {problem}")]
    Implausible {
        /// Which value, and what was expected.
        problem: String,
    },
}

impl ModelConfig {
    /// Reads the architecture of a llama or phi2 model and checks that it is plausible.
    /// That every tensor has the shape it implies is for the engine to check.
    ///
    /// # Errors
    /// When the family, a RoPE scaling or mixture of experts is not supported (the error names it), a value is
    /// missing, or values contradict each other.
    pub fn from_gguf<S: ByteSource>(gguf: &Gguf<S>) -> Result<Self, ConfigError> {
        let metadata = gguf.metadata();
        let family = match metadata.get_str("general.architecture")? {
            "llama" => Family::Llama,
            "phi2" => Family::Phi,
            other => {
                return Err(ConfigError::UnsupportedFamily { family: other.to_owned() });
            }
        };
        let keys =
            Keys { metadata, family: if family == Family::Llama { "llama" } else { "phi2" } };
        refuse_unsupported(gguf, &keys)?;
        let config = read(gguf, &keys, family)?;
        config.check()?;
        let num_tensors = gguf.tensors().count();
        if config.num_hidden_layers > num_tensors {
            return Err(ConfigError::Implausible {
                problem: format!(
                    "{} layers in a file of {num_tensors} tensors",
                    config.num_hidden_layers
                ),
            });
        }
        Ok(config)
    }

    /// Checks that the values do not contradict each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let implausible = |problem: String| Err(ConfigError::Implausible { problem });
        let (heads, kv_heads) = (self.num_attention_heads, self.num_key_value_heads);
        if !heads.is_multiple_of(kv_heads) {
            return implausible(format!("{heads} attention heads over {kv_heads} key-value heads"));
        }
        if self.head_dim == 0 {
            return implausible("heads of size 0".to_owned());
        }
        if self.head_dim > MAX_HEAD_DIM {
            return implausible(format!("head size {} is over {MAX_HEAD_DIM}", self.head_dim));
        }
        if self.rope_style == RopeStyle::Interleaved && !self.head_dim.is_multiple_of(2) {
            return implausible(format!("head size {} must be even", self.head_dim));
        }
        if !self.rotary_dim.is_multiple_of(2) || self.rotary_dim > self.head_dim {
            return implausible(format!(
                "rotary size {} must be even and at most the head size {}",
                self.rotary_dim, self.head_dim
            ));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return implausible(format!("norm epsilon {}", self.norm_eps));
        }
        if !(self.rope_theta > 0.0 && self.rope_theta.is_finite()) {
            return implausible(format!("RoPE base {}", self.rope_theta));
        }
        Ok(())
    }
}

/// Typed access to the keys of one family.
struct Keys<'a> {
    metadata: &'a Metadata,
    family: &'static str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.family)
    }

    /// A size: a number of 1 to [`MAX_SIZE`].
    fn size(&self, name: &str) -> Result<usize, ConfigError> {
        let key = self.key(name);
        self.opt_size(name)?.ok_or(ConfigError::Metadata(MetadataError::Missing { key }))
    }

    fn opt_size(&self, name: &str) -> Result<Option<usize>, ConfigError> {
        let key = self.key(name);
        let Some(size) = self.metadata.opt_u32(&key)? else {
            return Ok(None);
        };
        let size = size as usize;
        if size == 0 || size > MAX_SIZE {
            return Err(ConfigError::Implausible {
                problem: format!("{key} is {size}, expected 1 to {MAX_SIZE}"),
            });
        }
        Ok(Some(size))
    }

    fn opt_f32(&self, name: &str) -> Result<Option<f32>, ConfigError> {
        Ok(self.metadata.opt_f32(&self.key(name))?)
    }
}

fn read<S: ByteSource>(
    gguf: &Gguf<S>,
    keys: &Keys<'_>,
    family: Family,
) -> Result<ModelConfig, ConfigError> {
    let llama = family == Family::Llama;
    let hidden_size = keys.size("embedding_length")?;
    let num_attention_heads = keys.size("attention.head_count")?;
    let head_dim = head_dim(keys, hidden_size, num_attention_heads)?;
    let norm_eps = keys.metadata.get_f32(&keys.key(if llama {
        "attention.layer_norm_rms_epsilon"
    } else {
        "attention.layer_norm_epsilon"
    }))?;
    // 0 says that there is no window.
    let window_key = keys.key("attention.sliding_window");
    let sliding_window = keys.metadata.opt_u32(&window_key)?.filter(|&window| window > 0);
    Ok(ModelConfig {
        family,
        vocab_size: vocab_size(gguf, hidden_size)?,
        hidden_size,
        intermediate_size: keys.size("feed_forward_length")?,
        num_hidden_layers: keys.size("block_count")?,
        num_attention_heads,
        num_key_value_heads: keys
            .opt_size("attention.head_count_kv")?
            .unwrap_or(num_attention_heads),
        head_dim,
        max_position_embeddings: keys.size("context_length")?,
        norm: if llama { Norm::RmsNorm } else { Norm::LayerNorm },
        norm_eps,
        parallel_block: !llama,
        rotary_dim: keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim),
        rope_theta: keys.opt_f32("rope.freq_base")?.unwrap_or(10_000.0),
        rope_style: if llama { RopeStyle::Interleaved } else { RopeStyle::Halves },
        mlp: if llama { Mlp::SwiGlu } else { Mlp::GeluTanh },
        sliding_window: sliding_window.map(|window| window as usize),
        tie_word_embeddings: !gguf.has_tensor("output.weight"),
    })
}

/// `attention.key_length`, else the hidden size shared out among the heads.
fn head_dim(keys: &Keys<'_>, hidden_size: usize, heads: usize) -> Result<usize, ConfigError> {
    let key_length = keys.opt_size("attention.key_length")?;
    let value_length = keys.opt_size("attention.value_length")?;
    let head_dim = match key_length {
        Some(length) => length,
        None if hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => {
            return Err(ConfigError::Implausible {
                problem: format!("hidden size {hidden_size} does not divide into {heads} heads"),
            });
        }
    };
    match value_length {
        Some(length) if length != head_dim => Err(ConfigError::Unsupported {
            feature: format!("keys of size {head_dim} with values of size {length}"),
        }),
        _ => Ok(head_dim),
    }
}

/// The vocabulary is what the embedding matrix has rows for.
fn vocab_size<S: ByteSource>(gguf: &Gguf<S>, hidden_size: usize) -> Result<usize, ConfigError> {
    let embedding = gguf
        .tensor("token_embd.weight")
        .map_err(|error| ConfigError::Implausible { problem: error.to_string() })?;
    if embedding.shape.len() != 2 || embedding.columns() != hidden_size {
        return Err(ConfigError::Implausible {
            problem: format!(
                "token_embd.weight has shape {:?}, expected [vocabulary, {hidden_size}]",
                embedding.shape
            ),
        });
    }
    Ok(embedding.rows())
}

fn refuse_unsupported<S: ByteSource>(gguf: &Gguf<S>, keys: &Keys<'_>) -> Result<(), ConfigError> {
    let refuse = |feature: String| Err(ConfigError::Unsupported { feature });
    let scaling = keys.key("rope.scaling.type");
    match keys.metadata.opt_str(&scaling)? {
        None | Some("none") => {}
        Some(other) => return refuse(format!("RoPE scaling \"{other}\" ({scaling})")),
    }
    // Files older than rope.scaling.type.
    if let Some(scale) = keys.opt_f32("rope.scale_linear")?
        && scale != 1.0
    {
        return refuse(format!(
            "linear RoPE scaling by {scale} ({})",
            keys.key("rope.scale_linear")
        ));
    }
    for tensor in ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"] {
        if gguf.has_tensor(tensor) {
            return refuse(format!("RoPE scaling by frequency (tensor {tensor})"));
        }
    }
    let experts = keys.key("expert_count");
    if keys.metadata.opt_u32(&experts)?.unwrap_or(0) > 0 {
        return refuse(format!("a mixture of experts ({experts})"));
    }
    for name in ["attention.head_count", "attention.head_count_kv", "feed_forward_length"] {
        if let Some(Value::Array(_)) = keys.metadata.get(&keys.key(name)) {
            return refuse(format!("another {} in each layer", keys.key(name)));
        }
    }
    Ok(())
}
