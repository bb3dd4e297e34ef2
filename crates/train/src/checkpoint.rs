//! The whole state of a run in one file, so that a run that was interrupted goes on as if it had not been.

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use hangtag_weights::FileSource;
use hangtag_weights::atomic::AtomicFile;
use hangtag_weights::safetensors::{Element, SafeTensors, SafeTensorsError, SafeTensorsWriter};
use pollster::block_on;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::kernel::Moments;

const FILE: &str = "checkpoint.safetensors";
/// Where the file's metadata holds the progress.
const KEY: &str = "hangtag";
const NAMES: [&str; 3] = ["parameters", "first_moments", "second_moments"];

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

impl Progress {
    /// Of a run that begins.
    pub(crate) fn new(identity: String) -> Self {
        Self { step: 0, epoch: 0, step_of_epoch: 0, best: None, since_best: 0, identity }
    }
}

/// Where the checkpoint of the run in `folder` lies.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Writes the state beside the old one and then takes its place: an interrupted write leaves the old one.
pub(crate) fn save(folder: &Path, progress: &Progress, state: &Moments) -> Result<(), TrainError> {
    let path = path(folder);
    let io = TrainError::io(&path);
    let failed = |error: SafeTensorsError| io(std::io::Error::other(error));
    let json = serde_json::to_string(progress).map_err(|error| io(error.into()))?;
    let tensors = [&state.parameters, &state.first, &state.second];
    let mut writer = SafeTensorsWriter::new();
    writer.add_metadata(KEY, &json);
    for (name, tensor) in NAMES.iter().zip(tensors) {
        writer.add_tensor(name, Element::F32, tensor.dims()).map_err(failed)?;
    }
    let mut bytes = Vec::with_capacity(3);
    for tensor in tensors {
        let values: Vec<f32> = tensor.to_vec1()?;
        bytes.push(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    }
    let mut file = AtomicFile::create(&path).map_err(&io)?;
    let mut bytes_of = |name: &str, out: &mut dyn Write| {
        let of = NAMES.iter().zip(&bytes).find(|(known, _)| **known == name);
        out.write_all(of.map_or(&[], |(_, bytes)| bytes)).map_err(SafeTensorsError::Write)
    };
    writer.write(&mut file, &mut bytes_of).map_err(failed)?;
    file.commit().map_err(&io)
}

/// Reads the state of the run in `folder`.
pub(crate) fn load(folder: &Path, device: &Device) -> Result<(Progress, Moments), TrainError> {
    let path = path(folder);
    let file = FileSource::open(&path).map_err(|error| TrainError::NoCheckpoint(error.into()))?;
    let file = block_on(SafeTensors::open(file)).map_err(TrainError::NoCheckpoint)?;
    let broken = |problem: String| TrainError::Checkpoint { path: path.clone(), problem };
    let json = file.metadata().get(KEY);
    let json = json.ok_or_else(|| broken("not a checkpoint of hangtag train".to_owned()))?;
    let progress: Progress = serde_json::from_str(json)
        .map_err(|error| broken(format!("damaged ({error}): start again without --resume")))?;
    let tensor = |name: &str| -> Result<Tensor, TrainError> {
        let values = block_on(file.read_rows(name, 0..1)).map_err(TrainError::NoCheckpoint)?;
        let count = values.len();
        Ok(Tensor::from_vec(values, count, device)?)
    };
    let [parameters, first, second] = NAMES.map(tensor);
    Ok((progress, Moments { parameters: parameters?, first: first?, second: second? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back_and_what_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = || load(folder.path(), &Device::Cpu).unwrap_err().to_string();
        let end = "start again without --resume";
        assert!(error().contains(FILE) && error().ends_with(end), "{}", error());

        let tensor =
            |value: f32| Tensor::new(&[value, -0.0, f32::MIN_POSITIVE], &Device::Cpu).unwrap();
        let state = Moments { parameters: tensor(0.1), first: tensor(0.2), second: tensor(0.3) };
        let progress = Progress { best: Some((0.1, 2)), ..Progress::new("who".to_owned()) };
        save(folder.path(), &progress, &state).unwrap();
        let (read, moments) = load(folder.path(), &Device::Cpu).unwrap();
        assert_eq!(read, progress);
        let bits = |tensor: &Tensor| {
            tensor.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bits(&moments.parameters), bits(&state.parameters));
        assert_eq!(bits(&moments.first), bits(&state.first));
        assert_eq!(bits(&moments.second), bits(&state.second));

        let whole = std::fs::read(path(folder.path())).unwrap();
        std::fs::write(path(folder.path()), &whole[..whole.len() - 1]).unwrap();
        assert!(error().contains("cut short") && error().ends_with(end), "{}", error());
        SafeTensorsWriter::new()
            .write(&mut std::fs::File::create(path(folder.path())).unwrap(), &mut |_, _| {
                Ok::<(), SafeTensorsError>(())
            })
            .unwrap();
        assert!(error().ends_with("not a checkpoint of hangtag train"), "{}", error());
    }
}
