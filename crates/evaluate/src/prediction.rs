use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The answers for one product, in JSON Lines `{"id", "answers": {name: value|null}}` with optional `confidence`
/// (name → probability), `seconds` and `by`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The product's name in the dataset.
    pub id: String,
    /// Value of each feature, `None` for none.
    pub answers: IndexMap<String, Option<String>>,
    /// Probability that an answer is right, by feature.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub confidence: IndexMap<String, f32>,
    /// Time that all answers took together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A line that holds no answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {message}; a line looks like {{\"id\": \"1\", \"answers\": {{\"Color\": \"Red\", \"Size\": null}}}}"
)]
pub struct PredictionError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Reads answers line by line; a bad line is an error of its own, and the reading goes on. Blank lines are skipped.
pub fn read_predictions(text: &str) -> impl Iterator<Item = Result<Prediction, PredictionError>> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, json)| {
        let error = |message| PredictionError { line: index + 1, message };
        let prediction: Prediction =
            serde_json::from_str(json).map_err(|e| error(format!("column {}: {e}", e.column())))?;
        match prediction.confidence.iter().find(|(_, sure)| !(0.0..=1.0).contains(*sure)) {
            Some((name, sure)) => Err(error(format!(
                "the confidence of {name:?} is {sure}, not a number from 0 to 1"
            ))),
            None => Ok(prediction),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_is_read_and_the_longest_survives() {
        let short = r#"{"id":"1","answers":{"Color":"Red","Size":null}}"#;
        let read: Vec<Prediction> = read_predictions(short).map(Result::unwrap).collect();
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), short);
        let long = Prediction {
            confidence: [("Color".to_owned(), 0.5)].into_iter().collect(),
            seconds: Some(0.25),
            by: Some("ner".to_owned()),
            ..read[0].clone()
        };
        let json = serde_json::to_string(&long).unwrap();
        assert_eq!(read_predictions(&json).next(), Some(Ok(long)));
    }

    #[test]
    fn bad_lines_are_named_and_lose_no_other() {
        let text = "\u{FEFF}{\"id\":\"1\",\"answers\":{}}\n\n{\"id\":2}\n{\"id\":\"3\",\"answers\":{},\"confidence\":{\"A\":2.5}}";
        let read: Vec<_> = read_predictions(text).collect();
        assert!(read[0].is_ok());
        let second = read[1].as_ref().unwrap_err().to_string();
        assert!(
            second.starts_with("line 3: column ") && second.contains("a line looks like"),
            "{second}"
        );
        let third = read[2].as_ref().unwrap_err().to_string();
        assert!(third.starts_with("line 4: the confidence of \"A\" is 2.5"), "{third}");
    }
}
