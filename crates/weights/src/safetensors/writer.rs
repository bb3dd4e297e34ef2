//! Writing, one tensor at a time.

use super::{Element, METADATA, SafeTensorsError};
use crate::counted::Counted;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Writes a safetensors file from tensors whose bytes are asked for one tensor at a time.
#[derive(Debug, Clone, Default)]
pub struct SafeTensorsWriter {
    metadata: BTreeMap<String, String>,
    tensors: Vec<Planned>,
    names: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Planned {
    name: String,
    element: Element,
    shape: Vec<usize>,
}

impl Planned {
    fn num_bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.element.bytes() as u64
    }
}

impl SafeTensorsWriter {
    /// A file without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair to what the file says of itself; `format` is "pt" already.
    pub fn add_metadata(&mut self, key: &str, value: &str) {
        self.metadata.insert(key.to_owned(), value.to_owned());
    }

    /// Adds a tensor of row-major `shape`.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn add_tensor(
        &mut self,
        name: &str,
        element: Element,
        shape: &[usize],
    ) -> Result<(), SafeTensorsError> {
        if !self.names.insert(name.to_owned()) {
            return Err(SafeTensorsError::BadTensor {
                file: "the file to write".to_owned(),
                tensor: name.to_owned(),
                problem: "it was added twice".to_owned(),
            });
        }
        self.tensors.push(Planned { name: name.to_owned(), element, shape: shape.to_vec() });
        // Larger elements first, as the format's own library orders them, so that all are aligned.
        self.tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.element.bytes()));
        Ok(())
    }

    /// The names of the tensors, in the order in which they will be written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str())
    }

    /// Size of all tensors in bytes.
    pub fn num_bytes(&self) -> u64 {
        self.tensors.iter().map(Planned::num_bytes).sum()
    }

    /// Writes the file to `out`. `data` writes the bytes of the tensor that it is given the name of.
    ///
    /// # Errors
    /// When writing fails, `data` fails, or it writes a number of bytes other than the tensor's.
    pub fn write<E: From<SafeTensorsError>>(
        &self,
        out: &mut dyn Write,
        data: &mut dyn FnMut(&str, &mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let header = self.header();
        let io = |error| E::from(SafeTensorsError::Write(error));
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
        out.write_all(header.as_bytes()).map_err(io)?;
        for tensor in &self.tensors {
            let mut counted = Counted { out, bytes: 0 };
            data(&tensor.name, &mut counted)?;
            if counted.bytes != tensor.num_bytes() {
                return Err(E::from(SafeTensorsError::BadTensor {
                    file: "the file to write".to_owned(),
                    tensor: tensor.name.clone(),
                    problem: format!(
                        "{} bytes were given, it has {}",
                        counted.bytes,
                        tensor.num_bytes()
                    ),
                }));
            }
        }
        out.flush().map_err(io)
    }

    fn header(&self) -> String {
        let mut header = serde_json::Map::new();
        // transformers refuses files that do not say what they were made for.
        let mut metadata = BTreeMap::from([("format", "pt")]);
        metadata.extend(self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        header.insert(METADATA.to_owned(), serde_json::json!(metadata));
        let mut offset = 0;
        for tensor in &self.tensors {
            let end = offset + tensor.num_bytes();
            let described = serde_json::json!({
                "dtype": tensor.element.name(),
                "shape": tensor.shape,
                "data_offsets": [offset, end],
            });
            header.insert(tensor.name.clone(), described);
            offset = end;
        }
        let mut header = serde_json::Value::from(header).to_string();
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safetensors::SafeTensors;
    use crate::source::MemorySource;

    fn written(lengths: usize) -> Result<Vec<u8>, SafeTensorsError> {
        let mut writer = SafeTensorsWriter::new();
        writer.add_metadata("made by", "a \"test\"");
        writer.add_tensor("half", Element::F16, &[3])?;
        writer.add_tensor("whole", Element::F32, &[1, 2])?;
        assert_eq!(writer.names().collect::<Vec<_>>(), ["whole", "half"]);
        assert!(writer.add_tensor("half", Element::F32, &[1]).is_err());
        let mut out = Vec::new();
        writer.write(&mut out, &mut |name, out| {
            let bytes: Vec<u8> = match name {
                "whole" => [1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
                _ => vec![0; lengths],
            };
            out.write_all(&bytes).map_err(SafeTensorsError::Write)
        })?;
        Ok(out)
    }

    #[test]
    fn what_is_written_reads_back() {
        let source = MemorySource::new("m", written(6).unwrap());
        let file = pollster::block_on(SafeTensors::open(source)).unwrap();
        let pairs = [("format", "pt"), ("made by", "a \"test\"")];
        assert!(file.metadata().iter().map(|(key, value)| (&**key, &**value)).eq(pairs));
        assert_eq!(pollster::block_on(file.read("whole", &[1, 2])).unwrap(), [1.0, 2.0]);
        assert!(file.tensor("whole").unwrap().offset.is_multiple_of(8));
        assert_eq!(pollster::block_on(file.read("half", &[3])).unwrap(), [0.0; 3]);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let message = written(5).unwrap_err().to_string();
        assert!(message.ends_with("tensor half: 5 bytes were given, it has 6"), "{message}");
    }
}
