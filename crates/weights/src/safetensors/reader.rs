//! Reading the header, and tensors by byte ranges.

use super::{Element, METADATA, SafeTensorsError};
use crate::blocks;
use crate::source::ByteSource;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// Longest header read; the format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Bytes before the header: its length.
const LENGTH_BYTES: usize = 8;

/// A safetensors file, read on demand.
#[derive(Debug)]
pub struct SafeTensors<S> {
    source: S,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

/// Type, shape and place of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The format's name of the elements' type, which may be one that is not read.
    pub element_name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// First byte of the tensor in the file.
    pub offset: u64,
    /// Size in bytes.
    pub num_bytes: usize,
}

/// A tensor as the header describes it; offsets count from the end of the header.
#[derive(Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl Tensor {
    /// Number of rows: the product of all dimensions but the last; 1 for a vector.
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    /// Number of elements of a row.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

impl<S: ByteSource> SafeTensors<S> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// When the file cannot be read, is no safetensors file, is cut short, or a tensor's size contradicts its shape.
    pub async fn open(source: S) -> Result<Self, SafeTensorsError> {
        let bad = |problem: String| SafeTensorsError::BadHeader {
            file: source.name().to_owned(),
            problem,
        };
        if source.len() < LENGTH_BYTES as u64 {
            return Err(bad(format!("it has {} bytes", source.len())));
        }
        let mut length = [0; LENGTH_BYTES];
        length.copy_from_slice(&source.read(0, LENGTH_BYTES).await?);
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES || length > source.len() - LENGTH_BYTES as u64 {
            return Err(bad(format!("a header of {length} bytes in {} bytes", source.len())));
        }
        let json = source.read(LENGTH_BYTES as u64, length as usize).await?;
        let mut described: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&json).map_err(|error| bad(format!("its header: {error}")))?;
        let metadata: Option<BTreeMap<String, String>> =
            serde_json::from_value(described.remove(METADATA).unwrap_or_default())
                .map_err(|error| bad(format!("its {METADATA}: {error}")))?;
        let metadata = metadata.unwrap_or_default();
        let data_start = LENGTH_BYTES as u64 + length;
        let mut tensors = BTreeMap::new();
        for (name, value) in described {
            let tensor = place(&source, &name, value, data_start)?;
            tensors.insert(name, tensor);
        }
        refuse_overlaps(&source, &tensors)?;
        Ok(Self { source, metadata, tensors })
    }

    /// What error messages call the file.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// What the file says of itself: free pairs of texts.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// All tensors with their names, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`SafeTensorsError::NoTensor`] when there is none.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, SafeTensorsError> {
        self.tensors.get(name).ok_or_else(|| SafeTensorsError::NoTensor {
            file: self.name().to_owned(),
            tensor: name.to_owned(),
        })
    }

    /// The numbers of a float tensor's rows, (rows, columns) row-major.
    ///
    /// # Errors
    /// When there is no such tensor, it holds no F32, F16 or BF16, `rows` is not inside it, or reading fails.
    pub async fn read_rows(
        &self,
        name: &str,
        rows: Range<usize>,
    ) -> Result<Vec<f32>, SafeTensorsError> {
        let tensor = self.tensor(name)?;
        let bad = |problem: String| self.bad_tensor(name, problem);
        let dtype = Element::from_name(&tensor.element_name).and_then(Element::dtype);
        let dtype = dtype.ok_or_else(|| {
            bad(format!("it holds {}; F32, F16 and BF16 are read", tensor.element_name))
        })?;
        if rows.start > rows.end || rows.end > tensor.rows() {
            return Err(bad(format!("rows {rows:?} were asked for, it has {}", tensor.rows())));
        }
        let row_bytes = tensor.columns() * dtype.block_bytes();
        let offset = tensor.offset + (rows.start * row_bytes) as u64;
        let bytes = self.source.read(offset, rows.len() * row_bytes).await?;
        blocks::dequantize(dtype, &bytes).map_err(|error| bad(error.to_string()))
    }

    /// All numbers of a float tensor of known `shape`, row-major.
    ///
    /// # Errors
    /// As [`Self::read_rows`], and when the shape is another.
    pub async fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, SafeTensorsError> {
        let tensor = self.tensor(name)?;
        if tensor.shape != shape {
            let problem = format!("its shape is {:?}, expected {shape:?}", tensor.shape);
            return Err(self.bad_tensor(name, problem));
        }
        self.read_rows(name, 0..tensor.rows()).await
    }

    fn bad_tensor(&self, tensor: &str, problem: String) -> SafeTensorsError {
        SafeTensorsError::BadTensor {
            file: self.name().to_owned(),
            tensor: tensor.to_owned(),
            problem,
        }
    }
}

fn place<S: ByteSource>(
    source: &S,
    name: &str,
    value: serde_json::Value,
    data_start: u64,
) -> Result<Tensor, SafeTensorsError> {
    let bad = |problem: String| SafeTensorsError::BadTensor {
        file: source.name().to_owned(),
        tensor: name.to_owned(),
        problem,
    };
    let described: Described =
        serde_json::from_value(value).map_err(|error| bad(format!("its description: {error}")))?;
    let [start, end] = described.data_offsets;
    let in_file = data_start.checked_add(end).is_some_and(|end| end <= source.len());
    if start > end || !in_file {
        return Err(bad(format!("bytes {start}..{end} lie outside the file; it may be cut short")));
    }
    let num_bytes = usize::try_from(end - start).map_err(|_| bad("it is too large".to_owned()))?;
    if let Some(element) = Element::from_name(&described.dtype) {
        let sizes = described.shape.iter();
        let expected = sizes.copied().try_fold(element.bytes(), usize::checked_mul);
        if expected != Some(num_bytes) {
            return Err(bad(format!(
                "{num_bytes} bytes for shape {:?} of {}",
                described.shape, described.dtype
            )));
        }
    }
    Ok(Tensor {
        element_name: described.dtype,
        shape: described.shape,
        offset: data_start + start,
        num_bytes,
    })
}

fn refuse_overlaps<S: ByteSource>(
    source: &S,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(), SafeTensorsError> {
    let range = |tensor: &Tensor| (tensor.offset, tensor.offset + tensor.num_bytes as u64);
    let mut placed: Vec<_> = tensors.iter().map(|(name, tensor)| (range(tensor), name)).collect();
    placed.sort_unstable();
    for pair in placed.windows(2) {
        if let [((_, end), _), ((start, _), name)] = pair
            && start < end
        {
            return Err(SafeTensorsError::BadTensor {
                file: source.name().to_owned(),
                tensor: (*name).clone(),
                problem: "it overlaps another tensor".to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;
    use proptest::prelude::*;

    fn open(header: &str, data: &[u8]) -> Result<SafeTensors<MemorySource>, SafeTensorsError> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        pollster::block_on(SafeTensors::open(MemorySource::new("m.safetensors", bytes)))
    }

    #[test]
    fn numbers_of_all_float_types_are_read() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
            "b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},
            "c":{"dtype":"F16","shape":[1],"data_offsets":[12,14]},
            "d":{"dtype":"I64","shape":[1],"data_offsets":[14,22]}}"#;
        let mut data = Vec::new();
        data.extend([1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
        data.extend([0x80, 0x3F, 0x00, 0x40, 0x00, 0x3C]);
        data.extend([0; 8]);
        let file = open(header, &data).unwrap();
        let read = |name, rows| pollster::block_on(file.read_rows(name, rows));
        assert_eq!(read("a", 1..2).unwrap(), [-2.0]);
        assert_eq!(read("b", 0..1).unwrap(), [1.0, 2.0]);
        assert_eq!(read("c", 0..1).unwrap(), [1.0]);
        let message = |result: Result<Vec<f32>, SafeTensorsError>| result.unwrap_err().to_string();
        assert!(message(read("d", 0..1)).contains("tensor d: it holds I64"));
        assert!(message(read("a", 1..3)).contains("rows 1..3"));
        assert_eq!(message(read("e", 0..1)), "m.safetensors has no tensor e");
        let shaped = pollster::block_on(file.read("a", &[2]));
        assert!(message(shaped).contains("its shape is [2, 1], expected [2]"));
    }

    #[test]
    fn contradictions_are_refused() {
        for (header, what) in [
            ("[]", "header"),
            (r#"{"__metadata__":{"format":1}}"#, "__metadata__"),
            (r#"{"a":{"dtype":"F32"}}"#, "tensor a"),
            (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "4 bytes for shape [2]"),
            (r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, "cut short"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "outside"),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                    "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                "tensor b: it overlaps",
            ),
        ] {
            let message = open(header, &[0; 8]).unwrap_err().to_string();
            assert!(message.contains(what), "{header}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let source = MemorySource::new("m", bytes);
            prop_assert!(pollster::block_on(SafeTensors::open(source)).is_err());
        }
    }
}
