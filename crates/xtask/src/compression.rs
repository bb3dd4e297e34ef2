//! Files in brotli and gzip, made by Node.js, which is here anyway for the wasm tests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::programs::find_on_path;

use crate::command::{output, program};

/// Bytes of a file as it is, in brotli and in gzip.
pub type Sizes = [u64; 3];

/// Prints the three sizes of each file; with `keep`, writes the compressed ones beside it.
const SCRIPT: &str = "const fs = require('fs'), zlib = require('zlib');
    const [keep, ...names] = process.argv.slice(1);
    for (const name of names) {
        const bytes = fs.readFileSync(name);
        const brotli = zlib.brotliCompressSync(bytes), gzip = zlib.gzipSync(bytes, { level: 9 });
        if (keep === 'keep') { fs.writeFileSync(`${name}.br`, brotli); fs.writeFileSync(`${name}.gz`, gzip); }
        console.log(bytes.length, brotli.length, gzip.length);
    }";

/// What each file weighs, raw and compressed.
pub fn measure(files: &[PathBuf]) -> Result<Vec<Sizes>> {
    node("measure", files)
}

/// Writes `FILE.br` and `FILE.gz` beside each file, and returns what they weigh.
pub fn compress(files: &[PathBuf]) -> Result<Vec<Sizes>> {
    node("keep", files)
}

/// A table of files, for the terminal.
pub fn print_table(files: &[PathBuf], sizes: &[Sizes]) {
    println!("      {:>11} {:>10} {:>10}", "bytes", "brotli", "gzip");
    for (file, [raw, brotli, gzip]) in files.iter().zip(sizes) {
        println!("      {raw:>11} {brotli:>10} {gzip:>10}  {}", name(file));
    }
}

/// The sums of the three.
pub fn total<'a>(sizes: impl Iterator<Item = &'a Sizes>) -> Sizes {
    sizes.fold([0; 3], |sum, one| [0, 1, 2].map(|at| sum[at] + one[at]))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
}

fn node(what: &str, files: &[PathBuf]) -> Result<Vec<Sizes>> {
    let node = find_on_path("node").context("Node.js is missing: its zlib compresses the files")?;
    let printed = output(program(node).args(["-e", SCRIPT, "--", what]).args(files))?;
    printed.lines().map(parse_sizes).collect()
}

fn parse_sizes(line: &str) -> Result<Sizes> {
    let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().ok().with_context(|| format!("node printed `{line}` instead of three sizes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_three_numbers() {
        assert_eq!(parse_sizes("10 4 5").unwrap(), [10, 4, 5]);
        assert!(parse_sizes("10 4").is_err());
        assert!(parse_sizes("10 4 x").is_err());
    }

    #[test]
    fn sums_are_by_column() {
        assert_eq!(total([[10, 4, 5], [1, 2, 3]].iter()), [11, 6, 8]);
    }
}
