//! `adapter_config.json` of PEFT.

use super::{AdapterError, Linear};
use crate::config::Family;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What `adapter_config.json` says of a LoRA adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// `base_model_name_or_path`: the model that was adapted, as `HuggingFaceTB/SmolLM2-135M-Instruct`.
    pub base: String,
    /// Rank.
    pub r: usize,
    /// Numerator of the scale.
    pub lora_alpha: f32,
    /// Dropout in training; merging and inference do not know it.
    pub lora_dropout: f32,
    /// The scale is `lora_alpha / sqrt(r)`, not `lora_alpha / r`.
    pub use_rslora: bool,
    /// The matrices that are adapted, in every layer.
    pub targets: BTreeSet<Linear>,
}

/// Settings that change what an adapter computes in ways that Hangtag does not; any value but the ones that mean
/// "not used" is refused.
const UNSUPPORTED: [&str; 19] = [
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "layers_pattern",
    "layers_to_transform",
    "lora_bias",
    "megatron_config",
    "modules_to_save",
    "monteclora_config",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
];

/// Initialisations that change the base's own weights, by the beginnings of their names.
const BASE_CHANGING: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

const MAX_RANK: u64 = 1 << 16;

impl AdapterConfig {
    /// Parses `adapter_config.json` of an adapter for a model of `family`.
    ///
    /// # Errors
    /// When it is no such JSON, describes something other than plain LoRA on linear matrices (the error names the
    /// setting), or a value makes no sense.
    pub fn from_json(text: &str, family: Family) -> Result<Self, AdapterError> {
        let json: Map<String, Value> = serde_json::from_str(text)?;
        refuse_unsupported(&json)?;
        let r = match json.get("r").and_then(Value::as_u64) {
            Some(r @ 1..=MAX_RANK) => r as usize,
            _ => return Err(invalid(&json, "r", "a rank of at least 1")),
        };
        let number = |key: &str, default: Option<f64>| match json.get(key).map(Value::as_f64) {
            None => default,
            Some(number) => number,
        };
        let lora_alpha = number("lora_alpha", None).filter(|alpha| alpha.abs() <= f32::MAX.into());
        let lora_dropout = number("lora_dropout", Some(0.0)).filter(|p| (0.0..=1.0).contains(p));
        Ok(Self {
            base: match json.get("base_model_name_or_path") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(base)) => base.clone(),
                Some(_) => return Err(invalid(&json, "base_model_name_or_path", "a name")),
            },
            r,
            lora_alpha: lora_alpha.ok_or_else(|| invalid(&json, "lora_alpha", "a number"))? as f32,
            lora_dropout: lora_dropout.ok_or_else(|| invalid(&json, "lora_dropout", "0 to 1"))?
                as f32,
            use_rslora: json.get("use_rslora").and_then(Value::as_bool).unwrap_or(false),
            targets: targets(&json, family)?,
        })
    }

    /// The text of `adapter_config.json` as PEFT reads it.
    ///
    /// # Errors
    /// When there are no targets, the family does not have one of them, or a number makes no sense.
    pub fn to_json(&self, family: Family) -> Result<String, AdapterError> {
        let names = self.targets.iter().map(|&target| {
            target.hf_name(family).ok_or_else(|| AdapterError::Invalid {
                setting: "target_modules".to_owned(),
                found: target.to_string(),
                expected: "matrices that the model has".to_owned(),
            })
        });
        let base = if self.base.is_empty() { Value::Null } else { self.base.clone().into() };
        let json = json!({
            "base_model_name_or_path": base,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": plain(self.lora_alpha),
            "lora_dropout": plain(self.lora_dropout),
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.r,
            "target_modules": names.collect::<Result<Vec<_>, _>>()?,
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": self.use_rslora,
        });
        let text = serde_json::to_string_pretty(&json)? + "\n";
        Self::from_json(&text, family)?;
        Ok(text)
    }

    /// What B·A is multiplied with.
    pub fn scale(&self) -> f32 {
        let r = self.r as f32;
        self.lora_alpha / if self.use_rslora { r.sqrt() } else { r }
    }
}

/// The shortest decimal of `number`, without a fraction where it has none.
fn plain(number: f32) -> Value {
    let shortest: f64 = number.to_string().parse().unwrap_or(f64::from(number));
    if shortest.fract() == 0.0 && shortest.abs() < 1e9 {
        json!(shortest as i64)
    } else {
        json!(shortest)
    }
}

fn invalid(json: &Map<String, Value>, setting: &str, expected: &str) -> AdapterError {
    AdapterError::Invalid {
        setting: setting.to_owned(),
        found: json.get(setting).map_or("missing".to_owned(), Value::to_string),
        expected: expected.to_owned(),
    }
}

fn refuse_unsupported(json: &Map<String, Value>) -> Result<(), AdapterError> {
    let refuse = |setting: &str| {
        let value = json.get(setting).map(Value::to_string).unwrap_or_default();
        Err(AdapterError::Unsupported { setting: setting.to_owned(), value })
    };
    let text = |setting: &str| json.get(setting).and_then(Value::as_str);
    if text("peft_type") != Some("LORA") {
        return Err(invalid(json, "peft_type", "\"LORA\""));
    }
    if !matches!(text("task_type"), None | Some("CAUSAL_LM")) {
        return refuse("task_type");
    }
    if !matches!(text("bias"), None | Some("none")) {
        return refuse("bias");
    }
    if let Some(init) = text("init_lora_weights")
        && BASE_CHANGING.iter().any(|name| init.to_ascii_lowercase().starts_with(name))
    {
        return refuse("init_lora_weights");
    }
    for setting in UNSUPPORTED {
        let unused = match json.get(setting) {
            None | Some(Value::Null | Value::Bool(false)) => true,
            Some(Value::Array(values)) => values.is_empty(),
            Some(Value::Object(values)) => values.is_empty(),
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        if !unused {
            return refuse(setting);
        }
    }
    Ok(())
}

fn targets(json: &Map<String, Value>, family: Family) -> Result<BTreeSet<Linear>, AdapterError> {
    const EXPECTED: &str =
        "a list of the model's linear modules, as [\"q_proj\", \"v_proj\"], or \"all-linear\"";
    let bad = || invalid(json, "target_modules", EXPECTED);
    match json.get("target_modules") {
        Some(Value::String(all)) if all == "all-linear" => Ok(Linear::of_family(family).collect()),
        Some(Value::Array(names)) if !names.is_empty() => {
            let target = |value: &Value| {
                let name = value.as_str()?;
                // PEFT also takes the end of a path, as `self_attn.q_proj`.
                Linear::of_family(family).find(|linear| {
                    linear.hf_name(family) == Some(name)
                        || linear.hf_path_in_layer(family) == Some(name)
                })
            };
            names.iter().map(|value| target(value).ok_or_else(bad)).collect()
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AdapterConfig {
        AdapterConfig {
            base: "org/base".to_owned(),
            r: 4,
            lora_alpha: 16.0,
            lora_dropout: 0.05,
            use_rslora: false,
            targets: [Linear::Q, Linear::Down].into(),
        }
    }

    #[test]
    fn json_reads_back() {
        let text = config().to_json(Family::Phi).unwrap();
        assert!(text.contains("\"fc2\"") && text.contains("\"lora_alpha\": 16,"), "{text}");
        assert!(text.contains("\"lora_dropout\": 0.05,"), "{text}");
        assert_eq!(AdapterConfig::from_json(&text, Family::Phi).unwrap(), config());
        assert!(AdapterConfig::from_json(&text, Family::Llama).is_err(), "llama has no fc2");
        let gate = AdapterConfig { targets: [Linear::Gate].into(), ..config() };
        assert!(gate.to_json(Family::Phi).is_err());
        assert!(AdapterConfig { r: 0, ..config() }.to_json(Family::Phi).is_err());
        assert!(AdapterConfig { lora_alpha: f32::NAN, ..config() }.to_json(Family::Phi).is_err());
    }

    #[test]
    fn the_scale_is_by_rank_or_its_root() {
        assert_eq!(config().scale(), 4.0);
        assert_eq!(AdapterConfig { use_rslora: true, ..config() }.scale(), 8.0);
    }

    #[test]
    fn all_linear_means_all_that_the_family_has() {
        let text = r#"{"peft_type":"LORA","r":1,"lora_alpha":1,"target_modules":"all-linear"}"#;
        let targets = |family| AdapterConfig::from_json(text, family).unwrap().targets.len();
        assert_eq!((targets(Family::Llama), targets(Family::Phi)), (7, 6));
    }

    #[test]
    fn what_is_not_plain_lora_is_refused_by_name() {
        let plain: Map<String, Value> =
            serde_json::from_str(&config().to_json(Family::Llama).unwrap()).unwrap();
        for (setting, value) in [
            ("use_dora", json!(true)),
            ("rank_pattern", json!({"q_proj": 8})),
            ("alpha_pattern", json!({"q_proj": 8})),
            ("modules_to_save", json!(["lm_head"])),
            ("layers_to_transform", json!([0])),
            ("bias", json!("all")),
            ("task_type", json!("SEQ_CLS")),
            ("peft_type", json!("IA3")),
            ("init_lora_weights", json!("pissa_niter_4")),
            ("target_modules", json!(".*proj")),
            ("target_modules", json!(["lm_head"])),
            ("lora_alpha", json!("8")),
            ("lora_dropout", json!(2)),
            ("r", json!(0)),
        ] {
            let mut changed = plain.clone();
            changed.insert(setting.to_owned(), value);
            let text = Value::from(changed).to_string();
            let error = AdapterConfig::from_json(&text, Family::Llama).unwrap_err().to_string();
            assert!(error.contains(setting), "{setting}: {error}");
        }
    }
}
