//! What a person makes of an answer, and the training rows that come of it.

use hangtag_task::{
    Answer, Feature, FeatureValue, Kind, Product, Span, answer_text, ground, parse_answer,
};
use serde::{Deserialize, Serialize};

/// Confidence under which an answer is to be looked at: of the default model's answers on `data/val.jsonl`, the fifth below it
/// is right in six cases of ten, the others in more than nine.
pub const SURE: f32 = 0.75;

/// What a person made of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by_hand", content = "value", rename_all = "snake_case")]
pub enum Correction {
    /// It is right.
    Accepted,
    /// It is this.
    Changed(String),
    /// There is none.
    Cleared,
}

impl Correction {
    /// What a person means who writes `entry` in place of `answer`. White space around it and between its words does not
    /// count, and "none" is none.
    pub fn of_entry(entry: &str, answer: &FeatureValue) -> Self {
        let words: Vec<&str> = entry.split_whitespace().collect();
        let value = match parse_answer(&answer_text(Some(&words.join(" ")))) {
            Answer::None => None,
            Answer::Value(value) => Some(value),
        };
        match value {
            value if value == answer.value => Self::Accepted,
            None => Self::Cleared,
            Some(value) => Self::Changed(value),
        }
    }

    /// Whether the answer is another than the model's.
    pub fn is_change(&self) -> bool {
        *self != Self::Accepted
    }

    /// What it is called beside the value.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Changed(_) => "corrected",
            Self::Cleared => "cleared",
        }
    }
}

/// The value that counts: the model's answer, or what a person made of it, with its place in `text`.
pub fn settled(answer: &FeatureValue, correction: Option<&Correction>, text: &str) -> FeatureValue {
    let mut settled = answer.clone();
    match correction {
        None | Some(Correction::Accepted) => {}
        Some(Correction::Cleared) => (settled.value, settled.span) = (None, None),
        Some(Correction::Changed(value)) => {
            settled.span = ground(text, value);
            settled.value = Some(value.clone());
        }
    }
    settled
}

/// The value that counts, as it is written into files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settled {
    /// The feature's name.
    pub name: String,
    /// Its value, if there is one.
    pub value: Option<String>,
    /// The model's confidence; `None` for a value that a person gave.
    pub confidence: Option<f32>,
    /// Where the value stands in the text.
    pub span: Option<Span>,
    /// What a person made of it: "accepted", "corrected" or "cleared".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<&'static str>,
}

impl Settled {
    /// As [`settled`].
    pub fn new(answer: &FeatureValue, correction: Option<&Correction>, text: &str) -> Self {
        let FeatureValue { name, value, confidence, span } = settled(answer, correction, text);
        let confidence = (!correction.is_some_and(Correction::is_change)).then_some(confidence);
        Self { name, value, confidence, span, by_hand: correction.map(Correction::name) }
    }
}

/// Whether an answer, a value or none, should be looked at by a person: the model is not sure.
pub fn needs_review(answer: &FeatureValue) -> bool {
    answer.confidence < SURE
}

/// A product with what a person has settled of it.
pub struct Checked<'a> {
    /// Its name among the training rows.
    pub id: String,
    /// Its category; may be empty.
    pub category: &'a str,
    /// The text that was read.
    pub text: &'a str,
    /// What was asked.
    pub features: &'a [Feature],
    /// The model's answers.
    pub answers: &'a [FeatureValue],
    /// What a person made of each.
    pub corrections: &'a [Option<Correction>],
}

/// Training rows in the dataset's form, and the number of values that were left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TrainingRows {
    /// One JSON object a line.
    pub jsonl: String,
    /// Products in it.
    pub products: usize,
    /// Values that are neither in their text nor a choice: a model that answers with words of the text cannot learn them.
    pub left_out: usize,
}

impl TrainingRows {
    /// Adds what a person has settled of a product; features that nobody looked at teach nothing and stay out.
    pub fn add(&mut self, product: &Checked<'_>) {
        let mut row = Product {
            id: product.id.clone(),
            category: product.category.to_owned(),
            text: product.text.to_owned(),
            features: Default::default(),
            scored: None,
            alternatives: Default::default(),
            other_fields: Default::default(),
        };
        let settled_by_hand = product.answers.iter().zip(product.corrections);
        for (answer, correction) in settled_by_hand {
            let Some(correction) = correction else { continue };
            let settled = settled(answer, Some(correction), product.text);
            let feature = product.features.iter().find(|feature| feature.name == answer.name);
            if settled.value.is_some() && settled.span.is_none() && !may_be_elsewhere(feature) {
                self.left_out += 1;
                continue;
            }
            row.features.insert(settled.name, settled.value);
        }
        // What the dataset's reader would refuse is no row.
        if let Ok(line) = serde_json::to_string(&row)
            && Product::from_json(&line).is_ok()
        {
            self.jsonl += &line;
            self.jsonl.push('\n');
            self.products += 1;
        }
    }
}

fn may_be_elsewhere(feature: Option<&Feature>) -> bool {
    feature.is_some_and(|feature| matches!(feature.kind, Kind::Choice | Kind::Boolean | Kind::Free))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::{parse_feature_list, parse_jsonl};

    const TEXT: &str = "Red shoe by Acme, size 42";

    fn answer(name: &str, value: Option<&str>) -> FeatureValue {
        let span = value.and_then(|value| ground(TEXT, value));
        FeatureValue { name: name.into(), value: value.map(Into::into), confidence: 0.5, span }
    }

    #[test]
    fn what_is_written_says_what_is_meant() {
        let red = answer("Color", Some("Red"));
        assert_eq!(Correction::of_entry(" Red ", &red), Correction::Accepted);
        assert_eq!(
            Correction::of_entry("dark\n red", &red),
            Correction::Changed("dark red".into())
        );
        assert_eq!(Correction::of_entry("  ", &red), Correction::Cleared);
        assert_eq!(Correction::of_entry("None", &red), Correction::Cleared);
        assert_eq!(Correction::of_entry("", &answer("Color", None)), Correction::Accepted);
    }

    #[test]
    fn a_corrected_value_is_found_in_the_text() {
        let red = answer("Size", Some("Red"));
        let changed = settled(&red, Some(&Correction::Changed("42".into())), TEXT);
        assert_eq!(
            (changed.value.as_deref(), changed.span),
            (Some("42"), Some(Span { start: 23, end: 25 }))
        );
        assert_eq!(settled(&red, Some(&Correction::Changed("blue".into())), TEXT).span, None);
        assert_eq!(settled(&red, Some(&Correction::Cleared), TEXT).value, None);
        assert_eq!(settled(&red, Some(&Correction::Accepted), TEXT), red);
        assert_eq!(settled(&red, None, TEXT), red);
    }

    #[test]
    fn unsure_answers_are_to_be_reviewed_none_as_well() {
        let mut value = answer("Color", Some("Red"));
        assert!(needs_review(&value));
        value.value = None;
        assert!(needs_review(&value));
        value.confidence = SURE;
        assert!(!needs_review(&value));
    }

    #[test]
    fn training_rows_hold_what_a_person_settled_and_the_dataset_reads_them() {
        let mut features = parse_feature_list("Brand, Color, Size, Sole, Kind").unwrap();
        features[4].kind = Kind::Free;
        let answers = [
            answer("Brand", Some("Red")),
            answer("Color", Some("Red")),
            answer("Size", None),
            answer("Sole", Some("Acme")),
            answer("Kind", None),
        ];
        let corrections = [
            Some(Correction::Changed("Acme".into())),
            Some(Correction::Accepted),
            None,
            Some(Correction::Changed("rubber".into())),
            Some(Correction::Changed("footwear".into())),
        ];
        let checked = |id: &str, corrections| Checked {
            id: id.into(),
            category: "Shoes",
            text: TEXT,
            features: &features,
            answers: &answers,
            corrections,
        };
        let mut rows = TrainingRows::default();
        rows.add(&checked("p:1", &corrections));
        rows.add(&checked("p:2", &[None, None, None, None, None]));
        assert_eq!((rows.products, rows.left_out), (1, 1));
        let read = parse_jsonl(&rows.jsonl).unwrap();
        let values: Vec<_> = read[0]
            .features
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        assert_eq!(
            values,
            [("Brand", Some("Acme")), ("Color", Some("Red")), ("Kind", Some("footwear"))]
        );
    }
}
