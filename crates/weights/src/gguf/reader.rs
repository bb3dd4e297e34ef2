//! Reading GGUF files by byte ranges.

use super::cursor::Cursor;
use super::{DEFAULT_ALIGNMENT, GgufError, MAGIC, MAX_DIMENSIONS, TensorInfo, shards};
use crate::blocks::DType;
use crate::metadata::{ARRAY_TYPE_ID, Array, Metadata, Value};
use crate::source::ByteSource;
use std::collections::BTreeMap;
use std::ops::Range;

/// Longest allowed key or tensor name; ggml's own limit is 64 for tensors.
const MAX_NAME_BYTES: usize = 1024;
const MAX_ARRAY_DEPTH: usize = 4;
const MAX_ALIGNMENT: u64 = 1 << 20;

/// A model in one GGUF file or in several shards, read on demand.
#[derive(Debug)]
pub struct Gguf<S> {
    shards: Vec<S>,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    index: BTreeMap<String, usize>,
}

/// The header of one file.
pub(super) struct Header {
    pub(super) metadata: Metadata,
    /// Offsets already count from the start of the file.
    pub(super) tensors: Vec<TensorInfo>,
}

impl<S: ByteSource> Gguf<S> {
    /// Reads the headers of one file or of all shards of a model, in any order.
    ///
    /// # Errors
    /// When a file cannot be read, is no GGUF of version 2 or 3, is damaged or cut, holds a tensor of an
    /// unsupported type, or shards are missing.
    pub async fn open(shards: Vec<S>) -> Result<Self, GgufError> {
        let mut parts = Vec::new();
        for source in shards {
            let header = read_header(&source).await?;
            parts.push((source, header));
        }
        let (shards, metadata, tensors) = shards::join(parts)?;
        let mut index = BTreeMap::new();
        for (place, tensor) in tensors.iter().enumerate() {
            if index.insert(tensor.name.clone(), place).is_some() {
                return Err(GgufError::BadTensor {
                    tensor: tensor.name.clone(),
                    problem: "it is in the model twice".to_owned(),
                });
            }
        }
        Ok(Self { shards, metadata, tensors, index })
    }

    /// The metadata; of sharded models, that of the first shard without the `split.` keys.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All tensors, in the order of the files.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`GgufError::NoTensor`] when there is none.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, GgufError> {
        self.index
            .get(name)
            .and_then(|&place| self.tensors.get(place))
            .ok_or_else(|| GgufError::NoTensor { tensor: name.to_owned() })
    }

    /// Whether there is a tensor called `name`.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// The bytes of a tensor as they are in the file.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn read(&self, tensor: &TensorInfo) -> Result<Vec<u8>, GgufError> {
        self.read_rows(tensor, 0..tensor.rows()).await
    }

    /// The bytes of some of a tensor's rows as they are in the file.
    ///
    /// # Errors
    /// When `rows` is not inside the tensor, or the bytes cannot be read.
    pub async fn read_rows(
        &self,
        tensor: &TensorInfo,
        rows: Range<usize>,
    ) -> Result<Vec<u8>, GgufError> {
        let bad = |problem: String| GgufError::BadTensor { tensor: tensor.name.clone(), problem };
        if rows.start > rows.end || rows.end > tensor.rows() {
            return Err(bad(format!("rows {rows:?} were asked for, it has {}", tensor.rows())));
        }
        let shard = self
            .shards
            .get(tensor.shard)
            .ok_or_else(|| bad(format!("it is of another model: no shard {}", tensor.shard)))?;
        let row_bytes = tensor.row_bytes();
        let offset = tensor.offset.saturating_add((rows.start * row_bytes) as u64);
        Ok(shard.read(offset, rows.len() * row_bytes).await?)
    }
}

/// Reads the metadata alone: for the tokenizer of a file whose tensors cannot be read.
///
/// # Errors
/// As [`Gguf::open`], but for the tensors.
pub async fn read_metadata<S: ByteSource>(source: &S) -> Result<Metadata, GgufError> {
    let mut cursor = Cursor::new(source);
    let (_, num_pairs) = read_counts(source, &mut cursor).await?;
    read_pairs(&mut cursor, num_pairs).await
}

async fn read_header<S: ByteSource>(source: &S) -> Result<Header, GgufError> {
    let mut cursor = Cursor::new(source);
    let (num_tensors, num_pairs) = read_counts(source, &mut cursor).await?;
    let metadata = read_pairs(&mut cursor, num_pairs).await?;
    let alignment = alignment(source, &cursor, &metadata)?;
    // Name length, number of dimensions, one dimension, type and offset.
    let num_tensors = cursor.count(num_tensors, 8 + 4 + 8 + 4 + 8, "tensors")?;
    let mut tensors = Vec::with_capacity(num_tensors);
    for _ in 0..num_tensors {
        tensors.push(read_tensor_info(&mut cursor).await?);
    }
    place_tensors(source, &mut tensors, cursor.position(), alignment)?;
    Ok(Header { metadata, tensors })
}

/// Reads magic and version, and returns the numbers of tensors and of metadata pairs.
async fn read_counts<S: ByteSource>(
    source: &S,
    cursor: &mut Cursor<'_, S>,
) -> Result<(u64, u64), GgufError> {
    let not_gguf = |problem: String| GgufError::NotGguf { file: source.name().to_owned(), problem };
    if source.len() < 24 {
        return Err(not_gguf("not a GGUF file".to_owned()));
    }
    let start: [u8; 8] = cursor.array().await?;
    let [a, b, c, d, version @ ..] = start;
    if [a, b, c, d] != MAGIC {
        return Err(not_gguf(format!("not a GGUF file{}", what_else(start))));
    }
    match u32::from_le_bytes(version) {
        2 | 3 => {}
        version if version.swap_bytes() <= 3 => {
            return Err(not_gguf("big-endian GGUF is not supported".to_owned()));
        }
        version => {
            return Err(not_gguf(format!(
                "GGUF version {version} is not supported, only 2 and 3; convert the model anew"
            )));
        }
    }
    Ok((cursor.u64().await?, cursor.u64().await?))
}

/// What a file that starts so is instead, where that can be told, and what to do.
fn what_else(start: [u8; 8]) -> &'static str {
    match start {
        [b'<', ..] => ": it is a web page; the address may be wrong or ask for a login",
        [b'P', b'K', ..] => {
            ": it is an archive or a checkpoint of PyTorch; take a GGUF of the model"
        }
        // The length of a header of less than 16 MB.
        [_, _, _, 0, 0, 0, 0, 0] => {
            ": it may be safetensors; `hangtag export` makes a GGUF of a model"
        }
        _ => "",
    }
}

async fn read_pairs<S: ByteSource>(
    cursor: &mut Cursor<'_, S>,
    count: u64,
) -> Result<Metadata, GgufError> {
    // Key length, type and a value of one byte.
    let count = cursor.count(count, 8 + 4 + 1, "metadata pairs")?;
    let mut metadata = Metadata::new();
    for _ in 0..count {
        let key = cursor.string("a metadata key").await?;
        check_name(cursor, "metadata key", &key)?;
        let type_id = cursor.u32().await?;
        let value = read_value(cursor, &key, type_id).await?;
        if metadata.insert(key.as_str(), value).is_some() {
            return Err(cursor.bad(format!("metadata \"{key}\" is there twice")));
        }
    }
    Ok(metadata)
}

fn check_name<S: ByteSource>(
    cursor: &Cursor<'_, S>,
    what: &str,
    name: &str,
) -> Result<(), GgufError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(cursor
            .bad(format!("a {what} has {} bytes, expected 1 to {MAX_NAME_BYTES}", name.len())));
    }
    Ok(())
}

macro_rules! scalars {
    ($($read:ident, $name:ident, $type:ty, $bytes:literal;)*) => {
        async fn read_value<S: ByteSource>(
            cursor: &mut Cursor<'_, S>, key: &str, type_id: u32,
        ) -> Result<Value, GgufError> {
            Ok(match type_id {
                $(id if id == type_ids::$name => Value::$name($read(cursor.bytes($bytes).await?)),)*
                type_ids::BOOL => {
                    let byte = cursor.bytes(1).await?[0];
                    Value::Bool(bool_of(cursor, key, byte)?)
                }
                type_ids::STRING => Value::String(cursor.string(key).await?),
                ARRAY_TYPE_ID => Value::Array(read_array(cursor, key, MAX_ARRAY_DEPTH).await?),
                other => return Err(cursor.bad(format!("metadata \"{key}\" has the unknown type {other}"))),
            })
        }

        async fn read_array<S: ByteSource>(
            cursor: &mut Cursor<'_, S>, key: &str, depth: usize,
        ) -> Result<Array, GgufError> {
            let type_id = cursor.u32().await?;
            let count = cursor.u64().await?;
            Ok(match type_id {
                $(id if id == type_ids::$name => {
                    let count = cursor.count(count, $bytes, key)?;
                    let bytes = cursor.bytes(count * $bytes).await?;
                    Array::$name(bytes.chunks_exact($bytes).map($read).collect())
                })*
                type_ids::BOOL => {
                    let count = cursor.count(count, 1, key)?;
                    let bytes = cursor.bytes(count).await?.to_vec();
                    let flags = bytes.into_iter().map(|byte| bool_of(cursor, key, byte));
                    Array::Bool(flags.collect::<Result<_, _>>()?)
                }
                type_ids::STRING => {
                    let count = cursor.count(count, 8, key)?;
                    let mut strings = Vec::with_capacity(count);
                    for _ in 0..count {
                        strings.push(cursor.string(key).await?);
                    }
                    Array::String(strings)
                }
                ARRAY_TYPE_ID if depth > 1 => {
                    let count = cursor.count(count, 12, key)?;
                    let mut arrays = Vec::with_capacity(count);
                    for _ in 0..count {
                        arrays.push(Box::pin(read_array(cursor, key, depth - 1)).await?);
                    }
                    Array::Array(arrays)
                }
                ARRAY_TYPE_ID => return Err(cursor.bad(format!("metadata \"{key}\" nests arrays too deeply"))),
                other => return Err(cursor.bad(format!("metadata \"{key}\" has elements of the unknown type {other}"))),
            })
        }

        $(fn $read(bytes: &[u8]) -> $type {
            let mut array = [0; $bytes];
            array.copy_from_slice(bytes);
            <$type>::from_le_bytes(array)
        })*
    };
}

scalars! {
    u8_of, U8, u8, 1;
    i8_of, I8, i8, 1;
    u16_of, U16, u16, 2;
    i16_of, I16, i16, 2;
    u32_of, U32, u32, 4;
    i32_of, I32, i32, 4;
    f32_of, F32, f32, 4;
    u64_of, U64, u64, 8;
    i64_of, I64, i64, 8;
    f64_of, F64, f64, 8;
}

/// The numbers that stand for the types of metadata values.
mod type_ids {
    pub(super) const U8: u32 = 0;
    pub(super) const I8: u32 = 1;
    pub(super) const U16: u32 = 2;
    pub(super) const I16: u32 = 3;
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const STRING: u32 = 8;
    pub(super) const U64: u32 = 10;
    pub(super) const I64: u32 = 11;
    pub(super) const F64: u32 = 12;
}

fn bool_of<S: ByteSource>(cursor: &Cursor<'_, S>, key: &str, byte: u8) -> Result<bool, GgufError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(cursor.bad(format!("metadata \"{key}\" is the bool {other}"))),
    }
}

/// `general.alignment`: where the tensors' data may start.
fn alignment<S: ByteSource>(
    source: &S,
    cursor: &Cursor<'_, S>,
    metadata: &Metadata,
) -> Result<u64, GgufError> {
    let alignment = metadata
        .opt_u32("general.alignment")
        .map_err(|error| GgufError::Metadata { file: source.name().to_owned(), source: error })?
        .map_or(DEFAULT_ALIGNMENT, u64::from);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        return Err(cursor.bad(format!(
            "general.alignment is {alignment}, expected a power of two up to {MAX_ALIGNMENT}"
        )));
    }
    Ok(alignment)
}

async fn read_tensor_info<S: ByteSource>(
    cursor: &mut Cursor<'_, S>,
) -> Result<TensorInfo, GgufError> {
    let name = cursor.string("a tensor name").await?;
    check_name(cursor, "tensor name", &name)?;
    let bad = |problem: String| GgufError::BadTensor { tensor: name.clone(), problem };
    let num_dimensions = cursor.u32().await? as usize;
    if num_dimensions > MAX_DIMENSIONS {
        return Err(bad(format!("it has {num_dimensions} dimensions")));
    }
    let mut shape = Vec::with_capacity(num_dimensions);
    for _ in 0..num_dimensions {
        let size = cursor.u64().await?;
        shape.push(
            usize::try_from(size).map_err(|_| bad(format!("dimension {size} is too large")))?,
        );
    }
    shape.reverse();
    let type_id = cursor.u32().await?;
    let dtype = DType::from_ggml_id(type_id).ok_or_else(|| GgufError::UnsupportedType {
        tensor: name.clone(),
        type_name: DType::ggml_type_name(type_id),
    })?;
    let offset = cursor.u64().await?;
    Ok(TensorInfo { offset, ..TensorInfo::new(name, dtype, shape)? })
}

/// Makes the offsets count from the start of the file and checks that the tensors lie inside it, apart.
fn place_tensors<S: ByteSource>(
    source: &S,
    tensors: &mut [TensorInfo],
    header_end: u64,
    alignment: u64,
) -> Result<(), GgufError> {
    let data_start = header_end.next_multiple_of(alignment);
    let mut ranges = Vec::with_capacity(tensors.len());
    for (place, tensor) in tensors.iter_mut().enumerate() {
        let bad = |problem: String| GgufError::BadTensor { tensor: tensor.name.clone(), problem };
        if !tensor.offset.is_multiple_of(alignment) {
            return Err(bad(format!("offset {} is not a multiple of {alignment}", tensor.offset)));
        }
        let start = data_start.checked_add(tensor.offset);
        let end = start.and_then(|start| start.checked_add(tensor.num_bytes() as u64));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(bad(format!("offset {} overflows", tensor.offset)));
        };
        if end > source.len() {
            return Err(bad(format!(
                "it ends at byte {end} of a file of {} bytes; {} is cut short",
                source.len(),
                source.name()
            )));
        }
        tensor.offset = start;
        ranges.push((start, end, place));
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if let [(_, end, _), (start, _, place)] = pair
            && start < end
        {
            return Err(GgufError::BadTensor {
                tensor: tensors[*place].name.clone(),
                problem: "it overlaps another tensor".to_owned(),
            });
        }
    }
    Ok(())
}
