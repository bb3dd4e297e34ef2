//! The tensors of HF's models by GGUF's names.

use crate::adapter::Linear;
use crate::config::{Family, ModelConfig};
use std::ops::Range;

/// A tensor of a HF folder, and where it lies in a GGUF tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HfPart {
    /// Name in HF's model, as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// The rows of the GGUF tensor that are this tensor; elements of a vector.
    pub rows: Range<usize>,
    /// Whether the rows of each head are in GGUF's own order ([`crate::row_order`]).
    pub permuted: bool,
    /// The layer and matrix, when this is the weight of one.
    pub linear: Option<(usize, Linear)>,
}

/// The HF tensors that the GGUF tensor `name` consists of, rows in turn. `rows` is its number of rows, for a vector
/// that of its elements. `None` when the model's family has no such tensor.
pub fn parts(name: &str, rows: usize, config: &ModelConfig) -> Option<Vec<HfPart>> {
    let whole =
        |name: String| Some(vec![HfPart { name, rows: 0..rows, permuted: false, linear: None }]);
    let (module, kind) =
        name.rsplit_once('.').filter(|(_, kind)| ["weight", "bias"].contains(kind))?;
    let llama = config.family == Family::Llama;
    match module {
        "token_embd" => return whole(format!("model.embed_tokens.{kind}")),
        "output" => return whole(format!("lm_head.{kind}")),
        "output_norm" if llama => return whole(format!("model.norm.{kind}")),
        "output_norm" => return whole(format!("model.final_layernorm.{kind}")),
        _ => {}
    }
    let (layer, module) = module.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok().filter(|&layer| layer < config.num_hidden_layers)?;
    match module {
        "attn_norm" => return whole(format!("model.layers.{layer}.input_layernorm.{kind}")),
        "ffn_norm" if llama => {
            return whole(format!("model.layers.{layer}.post_attention_layernorm.{kind}"));
        }
        _ => {}
    }
    let linears: Vec<Linear> = match module {
        "attn_qkv" => vec![Linear::Q, Linear::K, Linear::V],
        _ => Linear::of_family(config.family)
            .filter(|linear| linear.gguf_part(config.family) == Some(module))
            .collect(),
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for linear in linears {
        let end = start + linear.shape(config).0;
        parts.push(HfPart {
            name: format!("{}.{kind}", linear.hf_path(config.family, layer)?),
            rows: start..end,
            permuted: linear.permuted_heads(config).is_some(),
            linear: (kind == "weight").then_some((layer, linear)),
        });
        start = end;
    }
    if parts.is_empty() || start != rows { None } else { Some(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{llama, phi};

    fn names(name: &str, rows: usize, config: &ModelConfig) -> Vec<String> {
        parts(name, rows, config).unwrap().into_iter().map(|part| part.name).collect()
    }

    #[test]
    fn names_are_those_of_transformers() {
        assert_eq!(names("token_embd.weight", 12, &llama()), ["model.embed_tokens.weight"]);
        assert_eq!(names("output_norm.weight", 6, &llama()), ["model.norm.weight"]);
        assert_eq!(names("output_norm.bias", 8, &phi()), ["model.final_layernorm.bias"]);
        assert_eq!(
            names("blk.1.ffn_norm.weight", 6, &llama()),
            ["model.layers.1.post_attention_layernorm.weight"]
        );
        assert_eq!(names("blk.0.ffn_up.bias", 10, &phi()), ["model.layers.0.mlp.fc1.bias"]);
        assert_eq!(parts("blk.2.ffn_up.weight", 10, &phi()), None, "there are two layers");
        assert_eq!(parts("blk.0.ffn_up.weight", 11, &phi()), None);
        assert_eq!(parts("blk.0.ffn_gate.weight", 10, &phi()), None);
        assert_eq!(parts("rope_freqs.weight", 2, &llama()), None);
    }

    #[test]
    fn fused_tensors_are_three() {
        let qkv = parts("blk.0.attn_qkv.bias", 24, &phi()).unwrap();
        assert_eq!(qkv[1].name, "model.layers.0.self_attn.k_proj.bias");
        assert_eq!((qkv[1].rows.clone(), qkv[1].permuted, qkv[1].linear), (8..16, false, None));
        let k = &parts("blk.0.attn_k.weight", 4, &llama()).unwrap()[0];
        assert_eq!((k.permuted, k.linear), (true, Some((0, Linear::K))));
    }
}
