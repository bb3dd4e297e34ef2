//! Products with known features, one JSON object a line.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, answer_text, parse_answer};
use crate::feature::validate_name;
use crate::{MAX_FEATURES, RowError, RowProblem, TaskError};

/// One product of a dataset: its text and what it says of each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Its name in the dataset.
    pub id: String,
    /// Category of products, e.g. `Shoes`.
    pub category: String,
    /// The description.
    pub text: String,
    /// Name of each feature and its value, `None` where the text gives none; in the file's order.
    pub features: IndexMap<String, Option<String>>,
    /// The features that the published metric counts; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored: Option<Vec<String>>,
    /// Further answers that are right, by feature.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub alternatives: IndexMap<String, Vec<String>>,
    /// Fields of the row that mean nothing here; they are written as they were read.
    #[serde(flatten)]
    pub other_fields: IndexMap<String, serde_json::Value>,
}

impl Product {
    /// Reads one line of a dataset and checks it.
    ///
    /// # Errors
    /// What is wrong with it, naming the column or the feature.
    pub fn from_json(line: &str) -> Result<Self, RowProblem> {
        let product: Self = serde_json::from_str(line).map_err(|error| json_problem(&error))?;
        product.validate()?;
        Ok(product)
    }

    /// The accepted answers for a feature: its value first, then the alternatives. `None` where the text gives no value.
    pub fn accepted(&self, name: &str) -> Option<Vec<&str>> {
        let value = self.features.get(name)?.as_deref()?;
        let alternatives = self.alternatives.get(name).into_iter().flatten();
        Some(std::iter::once(value).chain(alternatives.map(String::as_str)).collect())
    }

    /// Whether the published metric counts a feature of this row.
    pub fn is_scored(&self, name: &str) -> bool {
        self.scored.as_ref().is_none_or(|scored| scored.iter().any(|scored| scored == name))
    }

    pub(super) fn validate(&self) -> Result<(), RowProblem> {
        if self.text.trim().is_empty() {
            return Err(TaskError::BlankText.into());
        }
        if self.features.is_empty() {
            return Err(TaskError::NoFeatures.into());
        }
        if self.features.len() > MAX_FEATURES {
            return Err(TaskError::TooManyFeatures { count: self.features.len() }.into());
        }
        for (index, (name, value)) in self.features.iter().enumerate() {
            validate_name(name, index + 1)?;
            check_value(name, value.as_ref())?;
        }
        for (name, values) in &self.alternatives {
            if !matches!(self.features.get(name), Some(Some(_))) {
                return Err(RowProblem::NoValue { feature: name.clone() });
            }
            values.iter().try_for_each(|value| check_value(name, Some(value)))?;
        }
        match self.scored.iter().flatten().find(|name| !self.features.contains_key(*name)) {
            Some(name) => Err(RowProblem::NotAFeature { feature: name.clone() }),
            None => Ok(()),
        }
    }
}

/// A value that reads as "none" could be neither learned nor scored.
fn check_value(name: &str, value: Option<&String>) -> Result<(), RowProblem> {
    match value {
        Some(value) if parse_answer(&answer_text(Some(value))) == Answer::None => {
            Err(RowProblem::NotAValue { feature: name.to_owned(), value: value.clone() })
        }
        _ => Ok(()),
    }
}

fn json_problem(error: &serde_json::Error) -> RowProblem {
    // A row is one line, so "at line 1" would contradict the file's line.
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    RowProblem::Json {
        message: match message.strip_suffix(&place) {
            Some(message) => format!("column {}: {message}", error.column()),
            None => message,
        },
    }
}

/// A product and where it stands in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line, from 1.
    pub line: usize,
    /// The product.
    pub product: Product,
}

/// Reads a dataset line by line; a bad line is an error of its own, and the reading goes on. Blank lines are skipped.
pub fn read_rows(text: &str) -> impl Iterator<Item = Result<Row, RowError>> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut lines_of_ids: HashMap<String, usize> = HashMap::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(move |(index, json)| {
        let line = index + 1;
        let product = Product::from_json(json).map_err(|problem| RowError { line, problem })?;
        let first_line = *lines_of_ids.entry(product.id.clone()).or_insert(line);
        if first_line != line {
            let problem = RowProblem::DuplicateId { id: product.id, first_line };
            return Err(RowError { line, problem });
        }
        Ok(Row { line, product })
    })
}

/// [`read_rows`] without the lines of good rows.
pub fn read_jsonl(text: &str) -> impl Iterator<Item = Result<Product, RowError>> {
    read_rows(text).map(|row| row.map(|row| row.product))
}

/// Reads a whole dataset, in which every line must be good.
///
/// # Errors
/// The first bad line.
pub fn parse_jsonl(text: &str) -> Result<Vec<Product>, RowError> {
    read_jsonl(text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROW: &str = r#"{"id":"1","category":"Shoes","text":"Red shoe","features":{"Size":null,"Color":"Red","Brand":null},"scored":["Color"],"alternatives":{"Color":["red"]},"small":true}"#;

    fn row(id: &str, rest: &str) -> String {
        format!(r#"{{"id":"{id}","category":"Shoes","text":"Red shoe",{rest}}}"#)
    }

    fn error(rest: &str) -> String {
        parse_jsonl(&row("1", rest)).unwrap_err().to_string()
    }

    #[test]
    fn a_row_of_the_design_is_read_and_written() {
        let product = Product::from_json(ROW).unwrap();
        let names: Vec<&String> = product.features.keys().collect();
        assert_eq!(names, ["Size", "Color", "Brand"]);
        assert_eq!(product.accepted("Color"), Some(vec!["Red", "red"]));
        assert_eq!(product.accepted("Size"), None);
        assert_eq!(product.accepted("Sole"), None);
        assert!(product.is_scored("Color") && !product.is_scored("Size"));
        assert_eq!(product.other_fields["small"], true);
        assert_eq!(serde_json::to_string(&product).unwrap(), ROW);

        let short = Product::from_json(&row("1", r#""features":{"Size":null}"#)).unwrap();
        assert!(short.is_scored("Size"));
    }

    #[test]
    fn faults_name_the_line() {
        let good = row("1", r#""features":{"A":null}"#);
        let text = format!("\u{FEFF}{good}\r\n\r\n{}\n", row("2", r#""features":{"A":3}"#));
        let error = parse_jsonl(&text).unwrap_err();
        assert_eq!(error.line, 3);
        let message = error.to_string();
        assert!(message.starts_with("line 3: column "), "{message}");
        assert!(message.contains("invalid type: integer `3`"), "{message}");
        assert!(!message.contains("line 1"), "{message}");
        assert!(message.contains("a row looks like"), "{message}");
    }

    #[test]
    fn one_bad_line_does_not_lose_the_others() {
        let rows = [
            row("1", r#""features":{"A":null}"#),
            "{".to_owned(),
            row("3", r#""features":{"A":"x"}"#),
        ];
        let text = rows.join("\n");
        let read: Vec<_> = read_jsonl(&text).collect();
        assert_eq!(read.iter().filter(|row| row.is_ok()).count(), 2);
        assert_eq!(read[1].as_ref().unwrap_err().line, 2);
        assert_eq!(parse_jsonl("").unwrap(), []);
    }

    #[test]
    fn an_id_is_used_once() {
        let row = row("7", r#""features":{"A":null}"#);
        let message = parse_jsonl(&format!("{row}\n\n{row}")).unwrap_err().to_string();
        assert_eq!(message, "line 3: the id \"7\" is that of line 1 too: give every row its own");
    }

    #[test]
    fn faults_of_a_row_name_the_feature() {
        assert!(error(r#""x":1"#).contains("missing field `features`"));
        assert!(error(r#""features":{}"#).contains("No features were given"));
        assert!(error(r#""features":{"A\nB":null}"#).contains("A\\nB"));
        assert!(
            error(r#""features":{"A":" "}"#)
                .contains("the feature \"A\" has the value \" \": write null")
        );
        assert!(error(r#""features":{"A":"None"}"#).contains("write null"));
        let unknown = error(r#""features":{"A":"x"},"alternatives":{"B":["y"]}"#);
        assert!(unknown.contains("\"alternatives\" names \"B\""), "{unknown}");
        assert!(
            error(r#""features":{"A":null},"alternatives":{"A":["y"]}"#).contains("gives no value")
        );
        assert!(error(r#""features":{"A":"x"},"alternatives":{"A":[""]}"#).contains("write null"));
        assert!(error(r#""features":{"A":"x"},"scored":["B"]"#).contains("\"scored\" names \"B\""));
        let blank = r#"{"id":"1","category":"","text":" ","features":{"A":null}}"#;
        assert!(parse_jsonl(blank).unwrap_err().to_string().contains("text is empty"));
    }

    proptest! {
        #[test]
        fn rows_survive_being_written(
            text in "\\PC{0,20}x",
            features in prop::collection::vec(("[a-zא ]{1,8}x", prop::option::of("\\PC{0,9}y")), 1..6),
        ) {
            let product = Product {
                id: "1".to_owned(),
                category: String::new(),
                text,
                features: features.into_iter().collect(),
                scored: None,
                alternatives: IndexMap::new(),
                other_fields: IndexMap::new(),
            };
            let line = serde_json::to_string(&product).unwrap();
            let read = parse_jsonl(&line).unwrap();
            prop_assert!(read[0].features.iter().eq(&product.features));
            prop_assert_eq!(read, [product]);
        }

        #[test]
        fn any_text_is_read_or_refused_by_line(text in "[\\{\\}\":,a-z0-9\\n]{0,60}|\\PC{0,40}") {
            let rows: Vec<_> = read_jsonl(&text).collect();
            prop_assert_eq!(rows.len(), text.lines().filter(|line| !line.trim().is_empty()).count());
            for error in rows.into_iter().filter_map(Result::err) {
                let line = text.lines().nth(error.line - 1);
                prop_assert!(line.is_some_and(|line| !line.trim().is_empty()));
            }
        }
    }
}
