//! `manifest.json` of a model package: what a browser needs to know before it loads the GGUF files beside it.

use crate::hash::{is_sha256_hex, sha256_source};
use crate::source::{ByteSource, SourceError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Name of the manifest in a package.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A model package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name shown to users.
    pub name: String,
    /// The base model that was adapted, as `HuggingFaceTB/SmolLM2-135M-Instruct`.
    pub base: String,
    /// Name of the adapter that was merged in; `None` for a base as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What the adapter was trained on, in a few words for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Name of the model card beside the manifest, a text in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Version of the prompt format that the model was trained with.
    pub task_version: u32,
    /// Feature lists that suit the model, in the form of templates; this crate does not look into them.
    #[serde(default)]
    pub presets: Vec<serde_json::Value>,
    /// The GGUF files, shards in order.
    pub files: Vec<ManifestFile>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// File name, beside the manifest.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 as 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// Why a manifest, or a file that it lists, was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is no JSON of the expected form.
    #[error("manifest.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A value makes no sense.
    #[error("manifest.json: {problem}")]
    Invalid {
        /// Which value, and what was expected.
        problem: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is not the one that the manifest lists.
    #[error("{file}: {what} is {found}, the manifest says {expected}; fetch the package anew")]
    Mismatch {
        /// The file.
        file: String,
        /// "size" or "SHA-256".
        what: &'static str,
        /// What the file has.
        found: String,
        /// What the manifest says.
        expected: String,
    },
}

impl Manifest {
    /// Parses and validates `manifest.json`.
    ///
    /// # Errors
    /// When it is no such JSON, lists no GGUF file or one twice, a file name is a path, a hash is malformed or a size zero.
    pub fn from_json(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_str(text)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The manifest as indented JSON with a newline at the end.
    ///
    /// # Errors
    /// When [`Self::from_json`] would refuse it.
    pub fn to_json(&self) -> Result<String, ManifestError> {
        self.validate()?;
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Sum of the files' sizes in bytes.
    pub fn total_size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    fn validate(&self) -> Result<(), ManifestError> {
        let invalid = |problem: String| Err(ManifestError::Invalid { problem });
        if self.name.trim().is_empty() {
            return invalid("the name is empty".to_owned());
        }
        if self.files.is_empty() {
            return invalid("no files are listed".to_owned());
        }
        if let Some(card) = self.card.as_ref().filter(|card| !is_plain_file_name(card)) {
            return invalid(format!("card {card:?} must be the plain name of a file"));
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !is_plain_file_name(&file.name) || !file.name.ends_with(".gguf") {
                return invalid(format!(
                    "file {:?} must be the plain name of a .gguf file beside the manifest",
                    file.name
                ));
            }
            // Some file systems do not tell upper from lower case.
            if !names.insert(file.name.to_lowercase()) {
                return invalid(format!("file {:?} is listed twice", file.name));
            }
            if file.size == 0 {
                return invalid(format!("file {:?} has size 0", file.name));
            }
            if !is_sha256_hex(&file.sha256) {
                return invalid(format!(
                    "file {:?}: sha256 must be 64 lower-case hexadecimal digits",
                    file.name
                ));
            }
        }
        Ok(())
    }
}

impl ManifestFile {
    /// Describes a file as it is: for writing a manifest.
    ///
    /// # Errors
    /// When `source` cannot be read.
    pub async fn of<S: ByteSource>(
        name: &str,
        source: &S,
        progress: impl FnMut(u64),
    ) -> Result<Self, SourceError> {
        Ok(Self {
            name: name.to_owned(),
            size: source.len(),
            sha256: sha256_source(source, progress).await?,
        })
    }

    /// Checks size and hash of `source`; `progress` is told the bytes hashed so far.
    ///
    /// # Errors
    /// [`ManifestError::Mismatch`] when they differ, or when `source` cannot be read.
    pub async fn verify<S: ByteSource>(
        &self,
        source: &S,
        progress: impl FnMut(u64),
    ) -> Result<(), ManifestError> {
        self.check("size", &source.len().to_string(), &self.size.to_string())?;
        let sha256 = sha256_source(source, progress).await?;
        self.check("SHA-256", &sha256, &self.sha256)
    }

    fn check(&self, what: &'static str, found: &str, expected: &str) -> Result<(), ManifestError> {
        if found == expected {
            return Ok(());
        }
        Err(ManifestError::Mismatch {
            file: self.name.clone(),
            what,
            found: found.to_owned(),
            expected: expected.to_owned(),
        })
    }
}

/// Whether `name` stays in its folder and is writable on every system: no separators, drives, dots only,
/// control characters.
fn is_plain_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.contains(|c: char| c.is_control() || r#"/\:*?"<>|%#"#.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256_hex;
    use crate::source::MemorySource;

    fn manifest() -> Manifest {
        Manifest {
            name: "Tags".to_owned(),
            base: "smollm2-135m".to_owned(),
            adapter: Some("tags".to_owned()),
            trained_on: Some("our tags".to_owned()),
            card: Some("README.md".to_owned()),
            licence: "Apache-2.0".to_owned(),
            task_version: 1,
            presets: vec![serde_json::json!({"name": "shoes"})],
            files: vec![ManifestFile {
                name: "m.gguf".to_owned(),
                size: 3,
                sha256: sha256_hex(b"abc"),
            }],
        }
    }

    #[test]
    fn json_reads_back() {
        let json = manifest().to_json().unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest());
        assert!(Manifest::from_json(&json[1..]).is_err());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "",
            "..",
            "../m.gguf",
            "/m.gguf",
            "a/m.gguf",
            "a\\m.gguf",
            "C:m.gguf",
            ".m.gguf",
            "m\n.gguf",
            "m%2f.gguf",
            "m.txt",
            "..\\m.gguf",
        ] {
            let mut manifest = manifest();
            manifest.files[0].name = name.to_owned();
            assert!(manifest.to_json().is_err(), "{name:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let changes: [fn(&mut Manifest); 6] = [
            |manifest| manifest.card = Some("../README.md".to_owned()),
            |manifest| manifest.files.clear(),
            |manifest| manifest.files.push(manifest.files[0].clone()),
            |manifest| manifest.files[0].size = 0,
            |manifest| manifest.files[0].sha256.make_ascii_uppercase(),
            |manifest| manifest.name.clear(),
        ];
        for change in changes {
            let mut manifest = manifest();
            change(&mut manifest);
            assert!(manifest.to_json().is_err(), "{manifest:?}");
        }
    }

    #[test]
    fn verify_sees_changed_bytes() {
        let verify = |bytes: &[u8]| {
            let source = MemorySource::new("m.gguf", bytes);
            pollster::block_on(manifest().files[0].verify(&source, |_| {}))
        };
        assert!(verify(b"abc").is_ok());
        assert!(verify(b"abd").unwrap_err().to_string().contains("SHA-256"));
        assert!(verify(b"abcd").unwrap_err().to_string().contains("size is 4"));
        let source = MemorySource::new("", *b"abc");
        let described = pollster::block_on(ManifestFile::of("m.gguf", &source, |_| {}));
        assert_eq!(described.unwrap(), manifest().files[0]);
    }
}
