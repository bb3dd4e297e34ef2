//! Phi as it was first published (`model_type` phi-msft, with code of its own in the repository): other names for settings
//! and tensors, and Q, K and V in one matrix. The names are those of Phi's conversion script in transformers.

#[cfg(not(target_arch = "wasm32"))]
pub(in crate::hf) use tensors::tensors;

use serde_json::{Map, Value};

/// What `model_type` says in such a folder.
pub(super) const MODEL_TYPE: &str = "phi-msft";

/// Settings that are only called otherwise.
const SETTINGS: [(&str, &str); 8] = [
    ("n_embd", "hidden_size"),
    ("n_inner", "intermediate_size"),
    ("n_layer", "num_hidden_layers"),
    ("n_head", "num_attention_heads"),
    ("n_head_kv", "num_key_value_heads"),
    ("n_positions", "max_position_embeddings"),
    ("layer_norm_epsilon", "layer_norm_eps"),
    ("activation_function", "hidden_act"),
];
/// How that code computes, not what.
const IRRELEVANT: [&str; 5] =
    ["attn_pdrop", "flash_attn", "flash_rotary", "fused_dense", "img_processor"];

/// The settings by their names of today.
pub(super) fn settings(old: &Map<String, Value>) -> Map<String, Value> {
    let mut new = Map::new();
    for (name, value) in old {
        if IRRELEVANT.contains(&name.as_str()) {
            continue;
        }
        let renamed = SETTINGS.iter().find(|(old, _)| old == name).map_or(name.as_str(), |s| s.1);
        new.insert(renamed.to_owned(), value.clone());
    }
    new.insert("model_type".to_owned(), "phi".into());
    let size = |name: &str| new.get(name).and_then(Value::as_f64);
    let head_dim = size("hidden_size").zip(size("num_attention_heads")).map(|(h, n)| h / n);
    let partial = size("rotary_dim").zip(head_dim).map(|(rotary, head)| rotary / head);
    let inner = size("hidden_size").map(|hidden| 4.0 * hidden);
    if new.get("intermediate_size").is_some_and(Value::is_null)
        && let Some(inner) = inner
    {
        new.insert("intermediate_size".to_owned(), (inner as u64).into());
    }
    if let Some(partial) = partial {
        new.remove("rotary_dim");
        new.insert("partial_rotary_factor".to_owned(), partial.into());
    }
    new
}

/// Only folders have tensors under these names, and the browser reads none.
#[cfg(not(target_arch = "wasm32"))]
mod tensors {
    use crate::adapter::Linear;
    use crate::config::{Family, ModelConfig};
    use std::ops::Range;

    /// The tensors of today that the tensor `old` holds, each with its rows (a vector's elements) in it; none where the
    /// name is not one of these.
    pub(in crate::hf) fn tensors(old: &str, config: &ModelConfig) -> Vec<(String, Range<usize>)> {
        let Some((module, kind)) = old.rsplit_once('.').filter(|_| config.family == Family::Phi)
        else {
            return Vec::new();
        };
        let whole = |name: &str, rows: usize| vec![(format!("{name}.{kind}"), 0..rows)];
        let (hidden, words) = (config.hidden_size, config.vocab_size);
        match module {
            "transformer.embd.wte" => return whole("model.embed_tokens", words),
            "lm_head.ln" => return whole("model.final_layernorm", hidden),
            "lm_head.linear" => return whole("lm_head", words),
            _ => {}
        }
        let in_layer = module.strip_prefix("transformer.h.").and_then(|rest| rest.split_once('.'));
        let Some((layer, module)) = in_layer else { return Vec::new() };
        let linears: &[Linear] = match module {
            "ln" => return whole(&format!("model.layers.{layer}.input_layernorm"), hidden),
            "mixer.Wqkv" => &[Linear::Q, Linear::K, Linear::V],
            "mixer.out_proj" => &[Linear::O],
            "mlp.fc1" => &[Linear::Up],
            "mlp.fc2" => &[Linear::Down],
            _ => &[],
        };
        let mut start = 0;
        let named = linears.iter().filter_map(|linear| {
            let end = start + linear.shape(config).0;
            let rows = std::mem::replace(&mut start, end)..end;
            let path = linear.hf_path_in_layer(Family::Phi)?;
            Some((format!("model.layers.{layer}.{path}.{kind}"), rows))
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{llama, phi};
    use serde_json::json;

    #[test]
    fn settings_get_their_names_of_today() {
        let old = json!({
            "model_type": MODEL_TYPE, "n_embd": 2560, "n_head": 32, "n_inner": null, "rotary_dim": 32,
            "layer_norm_epsilon": 1e-5, "flash_attn": false, "vocab_size": 51200,
        });
        let new = settings(old.as_object().unwrap());
        assert_eq!(
            Value::Object(new),
            json!({
                "model_type": "phi", "hidden_size": 2560, "num_attention_heads": 32, "intermediate_size": 10240,
                "partial_rotary_factor": 0.4, "layer_norm_eps": 1e-5, "vocab_size": 51200,
            })
        );
    }

    #[test]
    fn tensors_get_their_names_of_today() {
        let qkv = tensors("transformer.h.1.mixer.Wqkv.bias", &phi());
        assert_eq!(qkv[1], ("model.layers.1.self_attn.k_proj.bias".to_owned(), 8..16));
        assert_eq!(
            tensors("transformer.h.0.mlp.fc1.weight", &phi()),
            [("model.layers.0.mlp.fc1.weight".to_owned(), 0..10)]
        );
        assert!(tensors("transformer.h.0.mlp.fc1.weight", &llama()).is_empty());
        for other in ["lm_head.weight", "transformer.h.0.attn.weight", "transformer.x"] {
            assert!(tensors(other, &phi()).is_empty(), "{other}");
        }
    }
}
