//! Words that outlive a change of the language.

use std::fmt;
use std::sync::Arc;

use super::Messages;

/// Something to say, in whatever language the page has when it is shown.
#[derive(Clone)]
pub struct Said(Arc<dyn Fn(&Messages) -> String + Send + Sync>);

impl Said {
    /// What `words` makes of the table.
    pub fn new(words: impl Fn(&Messages) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(words))
    }

    /// The words of this language.
    pub fn with(&self, messages: &Messages) -> String {
        (self.0)(messages)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Said({:?})", self.with(super::Language::English.messages()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn it_is_said_in_the_language_of_the_moment() {
        let name = "Ada".to_owned();
        let said = Said::new(move |messages| format!("{name}: {}", messages.language.tag()));
        let words = Language::EACH.map(|language| said.with(language.messages()));
        assert_eq!(words, ["Ada: en", "Ada: nl"]);
    }
}
