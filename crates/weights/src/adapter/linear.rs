//! The matrices of a layer, by the names that each format gives them.

use crate::config::{Family, ModelConfig, RopeStyle};
use std::fmt;
use std::ops::Range;

/// A linear part of a decoder layer, which an adapter can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Linear {
    /// Query projection.
    Q,
    /// Key projection.
    K,
    /// Value projection.
    V,
    /// Output projection of the attention.
    O,
    /// Gate of a SwiGLU feed-forward part; phi has none.
    Gate,
    /// First matrix of the feed-forward part (`fc1` of phi).
    Up,
    /// Last matrix of the feed-forward part (`fc2` of phi).
    Down,
}

/// Where a [`Linear`] lies in a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tensor, as `blk.0.attn_q.weight`.
    pub tensor: String,
    /// The rows of it that are this matrix: all, but for phi's Q, K and V in one tensor.
    pub rows: Range<usize>,
}

impl Linear {
    /// All of them, in the order in which a layer computes them.
    pub const ALL: [Self; 7] =
        [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// The ones that a family has.
    pub fn of_family(family: Family) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |linear| linear.hf_path_in_layer(family).is_some())
    }

    /// The matrix's module below a layer of HF's model, as `self_attn.q_proj`; `None` when the family has none.
    pub fn hf_path_in_layer(self, family: Family) -> Option<&'static str> {
        Some(match (self, family) {
            (Self::Q, _) => "self_attn.q_proj",
            (Self::K, _) => "self_attn.k_proj",
            (Self::V, _) => "self_attn.v_proj",
            (Self::O, Family::Llama) => "self_attn.o_proj",
            (Self::O, Family::Phi) => "self_attn.dense",
            (Self::Gate, Family::Llama) => "mlp.gate_proj",
            (Self::Gate, Family::Phi) => return None,
            (Self::Up, Family::Llama) => "mlp.up_proj",
            (Self::Up, Family::Phi) => "mlp.fc1",
            (Self::Down, Family::Llama) => "mlp.down_proj",
            (Self::Down, Family::Phi) => "mlp.fc2",
        })
    }

    /// The last part of the module's name, as `q_proj`: what PEFT's `target_modules` lists.
    pub fn hf_name(self, family: Family) -> Option<&'static str> {
        let path = self.hf_path_in_layer(family)?;
        path.rsplit_once('.').map(|(_, name)| name)
    }

    /// The module in HF's model, as `model.layers.0.self_attn.q_proj`.
    pub fn hf_path(self, family: Family, layer: usize) -> Option<String> {
        Some(format!("model.layers.{layer}.{}", self.hf_path_in_layer(family)?))
    }

    /// Shape of the matrix: (out, in).
    pub fn shape(self, config: &ModelConfig) -> (usize, usize) {
        let hidden = config.hidden_size;
        let queries = config.num_attention_heads * config.head_dim;
        let keys = config.num_key_value_heads * config.head_dim;
        match self {
            Self::Q => (queries, hidden),
            Self::K | Self::V => (keys, hidden),
            Self::O => (hidden, queries),
            Self::Gate | Self::Up => (config.intermediate_size, hidden),
            Self::Down => (hidden, config.intermediate_size),
        }
    }

    /// Where the matrix lies in a GGUF file that `has_tensor`; `None` when the family has none. Without a fused
    /// `attn_qkv`, Q, K and V are tensors of their own.
    pub fn place(
        self,
        config: &ModelConfig,
        layer: usize,
        has_tensor: impl Fn(&str) -> bool,
    ) -> Option<Place> {
        let part = self.gguf_part(config.family)?;
        let fused = format!("blk.{layer}.attn_qkv.weight");
        let rows = self.shape(config).0;
        if matches!(self, Self::Q | Self::K | Self::V) && has_tensor(&fused) {
            let before = [Self::Q, Self::K, Self::V].into_iter().take_while(|&other| other != self);
            let start: usize = before.map(|other| other.shape(config).0).sum();
            return Some(Place { tensor: fused, rows: start..start + rows });
        }
        Some(Place { tensor: format!("blk.{layer}.{part}.weight"), rows: 0..rows })
    }

    /// The heads whose rows GGUF holds in another order than HF; `None` when both orders are the same.
    pub(crate) fn permuted_heads(self, config: &ModelConfig) -> Option<usize> {
        match (self, config.rope_style) {
            (Self::Q, RopeStyle::Interleaved) => Some(config.num_attention_heads),
            (Self::K, RopeStyle::Interleaved) => Some(config.num_key_value_heads),
            _ => None,
        }
    }

    /// The matrix's name in GGUF, as `attn_q`.
    pub(crate) fn gguf_part(self, family: Family) -> Option<&'static str> {
        self.hf_path_in_layer(family)?;
        Some(match self {
            Self::Q => "attn_q",
            Self::K => "attn_k",
            Self::V => "attn_v",
            Self::O => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        })
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Q => "Q",
            Self::K => "K",
            Self::V => "V",
            Self::O => "O",
            Self::Gate => "gate",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{llama, phi};

    #[test]
    fn names_and_shapes_are_those_of_the_families() {
        let (llama, phi) = (llama(), phi());
        assert_eq!(Linear::Down.hf_path(Family::Llama, 3).unwrap(), "model.layers.3.mlp.down_proj");
        assert_eq!(Linear::O.hf_name(Family::Phi), Some("dense"));
        assert_eq!(Linear::Gate.hf_name(Family::Phi), None);
        assert_eq!(Linear::of_family(Family::Phi).count(), 6);
        assert_eq!(Linear::K.shape(&llama), (4, 6));
        assert_eq!(Linear::O.shape(&llama), (6, 8));
        assert_eq!(Linear::Down.shape(&phi), (8, 10));
    }

    #[test]
    fn a_fused_tensor_holds_q_k_and_v_in_turn() {
        let place = |linear: Linear, fused: bool| {
            let name = "blk.1.attn_qkv.weight";
            linear.place(&phi(), 1, |tensor| fused && tensor == name).unwrap()
        };
        assert_eq!(place(Linear::V, true).rows, 16..24);
        assert_eq!(place(Linear::Q, true).rows, 0..8);
        assert_eq!(place(Linear::O, true).tensor, "blk.1.attn_output.weight");
        assert_eq!(place(Linear::V, false).tensor, "blk.1.attn_v.weight");
        assert_eq!(place(Linear::V, false).rows, 0..8);
        assert_eq!(Linear::Gate.place(&phi(), 1, |_| false), None);
    }
}
