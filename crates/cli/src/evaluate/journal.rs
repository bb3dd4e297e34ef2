//! Answers on disk as they come, so that an interrupted run can go on.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use hangtag_evaluate::{Prediction, read_predictions};

use crate::failure::bad_input;

/// The answers so far, and the file that they are added to.
pub struct Journal {
    /// All answers, those of earlier runs first.
    pub predictions: Vec<Prediction>,
    ids: HashSet<String>,
    file: Option<File>,
}

impl Journal {
    /// Begins a file, or goes on with one that `answerer` began. Without a path nothing is kept on disk.
    pub fn open(path: Option<&Path>, resume: bool, answerer: &str) -> Result<Self> {
        let mut journal = Self { predictions: Vec::new(), ids: HashSet::new(), file: None };
        let Some(path) = path else { return Ok(journal) };
        let shown = path.display();
        if path.exists() {
            if !resume {
                return Err(bad_input(format!("--predictions {shown} exists"))
                    .hint("add --resume to go on with it, or name another file")
                    .into());
            }
            journal.predictions = earlier(path, answerer)?;
            journal.ids = journal.predictions.iter().map(|p| p.id.clone()).collect();
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        journal.file =
            Some(file.map_err(|error| bad_input(format!("--predictions {shown}: {error}")))?);
        Ok(journal)
    }

    /// Whether the product is done.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Keeps the answers of one product.
    pub fn add(&mut self, prediction: Prediction) -> Result<()> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&prediction)? + "\n";
            file.write_all(line.as_bytes())
                .context("writing the answers to the --predictions file")?;
        }
        self.ids.insert(prediction.id.clone());
        self.predictions.push(prediction);
        Ok(())
    }
}

/// The answers of an earlier run. A last line without an end was being written when it stopped, and is cut off.
fn earlier(path: &Path, answerer: &str) -> Result<Vec<Prediction>> {
    let shown = path.display();
    let bytes =
        fs::read(path).map_err(|error| bad_input(format!("--predictions {shown}: {error}")))?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        let file = OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(whole as u64))
            .with_context(|| format!("writing {shown}"))?;
    }
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    let mut predictions = Vec::new();
    for prediction in read_predictions(&text) {
        let prediction: Prediction =
            prediction.map_err(|error| bad_input(format!("--predictions {shown}, {error}")))?;
        match &prediction.by {
            Some(other) if other != answerer => {
                return Err(bad_input(format!(
                    "--predictions {shown} holds answers of {other:?}, and this run asks {answerer:?}"
                ))
                .hint("name another file")
                .into());
            }
            _ => predictions.push(prediction),
        }
    }
    Ok(predictions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(id: &str) -> Prediction {
        Prediction { id: id.to_owned(), by: Some("me".to_owned()), ..Prediction::default() }
    }

    #[test]
    fn a_run_that_was_cut_off_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let mut journal = Journal::open(Some(&path), false, "me").unwrap();
        journal.add(prediction("1")).unwrap();
        drop(journal);
        let half = fs::read_to_string(&path).unwrap() + "{\"id\":\"2\",\"answ";
        fs::write(&path, half).unwrap();

        assert!(Journal::open(Some(&path), false, "me").is_err());
        assert!(Journal::open(Some(&path), true, "you").is_err());
        let mut journal = Journal::open(Some(&path), true, "me").unwrap();
        assert!(journal.has("1") && !journal.has("2"));
        journal.add(prediction("2")).unwrap();
        drop(journal);
        let journal = Journal::open(Some(&path), true, "me").unwrap();
        assert_eq!(journal.predictions, [prediction("1"), prediction("2")]);
    }
}
