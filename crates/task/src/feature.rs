use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::TaskError;
use crate::characters::is_line_break;

/// Most features of one question.
pub const MAX_FEATURES: usize = 1000;

/// Most Unicode characters of a feature's name.
pub const MAX_NAME_CHARS: usize = 120;

/// What sort of value a feature has. The prompt is the same for all; those who show or store values use it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Words of the text.
    #[default]
    Span,
    /// A number, with its unit where the text gives one.
    Number,
    /// One of [`Feature::choices`].
    Choice,
    /// Yes or no.
    Boolean,
    /// Any words.
    Free,
}

/// One thing to find in a product text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What it is called, in the prompt and in the result.
    pub name: String,
    /// What sort of value it has.
    #[serde(default)]
    pub kind: Kind,
    /// The values of a [`Kind::Choice`]; a value found is written as it is written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Unit that numbers are expected in, e.g. `cm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it means, for people; the model sees the name alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Feature {
    /// A [`Kind::Span`] of this name, without surrounding white space.
    pub fn new(name: &str) -> Self {
        Self { name: name.trim().to_owned(), ..Self::default() }
    }
}

/// Reads names separated by commas, as people write them: white space around names and empty places do not matter.
///
/// # Errors
/// As [`validate_features`].
pub fn parse_feature_list(list: &str) -> Result<Vec<Feature>, TaskError> {
    let names = list.split(',').filter(|name| !name.trim().is_empty());
    let features: Vec<Feature> = names.map(Feature::new).collect();
    validate_features(&features)?;
    Ok(features)
}

/// Checks that `features` can be asked: at least one, at most [`MAX_FEATURES`], each with a name of its own on one line
/// and with choices where, and only where, its kind wants them.
///
/// # Errors
/// The first fault found, naming the feature.
pub fn validate_features(features: &[Feature]) -> Result<(), TaskError> {
    if features.is_empty() {
        return Err(TaskError::NoFeatures);
    }
    if features.len() > MAX_FEATURES {
        return Err(TaskError::TooManyFeatures { count: features.len() });
    }
    let mut names = HashSet::with_capacity(features.len());
    for (index, feature) in features.iter().enumerate() {
        validate_name(&feature.name, index + 1)?;
        validate_choices(feature)?;
        if !names.insert(feature.name.trim()) {
            return Err(TaskError::DuplicateFeature { name: feature.name.trim().to_owned() });
        }
    }
    Ok(())
}

/// Checks the name of the feature at `position`, counted from 1.
pub(crate) fn validate_name(name: &str, position: usize) -> Result<(), TaskError> {
    let name = name.trim();
    let characters = name.chars().count();
    if name.is_empty() {
        Err(TaskError::BlankName { position })
    } else if name.chars().any(|c| c.is_control() || is_line_break(c)) {
        Err(TaskError::NameNotOneLine {
            position,
            name: name.chars().take(MAX_NAME_CHARS).collect(),
        })
    } else if characters > MAX_NAME_CHARS {
        let start = name.chars().take(40).collect();
        Err(TaskError::NameTooLong { position, start, characters })
    } else {
        Ok(())
    }
}

fn validate_choices(feature: &Feature) -> Result<(), TaskError> {
    let name = || feature.name.trim().to_owned();
    match (feature.kind, feature.choices.is_empty()) {
        (Kind::Choice, true) => return Err(TaskError::NoChoices { name: name() }),
        (Kind::Choice, false) | (_, true) => {}
        (_, false) => return Err(TaskError::UnusedChoices { name: name() }),
    }
    let mut seen = HashSet::with_capacity(feature.choices.len());
    for choice in &feature.choices {
        let key = choice.trim().to_lowercase();
        let lines = key.chars().any(|c| c.is_control() || is_line_break(c));
        if key.is_empty() || lines || !seen.insert(key) {
            return Err(TaskError::BadChoice { name: name(), choice: choice.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(list: &str) -> Vec<String> {
        parse_feature_list(list).unwrap().into_iter().map(|feature| feature.name).collect()
    }

    #[test]
    fn lists_are_read_as_people_write_them() {
        assert_eq!(names("Brand, Color"), ["Brand", "Color"]);
        assert_eq!(names(" Brand ,,\n Shoe  type,"), ["Brand", "Shoe  type"]);
        assert_eq!(names("###, ### Brand, צבע, 👟"), ["###", "### Brand", "צבע", "👟"]);
        assert_eq!(parse_feature_list("Brand").unwrap()[0].kind, Kind::Span);
    }

    #[test]
    fn faults_name_the_feature_and_say_what_to_do() {
        let error = |list: &str| parse_feature_list(list).unwrap_err().to_string();
        for empty in ["", " ", ",", " , \n,"] {
            assert_eq!(
                error(empty),
                "No features were given: name at least one, separated by commas, e.g. Brand, Color"
            );
        }
        assert_eq!(
            error("Brand, Color,Brand"),
            "The feature \"Brand\" is named twice: take one of them out"
        );
        assert!(error("Brand, Shoe\ntype").contains("feature 2, \"Shoe\\ntype\""));
        assert!(error("Shoe\u{2028}type").contains("line break"));
        assert!(error("Shoe\0type").contains("control character"));
        let long = "x".repeat(MAX_NAME_CHARS + 1);
        assert!(
            error(&long).contains("has 121 characters, and 120 is the most"),
            "{}",
            error(&long)
        );
        assert_eq!(names(&long[1..]).len(), 1);
    }

    #[test]
    fn a_thousand_features_are_asked_and_one_more_is_not() {
        let list = |count: usize| (0..count).map(|i| format!("F{i}")).collect::<Vec<_>>().join(",");
        assert_eq!(names(&list(MAX_FEATURES)).len(), 1000);
        assert_eq!(
            parse_feature_list(&list(MAX_FEATURES + 1)).unwrap_err(),
            TaskError::TooManyFeatures { count: 1001 }
        );
    }

    #[test]
    fn names_that_differ_in_outer_space_are_one_name() {
        let features =
            [Feature::new("Brand"), Feature { name: "Brand ".to_owned(), ..Feature::default() }];
        assert_eq!(
            validate_features(&features).unwrap_err(),
            TaskError::DuplicateFeature { name: "Brand".to_owned() }
        );
        assert!(validate_features(&[Feature::new("Brand"), Feature::new("brand")]).is_ok());
    }

    #[test]
    fn choices_belong_to_the_kind_choice() {
        let feature = |kind, choices: &[&str]| Feature {
            kind,
            choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
            ..Feature::new("Fit")
        };
        let check = |kind, choices: &[&str]| validate_features(&[feature(kind, choices)]);
        assert!(check(Kind::Choice, &["slim", "regular"]).is_ok());
        assert!(matches!(check(Kind::Choice, &[]), Err(TaskError::NoChoices { .. })));
        assert!(matches!(check(Kind::Span, &["slim"]), Err(TaskError::UnusedChoices { .. })));
        assert!(matches!(check(Kind::Choice, &["slim", " "]), Err(TaskError::BadChoice { .. })));
        assert!(matches!(
            check(Kind::Choice, &["slim", "Slim "]),
            Err(TaskError::BadChoice { .. })
        ));
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_read_or_refused(list in "\\PC{0,60}|[a-c,\\n ]{0,20}") {
            if let Ok(features) = parse_feature_list(&list) {
                let joined: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
                prop_assert_eq!(parse_feature_list(&joined.join(", ")).unwrap(), features.clone());
                let json = serde_json::to_string(&features).unwrap();
                prop_assert_eq!(serde_json::from_str::<Vec<Feature>>(&json).unwrap(), features);
            }
        }
    }
}
