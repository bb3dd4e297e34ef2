//! Models split over several files, as llama.cpp's `gguf-split` does it.

use super::reader::Header;
use super::{GgufError, TensorInfo};
use crate::metadata::{Metadata, MetadataError};
use crate::source::ByteSource;

pub(super) const SPLIT_NO: &str = "split.no";
pub(super) const SPLIT_COUNT: &str = "split.count";
pub(super) const SPLIT_TENSORS_COUNT: &str = "split.tensors.count";

/// Name of shard `index` (from 0) of `count`: `stem-00001-of-00003.gguf`.
pub fn shard_file_name(stem: &str, index: usize, count: usize) -> String {
    format!("{stem}-{:05}-of-{count:05}.gguf", index + 1)
}

/// The names of all shards of the model that `file_name` is a shard of, or `None` when its name is no shard's.
pub fn shard_file_names(file_name: &str) -> Option<Vec<String>> {
    let rest = file_name.strip_suffix(".gguf")?;
    let (rest, count) = rest.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let parse = |digits: &str| -> Option<usize> {
        let plain = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    };
    let (number, count) = (parse(number)?, parse(count)?);
    if number == 0 || number > count {
        return None;
    }
    Some((0..count).map(|index| shard_file_name(stem, index, count)).collect())
}

type Joined<S> = (Vec<S>, Metadata, Vec<TensorInfo>);

/// Orders the shards, checks that they are all of one model, and joins their headers.
pub(super) fn join<S: ByteSource>(mut parts: Vec<(S, Header)>) -> Result<Joined<S>, GgufError> {
    let problem = |problem: String| GgufError::Shards { problem };
    let mut numbered = Vec::with_capacity(parts.len());
    let num_files = parts.len();
    for (source, header) in parts.drain(..) {
        let (number, count) = split_of(&source, &header.metadata)?;
        if count != num_files {
            return Err(problem(format!(
                "{} is one of {count} shards, and {num_files} were given; all are needed",
                source.name()
            )));
        }
        numbered.push((number, source, header));
    }
    numbered.sort_by_key(|(number, ..)| *number);
    let (mut sources, mut tensors) = (Vec::new(), Vec::new());
    let mut first = None;
    let mut expected = None;
    for (shard, (number, source, mut header)) in numbered.into_iter().enumerate() {
        if number != shard {
            return Err(problem(format!(
                "shard {} of {num_files} is missing or another is given twice ({} is shard {})",
                shard + 1,
                source.name(),
                number + 1
            )));
        }
        let total = opt(&source, header.metadata.opt_u64(SPLIT_TENSORS_COUNT))?;
        expected = expected.or(total);
        tensors.extend(header.tensors.drain(..).map(|tensor| TensorInfo { shard, ..tensor }));
        sources.push(source);
        first.get_or_insert(header.metadata);
    }
    let Some(mut metadata) = first else {
        return Err(problem("no file was given".to_owned()));
    };
    if let Some(expected) = expected
        && expected != tensors.len() as u64
    {
        return Err(problem(format!(
            "the files hold {} tensors, {expected} were split; they are not of one model",
            tensors.len()
        )));
    }
    for key in [SPLIT_NO, SPLIT_COUNT, SPLIT_TENSORS_COUNT] {
        metadata.remove(key);
    }
    Ok((sources, metadata, tensors))
}

/// Number (from 0) and count of shards; a file that is not split is shard 0 of 1.
fn split_of<S: ByteSource>(source: &S, metadata: &Metadata) -> Result<(usize, usize), GgufError> {
    let count = opt(source, metadata.opt_u32(SPLIT_COUNT))?.unwrap_or(0).max(1);
    let number = opt(source, metadata.opt_u32(SPLIT_NO))?.unwrap_or(0);
    Ok((number as usize, count as usize))
}

fn opt<S: ByteSource, T>(source: &S, value: Result<T, MetadataError>) -> Result<T, GgufError> {
    value.map_err(|error| GgufError::Metadata { file: source.name().to_owned(), source: error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_names_are_llama_cpps() {
        assert_eq!(shard_file_name("m", 0, 12), "m-00001-of-00012.gguf");
        let names = shard_file_names("a-b-00002-of-00003.gguf").unwrap();
        assert_eq!(names[0], "a-b-00001-of-00003.gguf");
        assert_eq!(names.len(), 3);
        for name in ["m.gguf", "m-1-of-2.gguf", "m-00003-of-00002.gguf", "m-00000-of-00002.gguf"] {
            assert_eq!(shard_file_names(name), None, "{name}");
        }
    }
}
