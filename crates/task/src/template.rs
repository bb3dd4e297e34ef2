use serde::{Deserialize, Serialize};

use crate::{Feature, TaskError, validate_features};

/// A list of features for one category of products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What it is called.
    pub name: String,
    /// Category of products that it is for; may be empty.
    #[serde(default)]
    pub category: String,
    /// What to find.
    pub features: Vec<Feature>,
}

impl Template {
    /// Reads `{"name", "category", "features": [{"name", "kind", "choices"?, "unit"?, "description"?}]}` and checks it
    /// as [`validate_features`] does. Names lose the white space around them.
    ///
    /// # Errors
    /// [`TaskError::Template`] with line and column; [`TaskError::BlankTemplateName`]; those of [`validate_features`].
    pub fn from_json(json: &str) -> Result<Self, TaskError> {
        let json = json.strip_prefix('\u{FEFF}').unwrap_or(json);
        let mut template: Self = serde_json::from_str(json)
            .map_err(|error| TaskError::Template { message: error.to_string() })?;
        if template.name.trim().is_empty() {
            return Err(TaskError::BlankTemplateName);
        }
        validate_features(&template.features)?;
        for feature in &mut template.features {
            feature.name = feature.name.trim().to_owned();
        }
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_template_of_the_design_is_read() {
        let template = Template::from_json(
            r#"{"name": "Lamps", "category": "lighting", "features": [
                {"name": " Brand "},
                {"name": "Wattage", "kind": "number", "unit": "W", "description": "Power drawn"},
                {"name": "Bulb", "kind": "choice", "choices": ["LED", "halogen"]},
                {"name": "Dimmable", "kind": "boolean"}, {"name": "Style", "kind": "free"}]}"#,
        )
        .unwrap();
        let kinds: Vec<Kind> = template.features.iter().map(|feature| feature.kind).collect();
        assert_eq!(kinds, [Kind::Span, Kind::Number, Kind::Choice, Kind::Boolean, Kind::Free]);
        assert_eq!(template.features[0].name, "Brand");
        assert_eq!(template.features[1].unit.as_deref(), Some("W"));
        assert_eq!(template.features[2].choices, ["LED", "halogen"]);
        let again = serde_json::to_string(&template).unwrap();
        assert_eq!(Template::from_json(&again).unwrap(), template);
    }

    #[test]
    fn faults_say_where() {
        let error = |json: &str| Template::from_json(json).unwrap_err().to_string();
        assert!(error("{\n\"name\": 3}").contains("line 2 column"), "{}", error("{\n\"name\": 3}"));
        assert!(error(r#"{"name": "A"}"#).contains("missing field `features`"));
        let typo = r#"{"name": "A", "features": [{"name": "B", "choises": []}]}"#;
        assert!(error(typo).contains("unknown field `choises`"));
        let kind = r#"{"name": "A", "features": [{"name": "B", "kind": "colour"}]}"#;
        assert!(error(kind).contains("unknown variant `colour`, expected one of `span`, `number`"));
        assert!(error(r#"{"name": " ", "features": [{"name": "B"}]}"#).contains("no name"));
        assert!(error(r#"{"name": "A", "features": []}"#).starts_with("No features were given"));
        assert!(
            error(r#"{"name": "A", "features": [{"name": "B"}, {"name": " B"}]}"#)
                .contains("twice")
        );
        assert!(error("").starts_with("The template cannot be read"));
    }
}
