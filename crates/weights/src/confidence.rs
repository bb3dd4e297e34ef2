//! How sure a model may be of its answers: from the probability that it gives an answer to the share of such answers
//! that are right.

use crate::metadata::{Metadata, MetadataError};
use serde::{Deserialize, Serialize};

/// Name of the file in an adapter's folder.
pub const CONFIDENCE_FILE: &str = "confidence.json";

const VALUE_KEY: &str = "hangtag.confidence.value";
const NONE_KEY: &str = "hangtag.confidence.none";

/// Probabilities nearer to 0 or 1 count as these: their logarithms would be boundless.
const LEAST: f64 = 1e-6;

/// The map of a model's probability of its answer to the probability that the answer is right, for answers with a value
/// and for "none". `hangtag evaluate --fit-confidence` finds it; `hangtag export` writes it into the GGUF file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceMap {
    /// For answers with a value.
    pub value: BetaMap,
    /// For the answer that there is no value.
    pub none: BetaMap,
}

/// Beta calibration: logit(right) = `a`·ln(p) − `b`·ln(1 − p) + `c`, never decreasing in p as `a` and `b` are at least 0
/// (Kull, Silva Filho and Flach 2017). With 1, 1 and 0 it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetaMap {
    /// Weight of ln(p).
    pub a: f32,
    /// Weight of −ln(1 − p).
    pub b: f32,
    /// What is added.
    pub c: f32,
}

/// Why there is no map to be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfidenceError {
    /// A metadata value of another type.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Not the JSON of a map.
    #[error("{CONFIDENCE_FILE}: {0}")]
    Json(#[from] serde_json::Error),
    /// Numbers that are no map.
    #[error(
        "{place}: a map of confidence is three finite numbers of which the first two are at least 0, not {numbers:?}; \
         fit it again with hangtag evaluate --fit-confidence"
    )]
    NoMap {
        /// Where they stand.
        place: &'static str,
        /// The numbers.
        numbers: Vec<f32>,
    },
    /// One of the two maps is missing.
    #[error("the metadata have {present} and not {missing}; export the model again")]
    Half {
        /// The key that is there.
        present: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// The file could not be read.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl BetaMap {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { a: 1.0, b: 1.0, c: 0.0 };

    /// What a probability of 0 to 1 becomes.
    pub fn apply(self, probability: f32) -> f32 {
        if self == Self::IDENTITY {
            return probability;
        }
        let [first, second] = Self::inputs(probability);
        let logit = f64::from(self.a) * first + f64::from(self.b) * second + f64::from(self.c);
        (1.0 / (1.0 + (-logit).exp())) as f32
    }

    /// What `a` and `b` are the weights of.
    pub fn inputs(probability: f32) -> [f64; 2] {
        let p = f64::from(probability).clamp(LEAST, 1.0 - LEAST);
        [p.ln(), -(1.0 - p).ln()]
    }

    fn checked(self, place: &'static str) -> Result<Self, ConfidenceError> {
        let numbers = [self.a, self.b, self.c];
        match numbers.iter().all(|number| number.is_finite()) && self.a >= 0.0 && self.b >= 0.0 {
            true => Ok(self),
            false => Err(ConfidenceError::NoMap { place, numbers: numbers.to_vec() }),
        }
    }
}

impl ConfidenceMap {
    /// What the probability of an answer becomes.
    pub fn apply(&self, probability: f32, has_value: bool) -> f32 {
        let map = if has_value { self.value } else { self.none };
        map.apply(probability)
    }

    /// Parses `confidence.json`.
    ///
    /// # Errors
    /// When it is no such JSON, or its numbers are no map.
    pub fn from_json(text: &str) -> Result<Self, ConfidenceError> {
        let Self { value, none } = serde_json::from_str(text)?;
        Ok(Self { value: value.checked("value")?, none: none.checked("none")? })
    }

    /// The text of `confidence.json`.
    ///
    /// # Errors
    /// When the numbers are no map.
    pub fn to_json(&self) -> Result<String, ConfidenceError> {
        let Self { value, none } = *self;
        let checked = Self { value: value.checked("value")?, none: none.checked("none")? };
        Ok(serde_json::to_string_pretty(&checked)? + "\n")
    }

    /// The map of `confidence.json` in an adapter's folder; `None` where there is no such file.
    ///
    /// # Errors
    /// As [`Self::from_json`], and when the file cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn of_adapter(folder: &std::path::Path) -> Result<Option<Self>, ConfidenceError> {
        let path = folder.join(CONFIDENCE_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::from_json(&text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ConfidenceError::Io { path: path.display().to_string(), source }),
        }
    }

    /// The map that a GGUF file carries; `None` for a model without one.
    ///
    /// # Errors
    /// When only one half is there, or the numbers are no map.
    pub fn from_metadata(metadata: &Metadata) -> Result<Option<Self>, ConfidenceError> {
        let read = |key: &'static str| -> Result<Option<BetaMap>, ConfidenceError> {
            match metadata.opt_f32_array(key)? {
                None => Ok(None),
                Some(&[a, b, c]) => BetaMap { a, b, c }.checked(key).map(Some),
                Some(numbers) => {
                    Err(ConfidenceError::NoMap { place: key, numbers: numbers.to_vec() })
                }
            }
        };
        match (read(VALUE_KEY)?, read(NONE_KEY)?) {
            (Some(value), Some(none)) => Ok(Some(Self { value, none })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfidenceError::Half { present: VALUE_KEY, missing: NONE_KEY }),
            (None, Some(_)) => Err(ConfidenceError::Half { present: NONE_KEY, missing: VALUE_KEY }),
        }
    }

    /// Puts `map` in the place of the one that `metadata` may have; with `None` there is no map after that.
    pub fn replace_in(metadata: &mut Metadata, map: Option<Self>) {
        for (key, map) in [(VALUE_KEY, map.map(|m| m.value)), (NONE_KEY, map.map(|m| m.none))] {
            match map {
                Some(BetaMap { a, b, c }) => metadata.insert(key, vec![a, b, c]),
                None => metadata.remove(key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: ConfidenceMap = ConfidenceMap {
        value: BetaMap { a: 0.5, b: 0.25, c: -0.75 },
        none: BetaMap { a: 0.0, b: 2.0, c: 0.5 },
    };

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        // logit = 0.5 ln 0.5 + 0.25 ln 2 - 0.75 = -0.25 ln 2 - 0.75
        let expected = 1.0 / (1.0 + (0.25 * 2.0_f64.ln() + 0.75).exp());
        assert!((f64::from(MAP.apply(0.5, true)) - expected).abs() < 1e-6);
        // logit = 2 ln 2 + 0.5
        let expected = 1.0 / (1.0 + (-2.0 * 2.0_f64.ln() - 0.5).exp());
        assert!((f64::from(MAP.apply(0.5, false)) - expected).abs() < 1e-6);
        for p in [0.0, 1e-30, 0.3, 1.0] {
            assert_eq!(BetaMap::IDENTITY.apply(p), p);
        }
    }

    #[test]
    fn more_probable_is_never_less_sure_and_all_is_finite() {
        for has_value in [true, false] {
            let sure = (0..=1000).map(|i| MAP.apply(i as f32 / 1000.0, has_value));
            let sure: Vec<f32> = sure.collect();
            assert!(sure.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(sure.iter().all(|sure| (0.0..=1.0).contains(sure)));
            assert!(sure[0] < sure[1000]);
        }
    }

    #[test]
    fn json_and_metadata_read_back() {
        assert_eq!(ConfidenceMap::from_json(&MAP.to_json().unwrap()).unwrap(), MAP);
        let mut metadata = Metadata::new();
        assert_eq!(ConfidenceMap::from_metadata(&metadata).unwrap(), None);
        ConfidenceMap::replace_in(&mut metadata, Some(MAP));
        assert_eq!(ConfidenceMap::from_metadata(&metadata).unwrap(), Some(MAP));
        ConfidenceMap::replace_in(&mut metadata, None);
        assert!(metadata.is_empty());
    }

    #[test]
    fn what_is_no_map_is_refused_by_name() {
        let metadata = |value: Vec<f32>| {
            let mut metadata = Metadata::new();
            metadata.insert(VALUE_KEY, value);
            ConfidenceMap::from_metadata(&metadata).unwrap_err().to_string()
        };
        for bad in [vec![1.0, 1.0], vec![-1.0, 1.0, 0.0], vec![1.0, f32::NAN, 0.0]] {
            assert!(metadata(bad).starts_with(VALUE_KEY));
        }
        assert!(metadata(vec![1.0, 1.0, 0.0]).contains("and not hangtag.confidence.none"));
        let mut falling = MAP;
        falling.none.b = -0.5;
        assert!(falling.to_json().unwrap_err().to_string().starts_with("none: a map"));
        assert!(ConfidenceMap::from_json("{}").unwrap_err().to_string().contains("missing field"));
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn an_adapter_may_have_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ConfidenceMap::of_adapter(folder.path()).unwrap(), None);
        let path = folder.path().join(CONFIDENCE_FILE);
        std::fs::write(&path, MAP.to_json().unwrap()).unwrap();
        assert_eq!(ConfidenceMap::of_adapter(folder.path()).unwrap(), Some(MAP));
        std::fs::write(&path, "{").unwrap();
        assert!(ConfidenceMap::of_adapter(folder.path()).is_err());
    }
}
