//! The page's words in every language, as one table that the compiler holds complete: a struct for each part of the page, a field for
//! each text, and a constant for each language.
//!
//! A text with numbers or names in it is a function, so that each language has its own order and plurals.

#[macro_use]
mod part;

mod ask;
mod failures;
mod features;
mod frame;
mod list;
mod measure;
mod model;
mod model_choice;
mod no_gpu;
mod privacy;
mod problems;
mod results;
mod said;
mod templates;

use serde::{Deserialize, Serialize};

pub use features::Features;
pub use said::Said;
pub use templates::ready_name;

/// A language that the page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Dutch.
    #[serde(rename = "nl")]
    Dutch,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub const EACH: [Self; 2] = [Self::English, Self::Dutch];

    /// Its BCP 47 tag, as in `<html lang>`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
        }
    }

    /// Its own name for itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Dutch => "Nederlands",
        }
    }

    /// The language of a tag such as "nl" or "en-GB", if the page speaks it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        Self::EACH.into_iter().find(|own| language.eq_ignore_ascii_case(own.tag()))
    }

    /// The first of the wished languages that the page speaks; English if it speaks none of them.
    pub fn best_of<S: AsRef<str>>(wished: impl IntoIterator<Item = S>) -> Self {
        wished.into_iter().find_map(|tag| Self::of_tag(tag.as_ref())).unwrap_or(Self::English)
    }

    /// Its words.
    pub fn messages(self) -> &'static Messages {
        match self {
            Self::English => &ENGLISH,
            Self::Dutch => &DUTCH,
        }
    }
}

/// All words of the page in one language.
pub struct Messages {
    /// The language.
    pub language: Language,
    /// Header, footer and what else is always there.
    pub frame: frame::Frame,
    /// The fields for text and features.
    pub ask: ask::Ask,
    /// The feature list with its kinds.
    pub features: features::Features,
    /// What is wrong with what was typed, or with a file.
    pub problems: problems::Problems,
    /// Ready templates and the person's own.
    pub templates: templates::Templates,
    /// The tag of one text.
    pub results: results::Results,
    /// A list of products.
    pub list: list::List,
    /// The model's card.
    pub model: model::Model,
    /// The GPU's measurement.
    pub measure: measure::Measure,
    /// The choice of another model.
    pub model_choice: model_choice::ModelChoice,
    /// What fails in the engine.
    pub failures: failures::Failures,
    /// What keeps the text on the device.
    pub privacy: privacy::Privacy,
    /// Why the processor answers, and how to get a GPU.
    pub no_gpu: no_gpu::NoGpu,
}

static ENGLISH: Messages = Messages {
    language: Language::English,
    frame: frame::ENGLISH,
    ask: ask::ENGLISH,
    features: features::ENGLISH,
    problems: problems::ENGLISH,
    templates: templates::ENGLISH,
    results: results::ENGLISH,
    list: list::ENGLISH,
    model: model::ENGLISH,
    measure: measure::ENGLISH,
    model_choice: model_choice::ENGLISH,
    failures: failures::ENGLISH,
    privacy: privacy::ENGLISH,
    no_gpu: no_gpu::ENGLISH,
};

static DUTCH: Messages = Messages {
    language: Language::Dutch,
    frame: frame::DUTCH,
    ask: ask::DUTCH,
    features: features::DUTCH,
    problems: problems::DUTCH,
    templates: templates::DUTCH,
    results: results::DUTCH,
    list: list::DUTCH,
    model: model::DUTCH,
    measure: measure::DUTCH,
    model_choice: model_choice::DUTCH,
    failures: failures::DUTCH,
    privacy: privacy::DUTCH,
    no_gpu: no_gpu::DUTCH,
};

#[cfg(test)]
mod tests {
    use super::part::Reading;
    use super::*;

    /// Texts that are the same in both languages.
    const ALIKE: [&str; 4] = ["in_file", "product", "model", "context"];

    fn read(language: Language) -> Vec<(&'static str, String)> {
        let messages = language.messages();
        assert_eq!(messages.language, language);
        let mut reading = Reading::new(language);
        messages.frame.read(&mut reading);
        messages.ask.read(&mut reading);
        messages.features.read(&mut reading);
        messages.problems.read(&mut reading);
        messages.templates.read(&mut reading);
        messages.results.read(&mut reading);
        messages.list.read(&mut reading);
        messages.model.read(&mut reading);
        messages.measure.read(&mut reading);
        messages.model_choice.read(&mut reading);
        messages.failures.read(&mut reading);
        messages.privacy.read(&mut reading);
        messages.no_gpu.read(&mut reading);
        reading.texts
    }

    #[test]
    fn every_text_says_something_and_uses_what_it_is_given() {
        for language in Language::EACH {
            // `read` looks at each.
            assert!(read(language).len() > 100);
        }
    }

    #[test]
    fn nothing_is_left_untranslated() {
        let (english, dutch) = (read(Language::English), read(Language::Dutch));
        let alike: Vec<&str> = english
            .iter()
            .zip(&dutch)
            .filter(|(english, dutch)| english == dutch)
            .map(|((field, _), _)| *field)
            .collect();
        assert_eq!(alike, ALIKE);
    }

    #[test]
    fn the_browsers_wishes_are_heard() {
        assert_eq!(Language::best_of(["fr", "nl-BE", "en"]), Language::Dutch);
        assert_eq!(Language::best_of(["EN-us", "nl"]), Language::English);
        assert_eq!(Language::best_of(["de", "nds"]), Language::English);
        assert_eq!(Language::best_of([""; 0]), Language::English);
        for language in Language::EACH {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
            let kept = serde_json::to_string(&language).unwrap();
            assert_eq!(kept, format!("{:?}", language.tag()));
        }
    }
}
