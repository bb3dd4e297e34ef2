use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::answer::one_line;
use crate::prompt::is_neutralized;
use crate::{Answer, Feature, Kind, Span, ground};

/// What was found for one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureValue {
    /// The feature's name.
    pub name: String,
    /// Its value; `None` where the text gives none.
    pub value: Option<String>,
    /// Probability that the model gives its answer, from 0 to 1.
    pub confidence: f32,
    /// Where the value stands in the text; `None` without a value, and for one in other words than the text's.
    pub span: Option<Span>,
}

/// Makes one value of the answers of a text's windows: (answer, its confidence, the window's characters in `text`).
///
/// A value beats none, one that stands in its window beats one that does not, then the higher confidence counts, then
/// the earlier window. That no window has a value is as sure as the least sure window. Without answers there is no value,
/// at confidence 0.
///
/// A value of a [`Kind::Choice`] is written as its choice is; a value copied from neutralised text as the text has it.
pub fn merge_windows(
    feature: &Feature,
    answers: &[(Answer, f32, Range<usize>)],
    text: &str,
) -> FeatureValue {
    let mut values: Vec<(&str, f32, &Range<usize>)> = answers
        .iter()
        .filter_map(|(answer, confidence, window)| match answer {
            Answer::Value(value) => Some((value.as_str(), *confidence, window)),
            Answer::None => None,
        })
        .collect();
    // Stable, so that the earlier window stays first; the first that stands in the text then needs no rival's search.
    values.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));

    let grounded = values.iter().find_map(|&(value, confidence, window)| {
        ground_in_window(text, window, value)
            .map(|(span, found)| (value, confidence, Some((span, found))))
    });
    let best = grounded
        .or_else(|| values.first().map(|&(value, confidence, _)| (value, confidence, None)));
    let (value, confidence, span) = match best {
        Some((value, confidence, Some((span, found)))) => {
            (Some(as_written(feature, value, Some(found))), confidence, Some(span))
        }
        Some((value, confidence, None)) => {
            (Some(as_written(feature, value, None)), confidence, None)
        }
        None => (None, least(answers), None),
    };
    FeatureValue { name: feature.name.clone(), value, confidence, span }
}

fn least(answers: &[(Answer, f32, Range<usize>)]) -> f32 {
    answers.iter().map(|(_, confidence, _)| *confidence).min_by(f32::total_cmp).unwrap_or(0.0)
}

/// Place of `value` in the characters `window` of `text`, counted in all of `text`, and what the text has there.
fn ground_in_window<'a>(
    text: &'a str,
    window: &Range<usize>,
    value: &str,
) -> Option<(Span, &'a str)> {
    let from_start = after_characters(text, window.start);
    let rest = after_characters(from_start, window.len());
    let part = from_start.get(..from_start.len() - rest.len())?;
    let span = ground(part, value)?;
    let found = after_characters(part, span.start);
    let rest = after_characters(found, span.end - span.start);
    let found = found.get(..found.len() - rest.len())?;
    Some((Span { start: window.start + span.start, end: window.start + span.end }, found))
}

/// `text` after its first `count` characters.
fn after_characters(text: &str, count: usize) -> &str {
    let mut characters = text.chars();
    if count > 0 {
        characters.nth(count - 1);
    }
    characters.as_str()
}

/// `value` in the spelling of the feature's choices, or of the text where that was neutralised for the model.
fn as_written(feature: &Feature, value: &str, found: Option<&str>) -> String {
    let key = |text: &str| text.trim().to_lowercase();
    let choice = feature.choices.iter().find(|choice| key(choice) == key(value));
    match (choice, found) {
        (Some(choice), _) if feature.kind == Kind::Choice => choice.trim().to_owned(),
        (_, Some(found)) if is_neutralized(value) => one_line(found),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "👟 Red shoe by Acme, lined in blue";

    fn value(text: &str, confidence: f32, window: Range<usize>) -> (Answer, f32, Range<usize>) {
        (Answer::Value(text.to_owned()), confidence, window)
    }

    fn merge(
        answers: &[(Answer, f32, Range<usize>)],
    ) -> (Option<String>, f32, Option<(usize, usize)>) {
        let merged = merge_windows(&Feature::new("Color"), answers, TEXT);
        assert_eq!(merged.name, "Color");
        (merged.value, merged.confidence, merged.span.map(|span| (span.start, span.end)))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_value_beats_none() {
        let answers = [(Answer::None, 0.99, 0..10), value("blue", 0.1, 10..34)];
        assert_eq!(merge(&answers), (some("blue"), 0.1, Some((29, 33))));
    }

    #[test]
    fn a_grounded_value_beats_a_surer_one_that_is_not() {
        let answers = [value("green", 0.9, 0..34), value("blue", 0.1, 0..34)];
        assert_eq!(merge(&answers), (some("blue"), 0.1, Some((29, 33))));
        assert_eq!(merge(&answers[..1]), (some("green"), 0.9, None));
    }

    #[test]
    fn then_confidence_then_the_first_counts() {
        let red = || value("Red", 0.5, 0..20);
        assert_eq!(merge(&[red(), value("blue", 0.6, 10..34)]).0, some("blue"));
        assert_eq!(merge(&[red(), value("blue", 0.5, 10..34)]).0, some("Red"));
        assert_eq!(merge(&[value("x", 0.5, 0..9), value("y", 0.5, 0..9)]).0, some("x"));
    }

    #[test]
    fn a_value_must_stand_in_the_window_that_gave_it() {
        assert_eq!(merge(&[value("Red", 0.5, 10..34)]), (some("Red"), 0.5, None));
        assert_eq!(merge(&[value("Red", 0.5, 0..34)]).2, Some((2, 5)));
    }

    #[test]
    fn none_is_as_sure_as_the_least_sure_window() {
        let answers = [(Answer::None, 0.9, 0..20), (Answer::None, 0.4, 10..34)];
        assert_eq!(merge(&answers), (None, 0.4, None));
        assert_eq!(merge(&[]), (None, 0.0, None));
    }

    #[test]
    fn a_choice_is_written_as_it_is_listed() {
        let choices = vec!["Navy".to_owned(), "red".to_owned()];
        let feature = Feature { kind: Kind::Choice, choices, ..Feature::new("Color") };
        let merged = merge_windows(&feature, &[value("RED", 0.5, 0..34)], TEXT);
        assert_eq!((merged.value, merged.span), (some("red"), Some(Span { start: 2, end: 5 })));
        // A value beyond the list is shown, not lost.
        let merged = merge_windows(&feature, &[value("blue", 0.5, 0..34)], TEXT);
        assert_eq!(merged.value, some("blue"));
    }

    #[test]
    fn neutralised_values_are_written_as_the_text_has_them() {
        let text = "Shoe\n### Acme\nPro";
        let merged =
            merge_windows(&Feature::new("Brand"), &[value("♯♯♯ Acme Pro", 0.5, 0..17)], text);
        assert_eq!(
            (merged.value, merged.span),
            (some("### Acme Pro"), Some(Span { start: 5, end: 17 }))
        );
    }

    #[test]
    fn json_is_the_designs() {
        let merged = merge_windows(&Feature::new("Color"), &[value("Red", 0.5, 0..34)], TEXT);
        let json = r#"{"name":"Color","value":"Red","confidence":0.5,"span":[2,5]}"#;
        assert_eq!(serde_json::to_string(&merged).unwrap(), json);
        assert_eq!(serde_json::from_str::<FeatureValue>(json).unwrap(), merged);
        let none = merge_windows(&Feature::new("Color"), &[], TEXT);
        assert!(
            serde_json::to_string(&none)
                .unwrap()
                .contains(r#""value":null,"confidence":0.0,"span":null"#)
        );
    }

    #[test]
    fn windows_beyond_the_text_find_nothing() {
        assert_eq!(merge(&[value("Red", 0.5, 90..99)]).2, None);
        assert_eq!(merge(&[value("blue", 0.5, 20..99)]).2, Some((29, 33)));
    }

    proptest! {
        #[test]
        fn a_span_reads_as_the_value(text in "[ab 👟\\nא]{1,30}", start in 0usize..30, length in 1usize..9, from in 0usize..30) {
            let characters: Vec<char> = text.chars().collect();
            let start = start.min(characters.len() - 1);
            let part: String = characters[start..].iter().take(length).collect();
            let window = from.min(start)..characters.len();
            let merged = merge_windows(&Feature::new("A"), &[value(&part, 0.5, window.clone())], &text);
            let span = merged.span.unwrap();
            prop_assert!(window.start <= span.start);
            prop_assert_eq!(characters[span.start..span.end].iter().collect::<String>(), part);
        }
    }
}
