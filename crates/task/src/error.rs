use crate::{MAX_FEATURES, MAX_NAME_CHARS};

/// Why a question cannot be asked. The texts are for the person who wrote the features or pasted the description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// An empty list of features.
    #[error("No features were given: name at least one, separated by commas, e.g. Brand, Color")]
    NoFeatures,
    /// More than [`MAX_FEATURES`] features.
    #[error(
        "{count} features were given, and {MAX_FEATURES} is the most: ask for the rest in a second run"
    )]
    TooManyFeatures {
        /// Features given.
        count: usize,
    },
    /// A feature without a name.
    #[error("Feature {position} has no name: give it one or take it out")]
    BlankName {
        /// Its place in the list, from 1.
        position: usize,
    },
    /// A name of more than [`MAX_NAME_CHARS`] characters.
    #[error(
        "The name of feature {position}, \"{start}…\", has {characters} characters, and {MAX_NAME_CHARS} is the most: \
         are the commas between the names missing?"
    )]
    NameTooLong {
        /// Its place in the list, from 1.
        position: usize,
        /// How the name begins.
        start: String,
        /// Its length in Unicode characters.
        characters: usize,
    },
    /// A name with a line break or another control character in it.
    #[error(
        "The name of feature {position}, {name:?}, holds a line break or a control character: write it on one line"
    )]
    NameNotOneLine {
        /// Its place in the list, from 1.
        position: usize,
        /// The name.
        name: String,
    },
    /// Two features of one name.
    #[error("The feature \"{name}\" is named twice: take one of them out")]
    DuplicateFeature {
        /// The name.
        name: String,
    },
    /// A feature of kind choice without choices.
    #[error(
        "The feature \"{name}\" is a choice without choices: list them, e.g. \"choices\": [\"yes\", \"no\"]"
    )]
    NoChoices {
        /// The feature's name.
        name: String,
    },
    /// Choices that are blank or alike.
    #[error(
        "The choices of the feature \"{name}\" must differ and none may be blank: see \"{choice}\""
    )]
    BadChoice {
        /// The feature's name.
        name: String,
        /// The choice.
        choice: String,
    },
    /// Choices for a feature of another kind.
    #[error(
        "The feature \"{name}\" lists choices and is not of kind choice: add \"kind\": \"choice\" or take them out"
    )]
    UnusedChoices {
        /// The feature's name.
        name: String,
    },
    /// A template that is not JSON, or not of the expected form.
    #[error("The template cannot be read: {message}")]
    Template {
        /// What is wrong, with line and column.
        message: String,
    },
    /// A template without a name.
    #[error("The template has no name: add one, e.g. \"name\": \"Shoes\"")]
    BlankTemplateName,
    /// A text without a single visible character.
    #[error("The product text is empty: paste a description")]
    BlankText,
    /// Not even one character of the text fits beside the prompt's heading.
    #[error("{max_prefix_tokens} tokens are too few to read a text in: choose a larger context")]
    WindowTooSmall {
        /// Most tokens of a window.
        max_prefix_tokens: usize,
    },
    /// The tokenizer failed.
    #[error("The text cannot be split into the model's tokens: {0}")]
    Tokenizer(String),
}

/// What is wrong with one line of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RowError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: RowProblem,
}

/// What can be wrong with a dataset's row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// Not JSON, or not of the expected form.
    #[error(
        "{message}; a row looks like {{\"id\": \"1\", \"category\": \"Shoes\", \"text\": \"Red shoe\", \
             \"features\": {{\"Color\": \"Red\", \"Size\": null}}}}"
    )]
    Json {
        /// What is wrong, with the column where it is known.
        message: String,
    },
    /// An id that an earlier row has.
    #[error("the id {id:?} is that of line {first_line} too: give every row its own")]
    DuplicateId {
        /// The id.
        id: String,
        /// The line that has it first, from 1.
        first_line: usize,
    },
    /// The text or the features cannot be asked about.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A value that no answer could ever give.
    #[error("the feature {feature:?} has the value {value:?}: write null where there is none")]
    NotAValue {
        /// The feature's name.
        feature: String,
        /// The value.
        value: String,
    },
    /// A scored name that the row has no feature of.
    #[error("\"scored\" names {feature:?}, which \"features\" does not")]
    NotAFeature {
        /// The name.
        feature: String,
    },
    /// Further answers for a feature without a value.
    #[error("\"alternatives\" names {feature:?}, for which \"features\" gives no value")]
    NoValue {
        /// The feature's name.
        feature: String,
    },
}
