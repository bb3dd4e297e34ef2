//! The worst products with their texts.

use std::fmt::Write;

use hangtag_task::ground;
use hangtag_task::metrics::Outcome;

use super::escape;
use crate::{Example, ExamplePair};

pub(super) fn section(examples: &[Example]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    let examples: String = examples.iter().map(example).collect();
    format!(
        "<section>\n<h2>Worst examples</h2>\n<p>In the texts: <mark class=\"gold\">right values</mark>, \
         <mark class=\"predicted\">answers that are not right</mark>, <mark class=\"gold predicted\">both</mark>.</p>\n\
         {examples}</section>\n"
    )
}

fn example(example: &Example) -> String {
    let Example { id, category, text, pairs } = example;
    let mut html = format!(
        "<article>\n<h3>{} <span>{}</span></h3>\n<p class=\"text\">{}</p>\n<div class=\"scroll\"><table>\n\
         <thead><tr><th>feature</th><th>right</th><th>answered</th><th></th></tr></thead>\n<tbody>\n",
        escape(id),
        escape(category),
        highlighted(text, pairs)
    );
    for pair in pairs.iter().filter(|pair| pair.outcome != Outcome::NN) {
        let (class, what) = match pair.outcome {
            Outcome::VC | Outcome::NN => ("good", "correct"),
            Outcome::VN => ("missed", "missed"),
            Outcome::VW => ("bad", "wrong"),
            Outcome::NV => ("bad", "invented"),
        };
        let value = |value: &Option<String>| match value {
            Some(value) => escape(value),
            None => "<i>none</i>".to_owned(),
        };
        let _ = writeln!(
            html,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td><span class=\"tag {class}\">{what}</span></td></tr>",
            escape(&pair.feature),
            value(&pair.gold),
            value(&pair.predicted)
        );
    }
    html + "</tbody>\n</table></div>\n</article>\n"
}

/// The text with right values and answers that are not right marked where they stand.
fn highlighted(text: &str, pairs: &[ExamplePair]) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut marks = vec![(false, false); characters.len()]; // (characters): (gold, predicted)
    for pair in pairs {
        let gold = pair.gold.as_deref().and_then(|value| ground(text, value));
        for mark in gold.and_then(|span| marks.get_mut(span.start..span.end)).into_iter().flatten()
        {
            mark.0 = true;
        }
        let is_right = matches!(pair.outcome, Outcome::VC | Outcome::NN);
        let predicted =
            pair.predicted.as_deref().filter(|_| !is_right).and_then(|value| ground(text, value));
        for mark in
            predicted.and_then(|span| marks.get_mut(span.start..span.end)).into_iter().flatten()
        {
            mark.1 = true;
        }
    }
    let mut html = String::with_capacity(text.len() * 2);
    let mut start = 0;
    for alike in marks.chunk_by(|a, b| a == b) {
        let end = start + alike.len();
        let part: String = characters.get(start..end).unwrap_or_default().iter().collect();
        let part = escape(&part);
        let _ = match alike.first() {
            Some((true, true)) => write!(html, "<mark class=\"gold predicted\">{part}</mark>"),
            Some((true, false)) => write!(html, "<mark class=\"gold\">{part}</mark>"),
            Some((false, true)) => write!(html, "<mark class=\"predicted\">{part}</mark>"),
            _ => write!(html, "{part}"),
        };
        start = end;
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(outcome: Outcome, gold: Option<&str>, predicted: Option<&str>) -> ExamplePair {
        ExamplePair {
            feature: "Color".to_owned(),
            outcome,
            gold: gold.map(str::to_owned),
            predicted: predicted.map(str::to_owned),
        }
    }

    #[test]
    fn places_of_gold_and_answer_are_marked() {
        let html = highlighted(
            "👟 Dark Red <shoe>",
            &[pair(Outcome::VW, Some("Dark Red"), Some("Red <shoe>"))],
        );
        assert_eq!(
            html,
            "👟 <mark class=\"gold\">Dark </mark><mark class=\"gold predicted\">Red</mark>\
             <mark class=\"predicted\"> &lt;shoe&gt;</mark>"
        );
    }

    #[test]
    fn right_answers_and_values_elsewhere_are_no_mistakes() {
        let pairs =
            [pair(Outcome::VC, Some("Red"), Some("Red")), pair(Outcome::NV, None, Some("Blue"))];
        assert_eq!(highlighted("Red shoe", &pairs), "<mark class=\"gold\">Red</mark> shoe");
    }
}
