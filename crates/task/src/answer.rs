use crate::characters::is_line_break;
use crate::{TaskError, Tokenize};

/// The answer where a text gives no value.
pub const NONE: &str = "none";

/// What the model says of one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The text gives no value.
    None,
    /// The value, on one line, without white space around it.
    Value(String),
}

/// An answer as it is trained: the value or `none`, and the newline that ends it. Line breaks in a value, with the white
/// space around them, become one space.
pub fn answer_text(value: Option<&str>) -> String {
    let mut text = one_line(value.unwrap_or(NONE));
    if text.is_empty() {
        text.push_str(NONE);
    }
    text.push('\n');
    text
}

/// Tokens of [`answer_text`].
///
/// # Errors
/// [`TaskError::Tokenizer`].
pub fn answer(value: Option<&str>, tokenizer: &dyn Tokenize) -> Result<Vec<u32>, TaskError> {
    tokenizer.encode_continuation(&answer_text(value))
}

/// Reads what the model wrote, up to its first line break. `none` in any case, and nothing at all, mean no value.
pub fn parse_answer(decoded: &str) -> Answer {
    let line = decoded.split(is_line_break).next().unwrap_or_default().trim();
    if line.is_empty() || line.eq_ignore_ascii_case(NONE) {
        Answer::None
    } else {
        Answer::Value(line.to_owned())
    }
}

/// `text` without white space around it and with one space for each of its line breaks.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> =
        text.split(is_line_break).map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_tokenizers::{Characters, START};

    fn value(text: &str) -> Answer {
        Answer::Value(text.to_owned())
    }

    #[test]
    fn answers_are_the_designs() {
        assert_eq!(answer_text(Some("High-Top Sneaker")), "High-Top Sneaker\n");
        assert_eq!(answer_text(None), "none\n");
        assert_eq!(answer_text(Some(" ")), "none\n");
        assert_eq!(answer_text(Some(" 10 D\r\n  US\u{2028}wide ")), "10 D US wide\n");
        let tokens = answer(Some("Red"), &Characters).unwrap();
        assert_eq!((tokens.len(), tokens.contains(&START)), (4, false));
    }

    #[test]
    fn what_a_model_writes_is_read() {
        for none in ["none\n", "None", " NONE \n### Brand", "", "\n", "\nRed", " \r\nRed"] {
            assert_eq!(parse_answer(none), Answer::None, "{none:?}");
        }
        assert_eq!(parse_answer(" Red\n### Size\n42"), value("Red"));
        assert_eq!(parse_answer("10 D US\r\n"), value("10 D US"));
        assert_eq!(parse_answer("nonette"), value("nonette"));
        assert_eq!(parse_answer("none of these"), value("none of these"));
        assert_eq!(parse_answer("كحول 👟"), value("كحول 👟"));
    }

    proptest! {
        #[test]
        fn a_value_on_one_line_survives_its_answer(text in "\\PC{0,30}|[NONEnone \u{A0}]{0,6}") {
            let text = text.replace(is_line_break, "");
            let text = text.trim();
            let expected = if text.is_empty() || text.eq_ignore_ascii_case("none") { Answer::None } else { value(text) };
            prop_assert_eq!(parse_answer(&answer_text(Some(text))), expected);
        }

        #[test]
        fn an_answer_is_one_line(text in any::<String>()) {
            let text = answer_text(Some(&text));
            prop_assert_eq!(text.split(is_line_break).count(), 2);
            prop_assert!(text.ends_with('\n'));
        }
    }
}
