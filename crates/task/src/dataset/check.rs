use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};

use serde::Serialize;

use super::{Near, Row, near_pairs};
use crate::{RowError, ground};

/// The rows of one file.
#[derive(Debug, Clone)]
pub struct NamedRows {
    /// The file's name, as messages give it.
    pub name: String,
    /// Its rows, good and bad.
    pub rows: Vec<Result<Row, RowError>>,
}

/// Something that makes a dataset worse to train on or to measure with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file, self.line, self.problem)
    }
}

/// What can be wrong with a row, by itself or beside another.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// The row cannot be read.
    #[error("{message}")]
    Unreadable {
        /// What is wrong, and what to do.
        message: String,
    },
    /// A value that the text does not hold as it is written.
    #[error(
        "the feature {feature:?} has the value {value:?}, which the text does not hold{}: {}",
        similar.as_ref().map(|similar| format!(" (it holds {similar:?})")).unwrap_or_default(),
        if similar.is_some() { "write it as the text does" } else { "write null or correct it" }
    )]
    ValueNotInText {
        /// The feature's name.
        feature: String,
        /// The value.
        value: String,
        /// What the text has instead, where only case or white space differ.
        similar: Option<String>,
    },
    /// The text of an earlier row, but for case, white space and punctuation.
    #[error("the text is that of line {other_line}: keep one of them")]
    SameText {
        /// The earlier row's line.
        other_line: usize,
    },
    /// Nearly the text of an earlier row.
    #[error("the text is nearly that of line {other_line} ({:.0}% alike)", similarity * 100.0)]
    NearText {
        /// The earlier row's line.
        other_line: usize,
        /// Similarity of the texts, to 1.
        similarity: f64,
    },
    /// The id of a row in another file.
    #[error(
        "the id {id:?} is in {other_file}, line {other_line} too: one of the files leaks into the other"
    )]
    LeakedId {
        /// The id.
        id: String,
        /// The other file.
        other_file: String,
        /// Its line.
        other_line: usize,
    },
    /// The same or nearly the same text as a row of another file.
    #[error(
        "the text is {} in {other_file}, line {other_line} too: one of the files leaks into the other",
        if *similarity >= 1.0 { "as a whole".to_owned() } else { format!("nearly ({:.0}% alike)", similarity * 100.0) }
    )]
    LeakedText {
        /// The other file.
        other_file: String,
        /// Its line.
        other_line: usize,
        /// Similarity of the texts, to 1.
        similarity: f64,
    },
}

/// Finds what is wrong with the rows of each file, and what one file gives away of another. In the order of the files
/// and lines.
pub fn check(files: &[NamedRows]) -> Vec<Fault> {
    let good: Vec<Place<'_>> = files
        .iter()
        .enumerate()
        .flat_map(|(file, rows)| {
            rows.rows.iter().flatten().map(move |row| Place { file, name: &rows.name, row })
        })
        .collect();
    let mut faults: Vec<(usize, Fault)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        faults.extend(
            file.rows.iter().flat_map(|row| own_faults(&file.name, row)).map(|f| (index, f)),
        );
    }
    faults.extend(ids(&good));
    faults.extend(texts(&good));
    faults.sort_by_key(|(file, fault)| (*file, fault.line));
    faults.into_iter().map(|(_, fault)| fault).collect()
}

/// A good row and the file that it stands in.
struct Place<'a> {
    file: usize,
    name: &'a str,
    row: &'a Row,
}

impl Place<'_> {
    fn fault(&self, problem: Problem) -> (usize, Fault) {
        (self.file, Fault { file: self.name.to_owned(), line: self.row.line, problem })
    }
}

fn own_faults(file: &str, row: &Result<Row, RowError>) -> Vec<Fault> {
    let fault = |line, problem| Fault { file: file.to_owned(), line, problem };
    match row {
        Err(error) => {
            let message = error.problem.to_string();
            vec![fault(error.line, Problem::Unreadable { message })]
        }
        Ok(Row { line, product }) => {
            let values =
                product.features.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
            let others = product
                .alternatives
                .iter()
                .flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
            // Where one accepted answer stands in the text, the others may be in other words.
            let in_text = |name: &str| {
                product
                    .accepted(name)
                    .is_some_and(|all| all.iter().any(|v| product.text.contains(v.trim())))
            };
            values
                .chain(others)
                .filter(|(name, _)| !in_text(name))
                .map(|(name, value)| fault(*line, value_problem(&product.text, name, value)))
                .collect()
        }
    }
}

fn value_problem(text: &str, feature: &str, value: &str) -> Problem {
    Problem::ValueNotInText {
        feature: feature.to_owned(),
        value: value.to_owned(),
        similar: similar_in_text(text, value),
    }
}

/// What `text` has where it holds `value` but for case or white space.
pub(super) fn similar_in_text(text: &str, value: &str) -> Option<String> {
    let span = ground(text, value)?;
    Some(text.chars().skip(span.start).take(span.end - span.start).collect())
}

fn ids(places: &[Place<'_>]) -> Vec<(usize, Fault)> {
    let mut first_with: HashMap<&str, &Place<'_>> = HashMap::new();
    let mut faults = Vec::new();
    for place in places {
        let id = place.row.product.id.as_str();
        let first = *first_with.entry(id).or_insert(place);
        if first.file != place.file {
            faults.push(place.fault(Problem::LeakedId {
                id: id.to_owned(),
                other_file: first.name.to_owned(),
                other_line: first.row.line,
            }));
        }
    }
    faults
}

/// For each row the most similar earlier row of each file, if there is one.
fn texts(places: &[Place<'_>]) -> Vec<(usize, Fault)> {
    let texts: Vec<&str> = places.iter().map(|place| place.row.product.text.as_str()).collect();
    let mut closest: BTreeMap<(usize, usize), Near> = BTreeMap::new();
    for pair in near_pairs(&texts) {
        let Some(first) = places.get(pair.first) else { continue };
        let known = closest.entry((pair.second, first.file)).or_insert(pair);
        if pair.similarity > known.similarity {
            *known = pair;
        }
    }
    closest.into_values().filter_map(|pair| text_fault(places, pair)).collect()
}

fn text_fault(places: &[Place<'_>], pair: Near) -> Option<(usize, Fault)> {
    let (first, second) = (places.get(pair.first)?, places.get(pair.second)?);
    let other_line = first.row.line;
    // Shingles can agree where the texts do not quite.
    let similarity = if pair.same { 1.0 } else { pair.similarity.min(0.99) };
    Some(second.fault(if first.file != second.file {
        Problem::LeakedText { other_file: first.name.to_owned(), other_line, similarity }
    } else if pair.same {
        Problem::SameText { other_line }
    } else {
        Problem::NearText { other_line, similarity }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::read_rows;

    fn file(name: &str, rows: &[(&str, &str, &str)]) -> NamedRows {
        let line = |(id, text, features): &(&str, &str, &str)| {
            format!(r#"{{"id":"{id}","category":"Shoes","text":"{text}","features":{features}}}"#)
        };
        let text: Vec<String> = rows.iter().map(line).collect();
        NamedRows { name: name.to_owned(), rows: read_rows(&text.join("\n")).collect() }
    }

    fn messages(files: &[NamedRows]) -> Vec<String> {
        check(files).iter().map(Fault::to_string).collect()
    }

    #[test]
    fn good_rows_have_no_faults() {
        let rows =
            [("1", "Red shoe", r#"{"Color":"Red","Size":null}"#), ("2", "Lamp", r#"{"A":null}"#)];
        assert_eq!(
            messages(&[file("a", &rows), file("b", &[("3", "Blue hat", r#"{"A":"hat"}"#)])]),
            [""; 0]
        );
    }

    #[test]
    fn values_must_stand_in_the_text() {
        let rows =
            [("1", "Red shoe", r#"{"Color":"red","Size":"42"}"#), ("2", "x", r#"{"A":" "}"#)];
        let messages = messages(&[file("a.jsonl", &rows)]);
        assert_eq!(
            messages[..2],
            [
                "a.jsonl, line 1: the feature \"Color\" has the value \"red\", which the text does not hold \
                 (it holds \"Red\"): write it as the text does",
                "a.jsonl, line 1: the feature \"Size\" has the value \"42\", which the text does not hold: \
                 write null or correct it",
            ]
        );
        assert!(messages[2].starts_with("a.jsonl, line 2: the feature \"A\""), "{messages:?}");
    }

    #[test]
    fn one_accepted_answer_in_the_text_is_enough() {
        let line = r#"{"id":"1","category":"","text":"Red shoe","features":{"Color":"Rouge"},"alternatives":{"Color":["Red"]}}"#;
        let good = NamedRows { name: "a".to_owned(), rows: read_rows(line).collect() };
        assert_eq!(messages(&[good]), [""; 0]);
        let bad = line.replace("\"Red\"", "\"Rot\"");
        let bad = NamedRows { name: "a".to_owned(), rows: read_rows(&bad).collect() };
        assert_eq!(messages(&[bad]).len(), 2);
    }

    #[test]
    fn duplicates_and_leaks_are_told_apart() {
        let long = "Acme trail running shoe for men in navy blue with orange laces";
        let none = r#"{"A":null}"#;
        let (a, b) = (format!("{long}!"), format!("{long} new"));
        let train = file("train", &[("1", long, none), ("2", &a, none), ("3", "hat", none)]);
        let test = file("test", &[("4", &b, none), ("3", "Hat ", none)]);
        let faults = check(&[train, test]);
        let problems: Vec<(&str, usize, &Problem)> =
            faults.iter().map(|f| (f.file.as_str(), f.line, &f.problem)).collect();
        assert_eq!(problems[0], ("train", 2, &Problem::SameText { other_line: 1 }));
        assert!(
            matches!(problems[1], ("test", 1, Problem::LeakedText { similarity, .. }) if *similarity < 1.0)
        );
        assert!(matches!(problems[2], ("test", 2, Problem::LeakedId { other_line: 3, .. })));
        assert!(
            matches!(problems[3], ("test", 2, Problem::LeakedText { similarity, .. }) if *similarity == 1.0)
        );
        assert_eq!(faults.len(), 4);
        assert!(
            faults[3]
                .to_string()
                .ends_with("in train, line 3 too: one of the files leaks into the other")
        );
    }
}
