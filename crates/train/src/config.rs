//! Every setting of a training run, as its TOML file has them.

use hangtag_task::TaskVersion;
use hangtag_weights::adapter::Linear;
use hangtag_weights::safetensors::Element;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::base::BasePrecision;
use crate::model::Rounding;
use crate::pack::{LayoutKind, LossPer};

/// The settings with what each means, as `hangtag train --print-config` shows them.
pub const DOCUMENTED: &str = include_str!("default.toml");

/// All settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // `default.toml` says what each means
pub struct TrainConfig {
    pub seed: u64,
    pub lora: LoraSettings,
    pub base: BaseSettings,
    pub data: DataSettings,
    pub augment: AugmentSettings,
    pub optimizer: OptimizerSettings,
    pub evaluation: EvaluationSettings,
    pub run: RunSettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LoraSettings {
    pub rank: usize,
    pub alpha: f32,
    pub dropout: f32,
    pub rslora: bool,
    /// Empty for all that the model has.
    pub targets: Vec<String>,
}

impl LoraSettings {
    /// The adapted layers that are named.
    ///
    /// # Errors
    /// When a name is none of a layer.
    pub(crate) fn linears(&self) -> Result<Vec<Linear>, TrainError> {
        let named = |name: &String| {
            Linear::ALL.into_iter().find(|linear| linear.to_string().eq_ignore_ascii_case(name))
        };
        let known = || Linear::ALL.map(|linear| linear.to_string().to_lowercase()).join(", ");
        self.targets
            .iter()
            .map(|name| {
                named(name).ok_or_else(|| TrainError::Setting {
                    setting: "lora.targets",
                    problem: format!("\"{name}\" is no layer: choose among {}", known()),
                })
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BaseSettings {
    pub precision: BasePrecision,
    pub rounding: Rounding,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DataSettings {
    pub task_version: TaskVersion,
    pub layout: LayoutKind,
    pub chain: usize,
    pub length: usize,
    pub sequences: usize,
    pub accumulate: usize,
    pub max_prefix_tokens: usize,
    pub none_share: f32,
    pub verbatim_only: bool,
    pub loss_per: LossPer,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AugmentSettings {
    pub name_style: f32,
    pub synonyms: f32,
    pub foreign_features: f32,
    pub drop_lines: f32,
    pub shuffle_lines: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct OptimizerSettings {
    pub epochs: u32,
    pub learning_rate: f32,
    pub lora_plus_ratio: f32,
    pub schedule: Schedule,
    pub warmup: f32,
    pub weight_decay: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub max_grad_norm: f32,
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Schedule {
    Constant,
    Linear,
    Cosine,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct EvaluationSettings {
    pub every_epochs: u32,
    pub patience: u32,
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RunSettings {
    pub recompute: bool,
    pub memory_gb: f32,
    pub checkpoint_steps: u32,
    pub log_steps: u32,
    pub adapter_dtype: AdapterDtype,
}

impl RunSettings {
    /// Bytes of the device's memory that may be used.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        (self.memory_gb > 0.0).then(|| (f64::from(self.memory_gb) * 1e9) as u64)
    }
}

/// How the numbers of the written adapter are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum AdapterDtype {
    F16,
    F32,
}

impl AdapterDtype {
    pub(crate) fn element(self) -> Element {
        match self {
            Self::F16 => Element::F16,
            Self::F32 => Element::F32,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        // A test reads the file, so this cannot fail in a build that passed its tests.
        Self::from_toml(DOCUMENTED, "default.toml").unwrap_or_else(|error| unreachable!("{error}"))
    }
}

impl TrainConfig {
    /// Reads settings; those that `text` leaves out keep their default.
    ///
    /// # Errors
    /// What is wrong and where; settings that do not exist are wrong too.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, TrainError> {
        let wrong = |error: toml::de::Error| TrainError::Data {
            file: file.to_owned(),
            problem: error.to_string(),
        };
        let default: Self = toml::from_str(DOCUMENTED).map_err(wrong)?;
        default.with(text, file)
    }

    /// These settings with those that `text` names in their place.
    ///
    /// # Errors
    /// As [`TrainConfig::from_toml`]; `source` is what errors call the text.
    pub fn with(&self, text: &str, source: &str) -> Result<Self, TrainError> {
        let wrong = |problem: String| TrainError::Data { file: source.to_owned(), problem };
        let mut all =
            self.to_toml()?.parse::<toml::Table>().map_err(|error| wrong(error.to_string()))?;
        overlay(&mut all, text.parse::<toml::Table>().map_err(|error| wrong(error.to_string()))?);
        let config: Self =
            all.try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// All settings as TOML.
    ///
    /// # Errors
    /// When a number has no TOML form.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|error| TrainError::Data {
            file: "settings".to_owned(),
            problem: error.to_string(),
        })
    }

    /// Checks what types do not say.
    ///
    /// # Errors
    /// The first setting that makes no sense, and what to give.
    pub fn check(&self) -> Result<(), TrainError> {
        let wrong = |setting, problem: &str| {
            Err(TrainError::Setting { setting, problem: problem.to_owned() })
        };
        let (d, o, a) = (&self.data, &self.optimizer, &self.augment);
        if d.length < 64 || d.length > 8192 {
            return wrong("data.length", "give 64 to 8192 tokens");
        }
        if d.max_prefix_tokens < 32 || d.max_prefix_tokens > d.length {
            return wrong("data.max_prefix_tokens", "give 32 to data.length tokens");
        }
        if d.sequences == 0 || d.accumulate == 0 || d.chain == 0 {
            return wrong("data.sequences, data.accumulate, data.chain", "give at least 1 each");
        }
        if o.epochs == 0 {
            return wrong("optimizer.epochs", "give at least 1");
        }
        if !(o.learning_rate > 0.0 && o.learning_rate.is_finite() && o.lora_plus_ratio > 0.0) {
            return wrong(
                "optimizer.learning_rate, optimizer.lora_plus_ratio",
                "give numbers over 0",
            );
        }
        if ![o.beta1, o.beta2].iter().all(|beta| (0.0..1.0).contains(beta)) {
            return wrong("optimizer.beta1, optimizer.beta2", "give 0 to below 1");
        }
        let shares =
            [d.none_share, a.name_style, a.synonyms, a.drop_lines, a.shuffle_lines, o.warmup];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return wrong("data.none_share, augment.*, optimizer.warmup", "shares are 0 to 1");
        }
        if !(0.0..=100.0).contains(&a.foreign_features) {
            return wrong("augment.foreign_features", "give 0 to 100 features a product");
        }
        if !(0.0..=10_000.0).contains(&self.run.memory_gb) {
            return wrong("run.memory_gb", "give 0 to 10000 GB");
        }
        if self.evaluation.every_epochs == 0 || self.run.log_steps == 0 {
            return wrong("evaluation.every_epochs, run.log_steps", "give at least 1 each");
        }
        Ok(())
    }
}

/// Replaces what `over` names, table by table.
fn overlay(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

impl OptimizerSettings {
    /// The learning rate when a share `done` of the run is done.
    pub(crate) fn rate(&self, done: f64) -> f32 {
        let warmup = f64::from(self.warmup);
        if done < warmup {
            return self.learning_rate * (done / warmup) as f32;
        }
        let rest = if warmup < 1.0 { (done - warmup) / (1.0 - warmup) } else { 0.0 };
        let factor = match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - rest,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * rest).cos()),
        };
        self.learning_rate * factor as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_the_default_and_settings_override_it() {
        let default = TrainConfig::default();
        assert_eq!(default, TrainConfig::from_toml("", "x").unwrap());
        let changed = TrainConfig::from_toml("seed = 7\n[lora]\nrank = 4\n", "x").unwrap();
        assert_eq!(
            (changed.seed, changed.lora.rank, changed.lora.alpha),
            (7, 4, default.lora.alpha)
        );
        let written = changed.to_toml().unwrap();
        assert_eq!(TrainConfig::from_toml(&written, "x").unwrap(), changed);
    }

    #[test]
    fn every_setting_is_explained() {
        let mut explained = false;
        for line in DOCUMENTED.lines() {
            if line.contains('=') && !line.starts_with('#') {
                assert!(explained, "{line} has no comment above it");
            }
            explained = line.starts_with('#');
        }
    }

    #[test]
    fn senseless_settings_are_named() {
        let error = |text: &str| TrainConfig::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(error("[lora]\nrnk = 4").contains("rnk"));
        assert!(error("[data]\nlength = 1").contains("data.length"));
        assert!(error("[optimizer]\nepochs = 0").contains("optimizer.epochs"));
        assert!(error("[augment]\nsynonyms = 2.0").contains("shares are 0 to 1"));
        assert!(error("seed = ").contains("my.toml"));
    }

    #[test]
    fn rates_rise_and_fall() {
        let settings = OptimizerSettings {
            warmup: 0.1,
            learning_rate: 1.0,
            ..TrainConfig::default().optimizer
        };
        let linear = OptimizerSettings { schedule: Schedule::Linear, ..settings };
        assert!((linear.rate(0.05) - 0.5).abs() < 1e-6 && (linear.rate(0.1) - 1.0).abs() < 1e-6);
        assert!((linear.rate(0.55) - 0.5).abs() < 1e-6 && linear.rate(1.0).abs() < 1e-6);
        let cosine = OptimizerSettings { schedule: Schedule::Cosine, ..settings };
        assert!((cosine.rate(0.55) - 0.5).abs() < 1e-6 && cosine.rate(1.0).abs() < 1e-6);
        let constant = OptimizerSettings { schedule: Schedule::Constant, ..settings };
        assert_eq!(constant.rate(0.9), 1.0);
    }
}
