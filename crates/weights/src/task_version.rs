//! Where files say which form of the prompt a model was trained on. What the numbers mean is for the crate `hangtag-task`
//! to say; here they are carried from the adapter to the merged weights.

use crate::metadata::{Metadata, MetadataError};
use crate::safetensors::{SafeTensors, SafeTensorsError, SafeTensorsWriter};
use crate::source::ByteSource;

/// What a file that says nothing means: a base, or one made when there was no other.
pub const UNSAID: u32 = 1;

/// The key in the metadata of GGUF and of safetensors.
const KEY: &str = "hangtag.task_version";

/// The version that a GGUF file's metadata name, or [`UNSAID`].
///
/// # Errors
/// When it is no whole number.
pub fn of_metadata(metadata: &Metadata) -> Result<u32, MetadataError> {
    Ok(metadata.opt_u32(KEY)?.unwrap_or(UNSAID))
}

/// Puts `version` in the place of the one that `metadata` may have.
pub fn replace_in(metadata: &mut Metadata, version: u32) {
    if version == UNSAID {
        metadata.remove(KEY);
    } else {
        metadata.insert(KEY, version);
    }
}

/// The version that a safetensors file names, or [`UNSAID`].
pub(crate) fn of_file<S: ByteSource>(file: &SafeTensors<S>) -> Result<u32, SafeTensorsError> {
    let Some(said) = file.metadata().get(KEY) else { return Ok(UNSAID) };
    said.parse().map_err(|_| SafeTensorsError::BadHeader {
        file: file.name().to_owned(),
        problem: format!("{KEY} is {said:?}, and not a whole number"),
    })
}

/// Has a safetensors file name `version`.
pub(crate) fn add_to(writer: &mut SafeTensorsWriter, version: u32) {
    if version != UNSAID {
        writer.add_metadata(KEY, &version.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    #[test]
    fn versions_read_back_and_are_whole_numbers() {
        let mut metadata = Metadata::new();
        for version in [2, 7, UNSAID] {
            replace_in(&mut metadata, version);
            assert_eq!(of_metadata(&metadata).unwrap(), version);
        }
        assert!(metadata.is_empty());
        metadata.insert(KEY, "two");
        assert!(of_metadata(&metadata).unwrap_err().to_string().contains(KEY));
    }

    #[test]
    fn files_say_it_too() {
        let of = |writer: SafeTensorsWriter| {
            let mut bytes = Vec::new();
            writer.write(&mut bytes, &mut |_, _| Ok::<_, SafeTensorsError>(())).unwrap();
            let file = SafeTensors::open(MemorySource::new("a.safetensors", bytes));
            of_file(&pollster::block_on(file).unwrap())
        };
        for version in [UNSAID, 2] {
            let mut writer = SafeTensorsWriter::new();
            add_to(&mut writer, version);
            assert_eq!(of(writer).unwrap(), version);
        }
        let mut writer = SafeTensorsWriter::new();
        writer.add_metadata(KEY, "two");
        let error = of(writer).unwrap_err().to_string();
        assert!(error.contains("a.safetensors") && error.contains("\"two\""), "{error}");
    }
}
