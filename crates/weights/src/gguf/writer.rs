//! Writing GGUF version 3.

use super::shards::{SPLIT_COUNT, SPLIT_NO, SPLIT_TENSORS_COUNT};
use super::{DEFAULT_ALIGNMENT, GgufError, MAGIC, TensorInfo};
use crate::blocks::DType;
use crate::counted::Counted;
use crate::metadata::{Array, Metadata, Value};
use std::collections::BTreeSet;
use std::io::Write;

const VERSION: u32 = 3;

/// Writes a GGUF file from metadata and tensors, whose bytes are asked for one tensor at a time.
#[derive(Debug, Clone)]
pub struct GgufWriter {
    metadata: Metadata,
    alignment: u64,
    tensors: Vec<TensorInfo>,
    names: BTreeSet<String>,
}

impl GgufWriter {
    /// A file with this metadata and no tensors yet. `general.alignment` is honoured, 32 without it.
    ///
    /// # Errors
    /// When `general.alignment` is not a power of two.
    pub fn new(metadata: Metadata) -> Result<Self, GgufError> {
        let alignment = metadata
            .opt_u32("general.alignment")
            .map_err(|source| GgufError::Metadata { file: "the file to write".to_owned(), source })?
            .map_or(DEFAULT_ALIGNMENT, u64::from);
        if !alignment.is_power_of_two() {
            return Err(GgufError::BadHeader {
                file: "the file to write".to_owned(),
                problem: format!("general.alignment is {alignment}, expected a power of two"),
            });
        }
        Ok(Self { metadata, alignment, tensors: Vec::new(), names: BTreeSet::new() })
    }

    /// Adds a tensor of row-major `shape`.
    ///
    /// # Errors
    /// When the name is taken or the shape cannot be stored as `dtype`.
    pub fn add_tensor(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
    ) -> Result<(), GgufError> {
        let tensor = TensorInfo::new(name, dtype, shape)?;
        if !self.names.insert(name.to_owned()) {
            return Err(GgufError::BadTensor {
                tensor: name.to_owned(),
                problem: "it was added twice".to_owned(),
            });
        }
        self.tensors.push(tensor);
        Ok(())
    }

    /// The tensors added, in the order in which they will be written.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Splits the file into shards whose tensors take at most `max_bytes` each (a larger tensor gets a shard of
    /// its own). One shard is returned as it was; of several, the first has all the metadata. Write them under
    /// [`super::shard_file_name`]'s names.
    pub fn split(self, max_bytes: u64) -> Vec<Self> {
        let padded =
            |tensor: &TensorInfo| (tensor.num_bytes() as u64).next_multiple_of(self.alignment);
        let mut groups: Vec<Vec<TensorInfo>> = vec![Vec::new()];
        let mut group_bytes = 0;
        for tensor in &self.tensors {
            let bytes = padded(tensor);
            let full = group_bytes + bytes > max_bytes;
            match groups.last_mut() {
                Some(group) if !full || group.is_empty() => {
                    group.push(tensor.clone());
                    group_bytes += bytes;
                }
                _ => {
                    groups.push(vec![tensor.clone()]);
                    group_bytes = bytes;
                }
            }
        }
        if groups.len() == 1 {
            return vec![self];
        }
        let (count, num_tensors) = (groups.len(), self.tensors.len());
        let shard = |(number, tensors): (usize, Vec<TensorInfo>)| {
            let mut metadata = Metadata::new();
            if number == 0 {
                metadata = self.metadata.clone();
            } else if let Some(alignment) = self.metadata.get("general.alignment") {
                metadata.insert("general.alignment", alignment.clone());
            }
            metadata.insert(SPLIT_NO, number as u16);
            metadata.insert(SPLIT_COUNT, count as u16);
            metadata.insert(SPLIT_TENSORS_COUNT, num_tensors as i32);
            Self {
                metadata,
                alignment: self.alignment,
                names: tensors.iter().map(|tensor| tensor.name.clone()).collect(),
                tensors,
            }
        };
        groups.into_iter().enumerate().map(shard).collect()
    }

    /// Writes the file to `out`. `data` gives the bytes of each tensor, in the order they were added.
    ///
    /// # Errors
    /// When writing fails, `data` fails, or it gives a number of bytes other than the tensor's.
    pub fn write(
        &self,
        out: &mut impl Write,
        data: &mut dyn FnMut(&TensorInfo) -> Result<Vec<u8>, GgufError>,
    ) -> Result<(), GgufError> {
        self.write_streamed(out, &mut |tensor, out| Ok(out.write_all(&data(tensor)?)?))
    }

    /// Writes the file to `out`. `data` writes the bytes of each tensor, in the order they were added, in pieces of
    /// whatever size.
    ///
    /// # Errors
    /// When writing fails, `data` fails, or it writes a number of bytes other than the tensor's.
    pub fn write_streamed<E: From<GgufError>>(
        &self,
        out: &mut dyn Write,
        data: &mut dyn FnMut(&TensorInfo, &mut dyn Write) -> Result<(), E>,
    ) -> Result<(), E> {
        let io = |error| E::from(GgufError::Write(error));
        out.write_all(&self.padded_header()).map_err(io)?;
        for tensor in &self.tensors {
            let mut counted = Counted { out, bytes: 0 };
            data(tensor, &mut counted)?;
            let bytes = counted.bytes;
            if bytes != tensor.num_bytes() as u64 {
                return Err(E::from(GgufError::BadTensor {
                    tensor: tensor.name.clone(),
                    problem: format!("{bytes} bytes were given, it has {}", tensor.num_bytes()),
                }));
            }
            self.pad(out, bytes)?;
        }
        out.flush().map_err(io)
    }

    fn pad(&self, mut out: &mut dyn Write, written: u64) -> Result<(), GgufError> {
        let padding = written.next_multiple_of(self.alignment) - written;
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), padding), &mut out)?;
        Ok(())
    }

    /// All that stands before the first tensor.
    pub(crate) fn padded_header(&self) -> Vec<u8> {
        let mut header = self.header();
        header.resize(header.len().next_multiple_of(self.alignment as usize), 0);
        header
    }

    fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_string(&mut out, key);
            out.extend(value.type_id().to_le_bytes());
            put_value(&mut out, value);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                out.extend((*size as u64).to_le_bytes());
            }
            out.extend(tensor.dtype.ggml_id().to_le_bytes());
            out.extend(u64::to_le_bytes(offset));
            offset += (tensor.num_bytes() as u64).next_multiple_of(self.alignment);
        }
        out
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(value) => out.extend(value.to_le_bytes()),
        Value::I8(value) => out.extend(value.to_le_bytes()),
        Value::U16(value) => out.extend(value.to_le_bytes()),
        Value::I16(value) => out.extend(value.to_le_bytes()),
        Value::U32(value) => out.extend(value.to_le_bytes()),
        Value::I32(value) => out.extend(value.to_le_bytes()),
        Value::F32(value) => out.extend(value.to_le_bytes()),
        Value::U64(value) => out.extend(value.to_le_bytes()),
        Value::I64(value) => out.extend(value.to_le_bytes()),
        Value::F64(value) => out.extend(value.to_le_bytes()),
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::String(value) => put_string(out, value),
        Value::Array(array) => put_array(out, array),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend(array.type_id().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(values) => out.extend(values),
        Array::I8(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U16(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I16(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U32(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I32(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::F32(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U64(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I64(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::F64(values) => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::Bool(values) => out.extend(values.iter().map(|&value| u8::from(value))),
        Array::String(values) => values.iter().for_each(|value| put_string(out, value)),
        Array::Array(values) => values.iter().for_each(|value| put_array(out, value)),
    }
}
