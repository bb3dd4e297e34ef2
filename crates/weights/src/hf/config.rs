//! `config.json` of HF's llama, mistral and phi models.

use super::{HfError, first_phi};
use crate::config::{Family, Mlp, ModelConfig, Norm, RopeStyle};
use serde_json::{Map, Value, json};

/// The text of `config.json` for a model stored as `dtype` (HF's name, as `float16`), with the settings that
/// `quantization` adds.
///
/// # Errors
/// When HF's model cannot be described this way: part of a llama's head is not rotated, or phi's heads are wider.
pub fn to_json(
    config: &ModelConfig,
    special: &SpecialTokens,
    dtype: &str,
    quantization: Option<Value>,
) -> Result<String, HfError> {
    let mut json = json!({
        "bos_token_id": special.bos,
        "eos_token_id": special.eos,
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "num_key_value_heads": config.num_key_value_heads,
        "rope_scaling": null,
        "rope_theta": decimal(config.rope_theta),
        "tie_word_embeddings": config.tie_word_embeddings,
        "torch_dtype": dtype,
        "use_cache": true,
        "vocab_size": config.vocab_size,
    });
    let family = match config.family {
        Family::Llama if config.rotary_dim != config.head_dim => {
            return Err(HfError::NotInHf {
                feature: format!(
                    "rotation of {} of {} elements of a head",
                    config.rotary_dim, config.head_dim
                ),
            });
        }
        Family::Llama => llama(config),
        Family::Phi if config.head_dim * config.num_attention_heads != config.hidden_size => {
            return Err(HfError::NotInHf {
                feature: format!("phi with heads of {}", config.head_dim),
            });
        }
        Family::Phi => phi(config),
    };
    if let (Value::Object(all), Value::Object(family)) = (&mut json, family) {
        all.extend(family);
        if let Some(quantization) = quantization {
            all.insert("quantization_config".to_owned(), quantization);
        }
    }
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

/// Ids that `config.json` repeats from the tokenizer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpecialTokens {
    /// Beginning of a text.
    pub bos: Option<u32>,
    /// End of a text.
    pub eos: Option<u32>,
}

fn llama(config: &ModelConfig) -> Value {
    let (class, kind) = match config.sliding_window {
        None => ("LlamaForCausalLM", "llama"),
        Some(_) => ("MistralForCausalLM", "mistral"),
    };
    let mut json = json!({
        "architectures": [class],
        "attention_bias": false,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "mlp_bias": false,
        "model_type": kind,
        "rms_norm_eps": decimal(config.norm_eps),
    });
    if let Some(window) = config.sliding_window {
        json["sliding_window"] = window.into();
    }
    json
}

fn phi(config: &ModelConfig) -> Value {
    json!({
        "architectures": ["PhiForCausalLM"],
        "embd_pdrop": 0.0,
        "hidden_act": "gelu_new",
        "layer_norm_eps": decimal(config.norm_eps),
        "model_type": "phi",
        "partial_rotary_factor": config.rotary_dim as f64 / config.head_dim as f64,
        "qk_layernorm": false,
        "resid_pdrop": 0.0,
    })
}

/// The shortest decimal that is the f32 `number`: 1e-5, not 9.999999747e-6.
fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// Reads `config.json`.
///
/// # Errors
/// When it is of another model type, uses what Hangtag does not support (the error names it), or a value is missing
/// or makes no sense.
pub fn from_json(text: &str) -> Result<ModelConfig, HfError> {
    let mut json: Map<String, Value> = serde_json::from_str(text)?;
    if json.get("model_type").is_some_and(|kind| kind == first_phi::MODEL_TYPE) {
        json = first_phi::settings(&json);
    }
    let json = Fields(&json);
    let kind = json.0.get("model_type").and_then(Value::as_str).unwrap_or("none given");
    let family = match kind {
        "llama" | "mistral" => Family::Llama,
        "phi" => Family::Phi,
        other => return Err(HfError::UnsupportedModel { model_type: other.to_owned() }),
    };
    refuse_unsupported(&json, family)?;
    refuse_unknown(&json)?;
    let llama = family == Family::Llama;
    let hidden_size = json.size("hidden_size")?;
    let heads = json.size("num_attention_heads")?;
    let head_dim = json.opt_size("head_dim")?.unwrap_or(hidden_size / heads);
    let rope = |name: &str| json.rope(name);
    let rotary = rope("partial_rotary_factor")?.unwrap_or(if llama { 1.0 } else { 0.5 });
    let window = if kind == "mistral" { json.opt_size("sliding_window")? } else { None };
    let config = ModelConfig {
        family,
        vocab_size: json.size("vocab_size")?,
        hidden_size,
        intermediate_size: json.size("intermediate_size")?,
        num_hidden_layers: json.size("num_hidden_layers")?,
        num_attention_heads: heads,
        num_key_value_heads: json.opt_size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        max_position_embeddings: json.size("max_position_embeddings")?,
        norm: if llama { Norm::RmsNorm } else { Norm::LayerNorm },
        norm_eps: json.number(if llama { "rms_norm_eps" } else { "layer_norm_eps" })? as f32,
        parallel_block: !llama,
        rotary_dim: (rotary * head_dim as f64) as usize,
        rope_theta: rope("rope_theta")?.unwrap_or(10_000.0) as f32,
        rope_style: if llama { RopeStyle::Interleaved } else { RopeStyle::Halves },
        mlp: if llama { Mlp::SwiGlu } else { Mlp::GeluTanh },
        sliding_window: window,
        tie_word_embeddings: json.flag("tie_word_embeddings"),
    };
    config.check()?;
    Ok(config)
}

fn refuse_unsupported(json: &Fields<'_>, family: Family) -> Result<(), HfError> {
    let refuse = |setting: &str, value: &Value| {
        Err(HfError::Unsupported { setting: setting.to_owned(), value: value.to_string() })
    };
    let activations: &[&str] = match family {
        Family::Llama => &["silu"],
        Family::Phi => &["gelu_new", "gelu_pytorch_tanh"],
    };
    if let Some(value) = json.0.get("hidden_act")
        && !value.as_str().is_some_and(|name| activations.contains(&name))
    {
        return refuse("hidden_act", value);
    }
    for setting in ["attention_bias", "mlp_bias", "qk_layernorm", "rope_interleaved"] {
        if json.flag(setting) {
            return refuse(setting, &Value::Bool(true));
        }
    }
    for setting in ["rope_scaling", "quantization_config"] {
        if let Some(value) = json.0.get(setting).filter(|value| !value.is_null()) {
            return refuse(setting, value);
        }
    }
    match json.0.get("rope_parameters").and_then(|rope| rope.get("rope_type")) {
        Some(value) if value != "default" => refuse("rope_parameters.rope_type", value),
        _ => Ok(()),
    }
}

/// Settings that say nothing about what the model computes from tokens to logits: of training, of generation, of
/// transformers itself, or repeated from the tokenizer.
const IRRELEVANT: [&str; 33] = [
    "_attn_implementation",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "auto_map",
    "bos_token_id",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "dtype",
    "embd_pdrop",
    "eos_token_id",
    "hidden_dropout",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "label2id",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "resid_pdrop",
    "return_dict",
    "sep_token_id",
    "task_specific_params",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unsloth_fixed",
    "use_cache",
    "use_return_dict",
];
/// Settings that are read, or refused where they say what is not supported.
const KNOWN: [&str; 23] = [
    "attention_bias",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "mlp_bias",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "qk_layernorm",
    "quantization_config",
    "rms_norm_eps",
    "rope_interleaved",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "vocab_size",
];

/// A setting that nobody here has heard of may change what the model computes.
fn refuse_unknown(json: &Fields<'_>) -> Result<(), HfError> {
    let unknown = json.0.iter().find(|(name, value)| {
        let name = name.as_str();
        !value.is_null() && !KNOWN.contains(&name) && !IRRELEVANT.contains(&name)
    });
    match unknown {
        None => Ok(()),
        Some((name, value)) => Err(HfError::UnknownSetting {
            setting: name.clone(),
            value: value.to_string().chars().take(80).collect(),
        }),
    }
}

/// Typed access to the members.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn size(&self, name: &str) -> Result<usize, HfError> {
        self.opt_size(name)?.ok_or_else(|| self.bad(name, "a size"))
    }

    fn opt_size(&self, name: &str) -> Result<Option<usize>, HfError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(size @ 1..=16_777_216) => Ok(Some(size as usize)),
                _ => Err(self.bad(name, "a size of 1 to 16777216")),
            },
        }
    }

    fn number(&self, name: &str) -> Result<f64, HfError> {
        let number = self.0.get(name).and_then(Value::as_f64);
        number.ok_or_else(|| self.bad(name, "a number"))
    }

    /// A setting of the rotation: at the top, or in `rope_parameters` as transformers 5 writes it.
    fn rope(&self, name: &str) -> Result<Option<f64>, HfError> {
        let nested = self.0.get("rope_parameters").and_then(|rope| rope.get(name));
        match nested.or_else(|| self.0.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64().filter(|number| *number > 0.0) {
                Some(number) => Ok(Some(number)),
                None => Err(self.bad(name, "a number above 0")),
            },
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn bad(&self, setting: &str, expected: &str) -> HfError {
        HfError::Invalid {
            setting: setting.to_owned(),
            found: self.0.get(setting).map_or("missing".to_owned(), Value::to_string),
            expected: expected.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{llama, phi};

    #[test]
    fn configurations_read_back() {
        let mistral = ModelConfig { sliding_window: Some(8), ..llama() };
        for config in [llama(), mistral, phi()] {
            let text = to_json(&config, &SpecialTokens::default(), "float16", None).unwrap();
            assert_eq!(from_json(&text).unwrap(), config);
            assert!(
                text.contains("_eps\": 0.00001,") || text.contains("_eps\": 0.00001\n"),
                "{text}"
            );
        }
        let partly = ModelConfig { rotary_dim: 2, ..llama() };
        assert!(to_json(&partly, &SpecialTokens::default(), "float16", None).is_err());
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let text = to_json(&llama(), &SpecialTokens::default(), "float16", None).unwrap();
        for (setting, value) in [
            ("model_type", json!("gemma")),
            ("hidden_act", json!("gelu")),
            ("attention_bias", json!(true)),
            ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
            ("rope_parameters", json!({"rope_type": "llama3"})),
            ("quantization_config", json!({"bits": 4})),
            ("hidden_size", json!(0)),
            ("rms_norm_eps", json!("x")),
            ("logit_scale", json!(0.5)),
        ] {
            let mut json: Value = serde_json::from_str(&text).unwrap();
            json[setting] = value;
            let error = from_json(&json.to_string()).unwrap_err().to_string();
            let named = if setting == "model_type" { "gemma" } else { setting };
            assert!(error.contains(named), "{setting}: {error}");
        }
        let older = text
            .replace("\"rope_theta\": 10000.0", "\"rope_parameters\": {\"rope_theta\": 5000.0}");
        assert_eq!(from_json(&older).unwrap().rope_theta, 5000.0);
    }
}
