//! The whole state of a run in one file, so that a run that was interrupted goes on as if it had not been.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use hangtag_weights::atomic;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::kernel::Moments;

const FILE: &str = "checkpoint.safetensors";
const KEY: &str = "hangtag";

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps of the optimiser done.
    pub(crate) step: u32,
    /// Epochs done.
    pub(crate) epoch: u32,
    /// Steps done of the epoch that has begun.
    pub(crate) step_of_epoch: u32,
    /// Best F1 of the validation, and after which epoch.
    pub(crate) best: Option<(f64, u32)>,
    /// Evaluations since then.
    pub(crate) since_best: u32,
    /// What this run trains on and how: a hash that a resumed run must share.
    pub(crate) identity: String,
}

/// Where the checkpoint of the run in `folder` lies.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Writes the state beside the old one and then takes its place: an interrupted write leaves the old one.
pub(crate) fn save(folder: &Path, progress: &Progress, state: &Moments) -> Result<(), TrainError> {
    let path = path(folder);
    let broken = |problem: String| TrainError::Checkpoint { path: path.clone(), problem };
    let json = serde_json::to_string(progress).map_err(|error| broken(error.to_string()))?;
    let names = ["parameters", "first_moments", "second_moments"];
    let mut bytes: Vec<Vec<u8>> = Vec::new();
    for tensor in [&state.parameters, &state.first, &state.second] {
        let values: Vec<f32> = tensor.to_vec1()?;
        bytes.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }
    let views: Result<Vec<_>, _> = names
        .iter()
        .zip(&bytes)
        .map(|(name, bytes)| {
            TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map(|view| (*name, view))
        })
        .collect();
    let views = views.map_err(|error| broken(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    let file =
        safetensors::serialize(views, Some(metadata)).map_err(|error| broken(error.to_string()))?;
    atomic::write(&path, &file).map_err(TrainError::io(&path))
}

/// Reads the state of the run in `folder`.
pub(crate) fn load(folder: &Path, device: &Device) -> Result<(Progress, Moments), TrainError> {
    let path = path(folder);
    let broken = |problem: String| TrainError::Checkpoint { path: path.clone(), problem };
    let file = fs::read(&path).map_err(TrainError::io(&path))?;
    let damaged = |error: &dyn std::fmt::Display| {
        broken(format!("damaged ({error}): start again without --resume"))
    };
    let (_, metadata) = SafeTensors::read_metadata(&file).map_err(|error| damaged(&error))?;
    let json = metadata.metadata().as_ref().and_then(|pairs| pairs.get(KEY));
    let json = json.ok_or_else(|| broken("not a checkpoint of hangtag train".to_owned()))?;
    let progress: Progress = serde_json::from_str(json).map_err(|error| damaged(&error))?;
    let tensors = SafeTensors::deserialize(&file).map_err(|error| damaged(&error))?;
    let tensor = |name: &str| -> Result<Tensor, TrainError> {
        let view = tensors.tensor(name).map_err(|error| damaged(&error))?;
        let (words, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        let count = values.len();
        Ok(Tensor::from_vec(values, count, device)?)
    };
    let state = Moments {
        parameters: tensor("parameters")?,
        first: tensor("first_moments")?,
        second: tensor("second_moments")?,
    };
    Ok((progress, state))
}
