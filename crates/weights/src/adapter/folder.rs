//! Adapters as folders on disk.

use super::{Adapter, AdapterError, CONFIG_FILE, WEIGHTS_FILE};
use crate::atomic;
use crate::config::ModelConfig;
use crate::safetensors::Element;
use crate::source::{FileSource, SourceError};
use std::fs;
use std::path::Path;

impl Adapter {
    /// Reads the adapter in `folder`; see [`Adapter::read`].
    ///
    /// # Errors
    /// As [`Adapter::read`], and when a file is missing.
    pub fn load(
        folder: &Path,
        model: &ModelConfig,
        base: Option<&str>,
    ) -> Result<Self, AdapterError> {
        let path = folder.join(CONFIG_FILE);
        let config = fs::read_to_string(&path).map_err(|error| io(&path, error))?;
        let path = folder.join(WEIGHTS_FILE);
        let weights = FileSource::open(&path).map_err(|error| match error {
            SourceError::Io { source, .. } => io(&path, source),
            other => io(&path, std::io::Error::other(other.to_string())),
        })?;
        pollster::block_on(Self::read(&config, weights, model, base))
    }

    /// Writes both files into `folder`, which is made where it is missing. Each file appears whole or not at all.
    ///
    /// # Errors
    /// As [`Adapter::to_files`], and when a file cannot be written.
    pub fn save(
        &self,
        folder: &Path,
        model: &ModelConfig,
        element: Element,
    ) -> Result<(), AdapterError> {
        let (config, weights) = self.to_files(model, element)?;
        fs::create_dir_all(folder).map_err(|error| io(folder, error))?;
        let files: [(&str, &[u8]); 2] =
            [(WEIGHTS_FILE, &weights), (CONFIG_FILE, config.as_bytes())];
        for (name, bytes) in files {
            let path = folder.join(name);
            atomic::write(&path, bytes).map_err(|error| io(&path, error))?;
        }
        Ok(())
    }
}

fn io(path: &Path, source: std::io::Error) -> AdapterError {
    AdapterError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::phi;
    use crate::adapter::{AdapterConfig, Linear, Lora};
    use std::collections::BTreeMap;

    #[test]
    fn folders_read_back_and_missing_files_are_named() {
        let model = ModelConfig { num_hidden_layers: 1, ..phi() };
        let config = AdapterConfig {
            base: "org/base".to_owned(),
            r: 1,
            lora_alpha: 2.0,
            lora_dropout: 0.0,
            use_rslora: true,
            targets: [Linear::V].into(),
        };
        let lora = Lora { a: vec![1.0; 8], b: vec![2.0; 8] };
        let adapter =
            Adapter { config, task_version: 1, modules: BTreeMap::from([((0, Linear::V), lora)]) };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        let missing = Adapter::load(&folder, &model, None).unwrap_err().to_string();
        assert!(missing.contains(CONFIG_FILE), "{missing}");
        adapter.save(&folder, &model, Element::F32).unwrap();
        assert_eq!(Adapter::load(&folder, &model, Some("base")).unwrap(), adapter);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left");
        fs::remove_file(folder.join(WEIGHTS_FILE)).unwrap();
        let missing = Adapter::load(&folder, &model, None).unwrap_err().to_string();
        assert!(missing.contains(WEIGHTS_FILE), "{missing}");
    }
}
