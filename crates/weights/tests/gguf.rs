//! Writing and reading back; shards; damaged files.
#![cfg(not(target_arch = "wasm32"))]

use hangtag_weights::gguf::{read_metadata, shard_file_name};
use hangtag_weights::{
    Array, ByteSource, DType, FileSource, Gguf, GgufError, GgufWriter, MemorySource, Metadata,
    Position, SourceError, TensorInfo, Tokenizer, Value,
};
use pollster::block_on;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;

fn metadata() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "llama");
    metadata.insert("general.alignment", 64_u32);
    metadata.insert("a.u8", 200_u8);
    metadata.insert("a.i8", -3_i8);
    metadata.insert("a.u16", 60_000_u16);
    metadata.insert("a.i16", -300_i16);
    metadata.insert("a.i32", -70_000_i32);
    metadata.insert("a.f32", 1.5_f32);
    metadata.insert("a.bool", true);
    metadata.insert("a.u64", u64::MAX);
    metadata.insert("a.i64", i64::MIN);
    metadata.insert("a.f64", 0.1_f64);
    metadata.insert("b.u8", vec![1_u8, 2]);
    metadata.insert("b.i8", vec![-1_i8]);
    metadata.insert("b.u16", vec![1_u16; 3]);
    metadata.insert("b.i16", vec![-1_i16; 3]);
    metadata.insert("b.u32", vec![7_u32; 5]);
    metadata.insert("b.i32", vec![-7_i32; 5]);
    metadata.insert("b.f32", Vec::<f32>::new());
    metadata.insert("b.bool", vec![true, false]);
    metadata.insert("b.string", vec!["é".to_owned(), String::new()]);
    metadata.insert("b.u64", vec![u64::MAX]);
    metadata.insert("b.i64", vec![i64::MIN]);
    metadata.insert("b.f64", vec![0.1_f64]);
    let nested = vec![Array::U8(vec![1]), Array::String(vec!["x".to_owned()])];
    metadata.insert("c.nested", Array::Array(nested));
    metadata
}

fn writer() -> GgufWriter {
    let mut writer = GgufWriter::new(metadata()).unwrap();
    writer.add_tensor("norm", DType::F32, &[3]).unwrap();
    writer.add_tensor("embd", DType::Q8_0, &[4, 64]).unwrap();
    writer.add_tensor("cube", DType::F16, &[2, 3, 5]).unwrap();
    writer.add_tensor("quant", DType::Q4_0, &[2, 32]).unwrap();
    writer
}

/// Bytes that tell every tensor from every other.
fn data(tensor: &TensorInfo) -> Vec<u8> {
    let seed = tensor.name.bytes().fold(7_u8, |a, b| a.wrapping_mul(31).wrapping_add(b));
    (0..tensor.num_bytes()).map(|at| (at as u8).wrapping_mul(3).wrapping_add(seed)).collect()
}

fn written(writer: &GgufWriter) -> Vec<u8> {
    let mut out = Vec::new();
    writer.write(&mut out, &mut |tensor| Ok(data(tensor))).unwrap();
    out
}

fn open(bytes: Vec<u8>) -> Result<Gguf<MemorySource>, GgufError> {
    block_on(Gguf::open(vec![MemorySource::new("m.gguf", bytes)]))
}

fn error(bytes: Vec<u8>) -> String {
    open(bytes).expect_err("a damaged file").to_string()
}

#[test]
fn what_was_written_reads_back() {
    let gguf = open(written(&writer())).unwrap();
    assert_eq!(gguf.metadata(), &metadata());
    let names: Vec<_> = gguf.tensors().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["norm", "embd", "cube", "quant"]);
    for tensor in gguf.tensors() {
        assert_eq!(tensor.offset % 64, 0);
        assert_eq!(block_on(gguf.read(tensor)).unwrap(), data(tensor), "{}", tensor.name);
    }
    let cube = gguf.tensor("cube").unwrap();
    assert_eq!((cube.shape.as_slice(), cube.rows(), cube.columns()), ([2, 3, 5].as_slice(), 6, 5));
    assert!(gguf.has_tensor("quant") && !gguf.has_tensor("other"));
    assert!(gguf.tensor("other").unwrap_err().to_string().contains("other"));
}

#[test]
fn wrong_tensors_are_not_written() {
    let mut writer = writer();
    assert!(writer.add_tensor("norm", DType::F32, &[3]).is_err());
    for (dtype, shape) in [
        (DType::Q4_0, [2, 33].as_slice()),
        (DType::F32, &[]),
        (DType::F32, &[0, 3]),
        (DType::F32, &[1, 1, 1, 1, 1]),
        (DType::F32, &[usize::MAX, 2]),
    ] {
        assert!(writer.add_tensor("new", dtype, shape).is_err(), "{shape:?}");
    }
    let result = writer.write(&mut Vec::new(), &mut |_| Ok(vec![0; 5]));
    assert!(result.unwrap_err().to_string().contains("norm"));
}

#[test]
fn shards_read_as_the_whole_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let shards = writer().split(300);
    assert_eq!(shards.len(), 3);
    let mut paths = Vec::new();
    for (index, shard) in shards.iter().enumerate() {
        let path = folder.path().join(shard_file_name("m", index, shards.len()));
        std::fs::write(&path, written(shard)).unwrap();
        paths.push(path);
    }
    let whole = open(written(&writer())).unwrap();
    let by_hand: Vec<_> = paths.iter().rev().map(|path| FileSource::open(path).unwrap()).collect();
    for sources in [by_hand, FileSource::open_shards(&paths[0]).unwrap()] {
        let gguf = block_on(Gguf::open(sources)).unwrap();
        assert_eq!(gguf.metadata(), whole.metadata());
        assert_eq!(gguf.tensors().count(), 4);
        for tensor in gguf.tensors() {
            assert_eq!(block_on(gguf.read(tensor)).unwrap(), data(tensor), "{}", tensor.name);
        }
    }
}

#[test]
fn incomplete_or_mixed_shards_are_refused() {
    let shards = writer().split(1);
    assert_eq!(shards.len(), 4);
    let source = |at: usize| MemorySource::new(format!("shard {at}"), written(&shards[at]));
    let problem =
        |sources: Vec<MemorySource>| block_on(Gguf::open(sources)).unwrap_err().to_string();
    assert!(problem(vec![source(0)]).contains("one of 4 shards"));
    assert!(problem(vec![source(0), source(1), source(1), source(3)]).contains("shard 3 of 4"));
    assert!(problem(vec![]).contains("no file"));
    let mut other = GgufWriter::new(Metadata::new()).unwrap();
    other.add_tensor("norm", DType::F32, &[1]).unwrap();
    other.add_tensor("more", DType::F32, &[1]).unwrap();
    let other = other.split(1);
    let twice = [&other[0], &other[0]].map(|shard| MemorySource::new("x", written(shard)));
    assert!(problem(twice.to_vec()).contains("shard 2 of 2"));
    let whole = MemorySource::new("whole", written(&writer()));
    assert!(problem(vec![whole.clone(), whole]).contains("one of 1 shards"));
}

#[test]
fn one_shard_is_the_file_itself() {
    let shards = writer().split(1 << 20);
    assert_eq!(shards.len(), 1);
    assert_eq!(written(&shards[0]), written(&writer()));
}

/// A header written by hand, to put wrong things in it.
struct Raw(Vec<u8>);

impl Raw {
    fn new(num_tensors: u64, num_pairs: u64) -> Self {
        Self(b"GGUF\x03\0\0\0".to_vec()).u64(num_tensors).u64(num_pairs)
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut raw = self.u64(text.len() as u64);
        raw.0.extend(text.as_bytes());
        raw
    }

    fn tensor(self, name: &str, ne: &[u64], type_id: u32, offset: u64) -> Self {
        let raw = self.text(name).u32(ne.len() as u32);
        ne.iter().fold(raw, |raw, &size| raw.u64(size)).u32(type_id).u64(offset)
    }

    fn zeros(mut self, count: usize) -> Vec<u8> {
        self.0.extend(vec![0; count]);
        self.0
    }
}

#[test]
fn other_files_and_versions_are_named() {
    assert!(error(b"hello".to_vec()).contains("not a GGUF"));
    assert!(error(Vec::new()).contains("not a GGUF"));
    assert!(error(vec![b'G'; 100]).contains("not a GGUF"));
    assert!(error(b"<!DOCTYPE html><html><body></body></html>".to_vec()).contains("a web page"));
    assert!(
        error(b"\x40\x10\0\0\0\0\0\0{\"__metadata__\":{}}   ".to_vec()).contains("safetensors")
    );
    let with_version = |version: u32| {
        let mut bytes = Raw::new(0, 0).zeros(0);
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        bytes
    };
    assert!(open(with_version(2)).is_ok());
    assert!(error(with_version(1)).contains("version 1"));
    assert!(error(with_version(4)).contains("version 4"));
    assert!(error(with_version(3_u32.swap_bytes())).contains("big-endian"));
}

#[test]
fn counts_that_the_file_cannot_hold_are_refused() {
    assert!(error(Raw::new(u64::MAX, 0).zeros(100)).contains("tensors"));
    assert!(error(Raw::new(0, u64::MAX / 8).zeros(100)).contains("metadata pairs"));
    assert!(error(Raw::new(0, 1).u64(1 << 40).zeros(100)).contains("metadata key"));
    for type_id in [0, 4, 7, 8, 9, 12] {
        let array = Raw::new(0, 1).text("key").u32(9).u32(type_id).u64(1 << 60);
        assert!(error(array.zeros(100)).contains("key"), "type {type_id}");
    }
    let nested = (0..20).fold(Raw::new(0, 1).text("deep").u32(9), |raw, _| raw.u32(9).u64(1));
    assert!(error(nested.zeros(100)).contains("too deeply"));
}

#[test]
fn bad_metadata_is_refused() {
    let key = |type_id: u32| Raw::new(0, 1).text("key").u32(type_id);
    assert!(error(key(77).zeros(50)).contains("unknown type 77"));
    assert!(error(key(9).u32(77).zeros(50)).contains("unknown type 77"));
    assert!(error(key(7).u32(2).zeros(50)).contains("bool 2"));
    let mut not_utf8 = key(8).text("ab").zeros(50);
    let at = not_utf8.windows(2).position(|pair| pair == b"ab").unwrap();
    not_utf8[at] = 0xFF;
    assert!(error(not_utf8).contains("not UTF-8"));
    let twice = Raw::new(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(2);
    assert!(error(twice.zeros(50)).contains("twice"));
    assert!(error(Raw::new(0, 1).text("").u32(4).u32(1).zeros(50)).contains("0 bytes"));
    for alignment in [0, 3, 1 << 30] {
        let raw = Raw::new(0, 1).text("general.alignment").u32(4).u32(alignment);
        assert!(error(raw.zeros(50)).contains("general.alignment"), "{alignment}");
    }
    let raw = Raw::new(0, 1).text("general.alignment").u32(8).text("x");
    assert!(error(raw.zeros(50)).contains("general.alignment"));
}

#[test]
fn bad_tensors_are_refused() {
    let good = |offset| Raw::new(1, 0).tensor("t", &[8], 0, offset);
    assert!(open(good(0).zeros(100)).is_ok());
    assert!(error(good(0).zeros(10)).contains("cut short"));
    assert!(error(good(7).zeros(100)).contains("multiple of 32"));
    assert!(error(good(u64::MAX - 31).zeros(100)).contains("overflows"));
    assert!(error(good(1 << 40).zeros(100)).contains("cut short"));
    let tensor = |ne: &[u64], type_id| error(Raw::new(1, 0).tensor("t", ne, type_id, 0).zeros(100));
    assert!(tensor(&[0], 0).contains("zero"));
    assert!(tensor(&[], 0).contains("0 dimensions"));
    assert!(tensor(&[1; 5], 0).contains("5 dimensions"));
    assert!(tensor(&[1 << 40, 1 << 40], 0).contains("too large"));
    assert!(tensor(&[31], 2).contains("whole blocks"));
    assert!(tensor(&[256], 16).contains("IQ2_XXS"));
    let two = |second: &str, offset| {
        Raw::new(2, 0).tensor("t", &[16], 0, 0).tensor(second, &[8], 0, offset).zeros(300)
    };
    assert!(open(two("u", 64)).is_ok());
    assert!(error(two("t", 64)).contains("twice"));
    assert!(error(two("u", 32)).contains("overlaps"));
    assert!(error(two("u", 0)).contains("overlaps"));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = written(&writer());
    for length in 0..bytes.len() - 64 {
        assert!(open(bytes[..length].to_vec()).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn metadata_is_read_without_looking_at_the_tensors() {
    let bytes = Raw::new(1, 1).text("key").u32(8).text("value").tensor("t", &[256], 16, 0).zeros(0);
    let metadata = block_on(read_metadata(&MemorySource::new("m", bytes))).unwrap();
    assert_eq!(metadata.get("key"), Some(&Value::from("value")));
}

#[test]
fn headers_longer_than_a_chunk_are_read() {
    let mut metadata = metadata();
    let tokens: Vec<String> = (0..100_000).map(|id| format!("token number {id}")).collect();
    metadata.insert("tokens", tokens);
    metadata.insert("numbers", vec![0.5_f32; 400_000]);
    let mut writer = GgufWriter::new(metadata.clone()).unwrap();
    writer.add_tensor("t", DType::F32, &[4]).unwrap();
    let bytes = written(&writer);
    assert!(bytes.len() > 3_000_000);
    let source = Counting::new(bytes.clone());
    block_on(Gguf::open(vec![&source])).unwrap();
    let lengths = source.lengths.into_inner();
    assert!(lengths.len() < 20 && lengths.iter().all(|length| *length <= 600_000), "{lengths:?}");
    let gguf = open(bytes).unwrap();
    assert_eq!(gguf.metadata(), &metadata);
    let tensor = gguf.tensor("t").unwrap();
    assert_eq!(block_on(gguf.read(tensor)).unwrap(), data(tensor));
}

#[test]
fn of_a_large_file_with_a_short_header_little_is_read() {
    let mut writer = writer();
    writer.add_tensor("large", DType::F32, &[1 << 20]).unwrap();
    let source = Counting::new(written(&writer));
    block_on(Gguf::open(vec![&source])).unwrap();
    assert_eq!(source.lengths.into_inner(), [16 * 1024]);
}

/// Remembers how much is read at a time.
struct Counting {
    bytes: MemorySource,
    lengths: RefCell<Vec<usize>>,
}

impl Counting {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: MemorySource::new("counted", bytes), lengths: RefCell::default() }
    }
}

impl ByteSource for Counting {
    fn name(&self) -> &str {
        self.bytes.name()
    }

    fn len(&self) -> u64 {
        self.bytes.len()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
        self.lengths.borrow_mut().push(length);
        self.bytes.read(offset, length).await
    }
}

/// Does all that can be done with a file. Whether parts refuse does not matter, only that they return.
fn read_everything(bytes: Vec<u8>) -> Reached {
    let Ok(gguf) = open(bytes) else { return Reached::Nothing };
    for tensor in gguf.tensors() {
        let bytes = block_on(gguf.read(tensor)).unwrap();
        hangtag_weights::blocks::dequantize(tensor.dtype, &bytes).unwrap();
    }
    let _ = hangtag_weights::ModelConfig::from_gguf(&gguf);
    let Ok(tokenizer) = Tokenizer::from_gguf(gguf.metadata()) else { return Reached::File };
    let ids = tokenizer.encode("Größe: 42 cm </s>\n", Position::Start).unwrap();
    tokenizer.decode(&ids);
    tokenizer.stop_tokens();
    Reached::Tokenizer
}

/// How far a damaged file could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Nothing,
    File,
    Tokenizer,
}

/// Damages files in many ways, and sees to it that enough of them get past each check.
#[test]
fn mutated_files_never_panic() {
    // Single bits: whole bytes would mostly break UTF-8 or a length, and so test only those checks.
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), 0..8), 1..4);
    let cut = prop::option::weighted(0.1, any::<prop::sample::Index>());
    let files = [
        written(&writer()),
        include_bytes!("golden/llama.gguf").to_vec(),
        include_bytes!("golden/phi-2.gguf").to_vec(),
    ];
    let reached = RefCell::new(Vec::new());
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let result = runner.run(&(changes, cut), |(changes, cut)| {
        for mut bytes in files.clone() {
            for (at, bit) in &changes {
                let at = at.index(bytes.len());
                bytes[at] ^= 1_u8 << bit;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            reached.borrow_mut().push(read_everything(bytes));
        }
        Ok(())
    });
    result.unwrap();
    for stage in [Reached::Nothing, Reached::File, Reached::Tokenizer] {
        let count = reached.borrow().iter().filter(|&&reached| reached == stage).count();
        assert!(count > 100, "{count} of 6000 reached {stage:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_after_the_magic_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(bytes);
        read_everything(file);
    }

    #[test]
    fn any_floats_and_shapes_read_back(
        rows in 1_usize..5, blocks in 1_usize..4, max_bytes in 1_u64..2000,
        bits in any::<u32>(),
    ) {
        let mut writer = GgufWriter::new(Metadata::new()).unwrap();
        let values = vec![f32::from_bits(bits); rows * blocks * 256];
        for dtype in DType::ALL {
            writer.add_tensor(dtype.name(), dtype, &[rows, blocks * 256]).unwrap();
        }
        let shards = writer.split(max_bytes);
        let sources = shards.iter().map(|shard| {
            let mut out = Vec::new();
            shard.write(&mut out, &mut |tensor| {
                Ok(hangtag_weights::blocks::quantize(tensor.dtype, &values).unwrap_or_else(|_| data(tensor)))
            }).unwrap();
            MemorySource::new("shard", out)
        });
        let gguf = block_on(Gguf::open(sources.collect())).unwrap();
        prop_assert_eq!(gguf.tensors().count(), DType::ALL.len());
        let stored = block_on(gguf.read(gguf.tensor("F32").unwrap())).unwrap();
        prop_assert_eq!(stored, hangtag_weights::blocks::quantize(DType::F32, &values).unwrap());
    }
}
