//! From the page's two fields to a question that can be asked.

use hangtag_task::{Feature, TaskError, parse_feature_list, validate_features};

/// The field that something is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The product text.
    Text,
    /// The feature list.
    Features,
}

/// What is wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskError {
    /// Where.
    pub field: Field,
    /// What.
    pub problem: Problem,
}

/// What is wrong with a field. [`crate::words`] has the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The text is blank.
    NoText,
    /// The features cannot be asked.
    Features(TaskError),
}

/// Checks the text and reads the feature list, as [`asked_features`] does.
///
/// # Errors
/// A blank text, or what is wrong with the list.
pub fn ask(text: &str, list: &str, known: &[Feature]) -> Result<Vec<Feature>, AskError> {
    if text.trim().is_empty() {
        return Err(AskError { field: Field::Text, problem: Problem::NoText });
    }
    asked_features(list, known)
}

/// Reads the feature list alone, and checks it. It decides which features are asked, and in which order; `known` has the
/// kinds, choices and units of those that are more than a name.
///
/// # Errors
/// What [`parse_feature_list`] or [`validate_features`] finds wrong.
pub fn asked_features(list: &str, known: &[Feature]) -> Result<Vec<Feature>, AskError> {
    features(list, known)
        .map_err(|error| AskError { field: Field::Features, problem: Problem::Features(error) })
}

fn features(list: &str, known: &[Feature]) -> Result<Vec<Feature>, TaskError> {
    let described = |feature: Feature| {
        known.iter().find(|known| known.name == feature.name).cloned().unwrap_or(feature)
    };
    let features: Vec<Feature> =
        parse_feature_list(&list.replace('\n', ","))?.into_iter().map(described).collect();
    validate_features(&features)?;
    Ok(features)
}

/// Number of names in the list, valid or not.
pub fn count_features(list: &str) -> usize {
    list.split([',', '\n']).filter(|name| !name.trim().is_empty()).count()
}

/// An error text as a sentence. A file name at its start keeps its spelling.
pub fn sentence(message: &str) -> String {
    let word = message.split(' ').next().unwrap_or_default();
    let mut characters = message.chars();
    let first = match characters.next() {
        Some(first) if !word.contains(['.', '/', '_']) => first.to_uppercase().to_string(),
        first => first.map(String::from).unwrap_or_default(),
    };
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use hangtag_task::Kind;

    use super::*;

    #[test]
    fn lines_and_commas_separate_features() {
        let features = ask("a lamp", "Brand, Colour\nHeight\n", &[]).unwrap();
        let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
        assert_eq!(names, ["Brand", "Colour", "Height"]);
        assert_eq!(count_features("Brand, Colour\nHeight\n, ,"), 3);
    }

    #[test]
    fn a_template_describes_what_the_list_asks() {
        let mut known = parse_feature_list("Height, Brand").unwrap();
        known[0].unit = Some("cm".into());
        let features = ask("a lamp", "Colour, Height", &known).unwrap();
        assert_eq!(features.len(), 2);
        assert_eq!(features[1].unit.as_deref(), Some("cm"));
        known[1].kind = Kind::Choice;
        let error = ask("a lamp", "Brand", &known).unwrap_err();
        let problem = Problem::Features(TaskError::NoChoices { name: "Brand".into() });
        assert_eq!(error, AskError { field: Field::Features, problem });
    }

    #[test]
    fn each_field_has_its_own_error() {
        assert_eq!(ask(" \n", "Brand", &[]).unwrap_err().field, Field::Text);
        assert_eq!(ask("a lamp", " ", &[]).unwrap_err().field, Field::Features);
        let twice = TaskError::DuplicateFeature { name: "Brand".into() };
        assert_eq!(
            ask("a lamp", "Brand, Brand", &[]).unwrap_err().problem,
            Problem::Features(twice)
        );
        assert_eq!(sentence("wrong"), "Wrong.");
        assert_eq!(sentence("model.gguf: cut off"), "model.gguf: cut off.");
        assert_eq!(
            sentence("https://a.nl/m could not be fetched"),
            "https://a.nl/m could not be fetched."
        );
    }
}
