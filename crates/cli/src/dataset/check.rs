//! `hangtag dataset check`: what is wrong with datasets.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_task::dataset::{Fault, NamedRows, check};
use hangtag_task::read_rows;
use serde::Serialize;

use super::args::CheckArgs;
use super::files::read_text;
use crate::failure::bad_input;

/// All that was found.
#[derive(Serialize)]
struct Report<'a> {
    files: Vec<File<'a>>,
    faults: &'a [Fault],
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    rows: usize,
    faults: usize,
}

pub fn run(args: &CheckArgs) -> Result<()> {
    let mut files = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let rows = read_rows(&read_text(path)?).collect();
        files.push(NamedRows { name: path.display().to_string(), rows });
    }
    let faults = check(&files);
    let file =
        |file: &NamedRows| (file.rows.len(), faults.iter().filter(|f| f.file == file.name).count());
    let mut text = String::new();
    if args.json {
        let files = files.iter().map(|named| {
            let (rows, faults) = file(named);
            File { name: &named.name, rows, faults }
        });
        text = serde_json::to_string(&Report { files: files.collect(), faults: &faults })? + "\n";
    } else {
        for fault in &faults {
            text += &format!("{fault}\n");
        }
        for named in &files {
            let (rows, faults) = file(named);
            text += &format!("{}: {rows} rows, {faults} faults\n", named.name);
        }
    }
    stdout().write_all(text.as_bytes())?;
    match faults.len() {
        0 => Ok(()),
        1 => Err(bad_input("1 fault was found").into()),
        count => Err(bad_input(format!("{count} faults were found")).into()),
    }
}
