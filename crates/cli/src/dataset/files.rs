//! Datasets on disk: read row by row, written whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hangtag_task::{Product, read_rows};

use crate::failure::bad_input;

/// Rows that were left out, and of which file.
#[must_use = "a run that left rows out ends with exit code 2"]
pub struct BadRows {
    file: PathBuf,
    bad: usize,
    rows: usize,
}

impl BadRows {
    /// `bad` of the `rows` of `file` were left out.
    pub fn new(file: &Path, bad: usize, rows: usize) -> Self {
        Self { file: file.to_owned(), bad, rows }
    }

    /// Exit code 2 if any row was left out, after the work is done.
    pub fn outcome(&self) -> Result<()> {
        self.fail_with("the others were used; correct the lines named above and run it again")
    }

    /// Refuses to go on if any row was left out.
    pub fn refuse(&self) -> Result<()> {
        self.fail_with("correct the lines named above: what is learned from half a file is measured for nothing")
    }

    fn fail_with(&self, hint: &str) -> Result<()> {
        let Self { file, bad, rows } = self;
        match bad {
            0 => Ok(()),
            _ => Err(bad_input(format!(
                "{}: {bad} of {rows} rows could not be read",
                file.display()
            ))
            .hint(hint)
            .into()),
        }
    }
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String> {
    let shown = path.display();
    if path.is_dir() {
        return Err(bad_input(format!("{shown}: this is a folder")).hint("name a file").into());
    }
    let bytes = fs::read(path).map_err(|error| bad_input(format!("{shown}: {error}")))?;
    Ok(String::from_utf8(bytes).map_err(|error| {
        let text = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
        bad_input(format!("{shown}, line {line}: not UTF-8 text")).hint("save the file as UTF-8")
    })?)
}

/// The good products of a dataset; the bad rows are reported on standard error.
pub fn read(path: &Path) -> Result<(Vec<Product>, BadRows)> {
    let text = read_text(path)?;
    let mut products = Vec::new();
    let mut bad = 0;
    for row in read_rows(&text) {
        match row {
            Ok(row) => products.push(row.product),
            Err(error) => {
                eprintln!("error: {}, {error}", path.display());
                bad += 1;
            }
        }
    }
    let rows = products.len() + bad;
    if products.is_empty() {
        return Err(bad_input(format!("{} holds no products", path.display()))
            .hint("a dataset has one JSON object a line: hangtag dataset --help shows one")
            .into());
    }
    Ok((products, BadRows::new(path, bad, rows)))
}

/// Products as the lines of a dataset.
pub fn lines<'a>(products: impl IntoIterator<Item = &'a Product>) -> Result<String> {
    let mut lines = String::new();
    for product in products {
        lines += &serde_json::to_string(product)?;
        lines.push('\n');
    }
    Ok(lines)
}

/// Writes a file so that it is never half there: under another name first, which then takes its place.
pub fn write_whole(path: &Path, text: &str) -> Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| bad_input(format!("{}: this is no name of a file", path.display())))?;
    let mut part = name.to_owned();
    part.push(format!(".part-{}", std::process::id()));
    let part = path.with_file_name(part);
    let written = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // Nothing is left behind; that it may not exist is no second error.
        let _ = fs::remove_file(&part);
    }
    written.with_context(|| format!("writing {}", path.display()))
}
