//! How fast a model is on a GPU, as lines to read and to copy.

use crate::protocol::{DecodeSpeed, Measurement};
use crate::units::{count, decimal, seconds};
use crate::words::{Language, Messages};

/// What was measured, and the figure.
pub fn lines(messages: &Messages, measurement: &Measurement) -> Vec<(String, String)> {
    let (language, words) = (messages.language, &messages.measure);
    let rate = |tokens: f64| words.rate(&count(language, tokens.round() as usize));
    let mut lines = vec![(words.reading.to_owned(), rate(measurement.read_tokens_per_second))];
    for DecodeSpeed { rows, tokens_per_second } in &measurement.decode {
        lines.push((words.writing(*rows), rate(*tokens_per_second)));
    }
    let [one_by_one, together] = [measurement.seconds_one_by_one, measurement.seconds_together];
    let times = decimal(language, one_by_one / together.max(f64::MIN_POSITIVE), 1);
    lines.push((
        words.one_by_one(measurement.features, measurement.text_tokens),
        time(language, one_by_one),
    ));
    lines.push((words.together.to_owned(), words.faster(&time(language, together), &times)));
    lines
}

/// The lines for the clipboard: label and figure with a tab between. `gpu` is the GPU's name, which may be empty.
pub fn to_text(gpu: &str, lines: &[(String, String)]) -> String {
    let head = if gpu.is_empty() { String::new() } else { format!("{gpu}\n") };
    lines.iter().fold(head, |text, (label, figure)| text + label + "\t" + figure + "\n")
}

fn time(language: Language, value: f64) -> String {
    match value < 1.0 {
        true => format!("{} ms", decimal(language, 1e3 * value, 1)),
        false => seconds(language, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_line() {
        let measurement = Measurement {
            read_tokens_per_second: 12_345.4,
            decode: vec![DecodeSpeed { rows: 8, tokens_per_second: 99.6 }],
            features: 50,
            text_tokens: 301,
            seconds_one_by_one: 1.5,
            seconds_together: 0.03,
        };
        let english = lines(Language::English.messages(), &measurement);
        assert_eq!(
            to_text("SwiftShader", &english),
            "SwiftShader\nReading a text\t12,345 tokens a second\n\
             Writing 8 answers at once\t100 tokens a second\n\
             50 features of a text of 301 tokens, one by one\t1.50 s\n\
             The same, together\t30.0 ms, 50.0 times as fast\n"
        );
        let dutch = lines(Language::Dutch.messages(), &measurement);
        assert_eq!(dutch[3].1, "30,0 ms, 50,0 keer zo snel");
        assert!(to_text("", &dutch).starts_with("Een tekst lezen\t12.345 tokens"), "{dutch:?}");
    }
}
