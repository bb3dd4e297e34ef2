//! A person's own templates: saved, renamed, copied, exchanged as JSON.

use hangtag_task::{Feature, TaskError, Template, presets};
use serde::{Deserialize, Serialize};

use crate::ask::AskError;

/// Most characters of a template's name.
const MAX_NAME_CHARS: usize = 60;

/// Own templates, in the order in which they were saved. Each has a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Templates(Vec<Template>);

/// Why a template cannot be saved or taken up. [`crate::words`] has the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// Another one has this name.
    NameTaken(String),
    /// A file that is no JSON, for this reason.
    NotJson(String),
    /// A file without templates.
    NoTemplates,
    /// A blank name.
    NoName,
    /// A longer name than may be.
    NameTooLong {
        /// Characters that it may have.
        most: usize,
    },
    /// It was deleted, in another tab perhaps.
    Gone,
    /// The browser has not kept the change.
    NotKept,
    /// What is wrong with its features.
    Features(TaskError),
    /// What is wrong with the field that it was to be saved from.
    Asked(AskError),
}

impl From<TaskError> for TemplateError {
    fn from(error: TaskError) -> Self {
        Self::Features(error)
    }
}

/// A file with templates: one, as `hangtag extract --template` reads it, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Several(Vec<serde_json::Value>),
    One(serde_json::Value),
}

impl Templates {
    /// All of them.
    pub fn all(&self) -> &[Template] {
        &self.0
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.0.iter().find(|template| template.name == name)
    }

    /// Saves features under a name, in place of what was saved under it. Returns the name as it was saved.
    ///
    /// # Errors
    /// Why the name will not do.
    pub fn save(
        &mut self,
        name: &str,
        category: &str,
        features: Vec<Feature>,
    ) -> Result<String, TemplateError> {
        let name = checked(name)?;
        let template = Template { name: name.clone(), category: category.to_owned(), features };
        match self.0.iter_mut().find(|other| other.name == name) {
            Some(other) => *other = template,
            None => self.0.push(template),
        }
        Ok(name)
    }

    /// Gives a template another name, and returns it.
    ///
    /// # Errors
    /// Why the name will not do.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<String, TemplateError> {
        let to = checked(to)?;
        if to != from && self.get(&to).is_some() {
            return Err(TemplateError::NameTaken(to));
        }
        if let Some(template) = self.0.iter_mut().find(|template| template.name == from) {
            template.name.clone_from(&to);
        }
        Ok(to)
    }

    /// Copies a template behind itself under `wish`, with a number where that is taken, and returns the copy's name.
    pub fn duplicate(&mut self, name: &str, wish: &str) -> Option<String> {
        let at = self.0.iter().position(|template| template.name == name)?;
        let copy = Template { name: self.unused(wish), ..self.0[at].clone() };
        let name = copy.name.clone();
        self.0.insert(at + 1, copy);
        Some(name)
    }

    /// Deletes a template.
    pub fn delete(&mut self, name: &str) {
        self.0.retain(|template| template.name != name);
    }

    /// Moves a template by one place. Returns its new place, or nothing where there is none to move to.
    pub fn shift(&mut self, name: &str, is_up: bool) -> Option<usize> {
        let place = self.0.iter().position(|template| template.name == name)?;
        let other = if is_up { place.checked_sub(1)? } else { place + 1 };
        if other >= self.0.len() {
            return None;
        }
        self.0.swap(place, other);
        Some(other)
    }

    /// Takes up the templates of a file: one, or an array of them. Names that are taken get a number. Returns the names.
    ///
    /// # Errors
    /// What is wrong with the file; then none is taken up.
    pub fn import(&mut self, json: &str) -> Result<Vec<String>, TemplateError> {
        let file: File = serde_json::from_str(json.trim_start_matches('\u{FEFF}'))
            .map_err(|error| TemplateError::NotJson(error.to_string()))?;
        let values = match file {
            File::Several(values) => values,
            File::One(value) => vec![value],
        };
        let read = |value: &serde_json::Value| {
            let template = Template::from_json(&value.to_string())?;
            Ok(Template { name: checked(&template.name)?, ..template })
        };
        let templates: Vec<Template> =
            values.iter().map(read).collect::<Result<_, TemplateError>>()?;
        if templates.is_empty() {
            return Err(TemplateError::NoTemplates);
        }
        let names = templates.into_iter().map(|template| {
            let name = self.unused(&template.name);
            self.0.push(Template { name: name.clone(), ..template });
            name
        });
        Ok(names.collect())
    }

    /// `name`, with a number where one of that name is there.
    fn unused(&self, name: &str) -> String {
        let numbered = (2..).map(|number| format!("{name} {number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| self.get(name).is_none()).unwrap_or_default()
    }
}

/// Templates as a file that [`Templates::import`] reads; a single one also `hangtag extract --template`.
pub fn to_json(templates: &[Template]) -> String {
    let json = match templates {
        [one] => serde_json::to_string_pretty(one),
        several => serde_json::to_string_pretty(several),
    };
    json.unwrap_or_default() + "\n"
}

fn checked(name: &str) -> Result<String, TemplateError> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        Err(TemplateError::NoName)
    } else if name.chars().count() > MAX_NAME_CHARS {
        Err(TemplateError::NameTooLong { most: MAX_NAME_CHARS })
    } else {
        Ok(name)
    }
}

/// The template that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// One of [`presets`], by its place.
    Ready(usize),
    /// One of the person's own, by its name.
    Own(String),
}

const OWN: &str = "own:";

impl Chosen {
    /// As the value of an option.
    pub fn to_value(&self) -> String {
        match self {
            Self::Ready(index) => index.to_string(),
            Self::Own(name) => format!("{OWN}{name}"),
        }
    }

    /// From the value of an option.
    pub fn from_value(value: &str) -> Option<Self> {
        match value.strip_prefix(OWN) {
            Some(name) => Some(Self::Own(name.to_owned())),
            None => value.parse().ok().map(Self::Ready),
        }
    }

    /// The template itself.
    pub fn find<'a>(&self, own: &'a Templates) -> Option<&'a Template> {
        match self {
            Self::Ready(index) => presets().get(*index),
            Self::Own(name) => own.get(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::{Kind, parse_feature_list};

    fn features(list: &str) -> Vec<Feature> {
        parse_feature_list(list).unwrap()
    }

    fn names(templates: &Templates) -> Vec<&str> {
        templates.all().iter().map(|template| template.name.as_str()).collect()
    }

    #[test]
    fn templates_are_saved_renamed_copied_and_deleted() {
        let mut own = Templates::default();
        assert_eq!(own.save("  My \n lamps ", "lighting", features("Brand")).unwrap(), "My lamps");
        own.save("Shoes", "", features("Size")).unwrap();
        own.save("My lamps", "", features("Brand, Height")).unwrap();
        assert_eq!(names(&own), ["My lamps", "Shoes"]);
        assert_eq!(own.get("My lamps").unwrap().features.len(), 2);

        assert_eq!(own.duplicate("My lamps", "My lamps copy").unwrap(), "My lamps copy");
        assert_eq!(own.duplicate("My lamps", "My lamps copy").unwrap(), "My lamps copy 2");
        assert_eq!(names(&own), ["My lamps", "My lamps copy 2", "My lamps copy", "Shoes"]);
        assert_eq!(own.rename("My lamps copy", "Lamps").unwrap(), "Lamps");
        assert_eq!(own.rename("Lamps", "Lamps").unwrap(), "Lamps");
        assert_eq!(own.rename("Lamps", "Shoes"), Err(TemplateError::NameTaken("Shoes".into())));
        own.delete("My lamps copy 2");
        assert_eq!(names(&own), ["My lamps", "Lamps", "Shoes"]);
        assert_eq!(own.duplicate("gone", "x"), None);
        for name in ["", " \t", &"x".repeat(61)] {
            assert!(own.save(name, "", features("A")).is_err());
        }
    }

    #[test]
    fn templates_are_moved_and_stay_there() {
        let mut own = Templates::default();
        for name in ["A", "B", "C"] {
            own.save(name, "", features("Brand")).unwrap();
        }
        assert_eq!(own.shift("C", true), Some(1));
        assert_eq!(own.shift("A", false), Some(1));
        assert_eq!(names(&own), ["C", "A", "B"]);
        for (name, is_up) in [("C", true), ("B", false), ("gone", true)] {
            assert_eq!(own.shift(name, is_up), None);
        }
        let mut other = Templates::default();
        other.import(&to_json(own.all())).unwrap();
        assert_eq!(names(&other), ["C", "A", "B"]);
        own.save("A", "", features("Size")).unwrap();
        assert_eq!(names(&own), ["C", "A", "B"]);
    }

    #[test]
    fn files_from_before_there_were_kinds_are_read() {
        let mut own = Templates::default();
        let old = r#"{"name": "Lamps", "features": [{"name": "Brand"}, {"name": "Height", "unit": "cm"}]}"#;
        assert_eq!(own.import(old).unwrap(), ["Lamps"]);
        let kinds = own.all()[0].features.iter().map(|feature| feature.kind);
        assert!(kinds.eq([Kind::Span, Kind::Span]));
    }

    #[test]
    fn files_are_exchanged_whole_or_not_at_all() {
        let mut own = Templates::default();
        own.save("Lamps", "lighting", features("Brand, Height")).unwrap();
        own.save("Shoes", "", features("Size")).unwrap();
        let one = to_json(&own.all()[..1]);
        assert_eq!(&Template::from_json(&one).unwrap(), &own.all()[0]);

        let mut other = Templates::default();
        assert_eq!(other.import(&to_json(own.all())).unwrap(), ["Lamps", "Shoes"]);
        assert_eq!(other, own);
        assert_eq!(other.import(&format!("\u{FEFF}{one}")).unwrap(), ["Lamps 2"]);
        let before = other.clone();
        let bad = r#"[{"name":"A","features":[{"name":"B"}]},{"name":"C","features":[]}]"#;
        for file in ["", "[]", "3", "{", bad] {
            assert!(other.import(file).is_err());
            assert_eq!(other, before, "{file}");
        }
    }

    #[test]
    fn kinds_choices_and_units_survive_the_browsers_storage() {
        let mut own = Templates::default();
        let json = serde_json::to_string(&presets()[..3]).unwrap();
        own.import(&json).unwrap();
        let stored = serde_json::to_string(&own).unwrap();
        let again: Templates = serde_json::from_str(&stored).unwrap();
        assert_eq!(again.all(), &presets()[..3]);
    }

    #[test]
    fn options_tell_ready_from_own() {
        for chosen in [Chosen::Ready(3), Chosen::Own("4".into()), Chosen::Own("own:x".into())] {
            assert_eq!(Chosen::from_value(&chosen.to_value()), Some(chosen));
        }
        assert_eq!(Chosen::from_value(""), None);
        assert_eq!(Chosen::Ready(999).find(&Templates::default()), None);
    }
}
