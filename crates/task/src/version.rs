use std::fmt;

use serde::{Deserialize, Serialize};

/// Form of the prompt; a model answers only the one that it was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum TaskVersion {
    /// 1: the text stands once before the questions.
    Once,
    /// 2: the text stands twice, so that each word of the second reading was computed with the whole text in view; a decoder
    /// alone sees only what stands before (echo embeddings, <https://arxiv.org/abs/2402.15449>).
    Twice,
}

impl TaskVersion {
    /// All, oldest first.
    pub const ALL: [Self; 2] = [Self::Once, Self::Twice];

    /// What adapters are trained for unless told otherwise.
    pub const LATEST: Self = Self::Twice;

    /// The version that manifests, metadata and settings call `number`; `None` for one that is not known here.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }

    /// What manifests, metadata and settings call it.
    pub fn number(self) -> u32 {
        match self {
            Self::Once => 1,
            Self::Twice => 2,
        }
    }

    /// Times that the text stands in the prompt.
    pub fn readings(self) -> usize {
        match self {
            Self::Once => 1,
            Self::Twice => 2,
        }
    }
}

impl From<TaskVersion> for u32 {
    fn from(version: TaskVersion) -> Self {
        version.number()
    }
}

impl TryFrom<u32> for TaskVersion {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        let known = || {
            format!("version {number} of the questions is not known: give 1 to {}", Self::LATEST)
        };
        Self::from_number(number).ok_or_else(known)
    }
}

impl fmt::Display for TaskVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_versions_and_back() {
        for version in TaskVersion::ALL {
            assert_eq!(TaskVersion::from_number(version.number()), Some(version));
            let json = serde_json::to_string(&version).unwrap();
            assert_eq!(json, version.to_string());
            assert_eq!(serde_json::from_str::<TaskVersion>(&json).unwrap(), version);
        }
        for unknown in [0, 3, u32::MAX] {
            assert_eq!(TaskVersion::from_number(unknown), None);
            let error = serde_json::from_str::<TaskVersion>(&unknown.to_string()).unwrap_err();
            assert!(error.to_string().contains("give 1 to 2"), "{error}");
        }
    }
}
