//! What is asked of a product text and what comes back. No model and no GPU.
//!
//! ```text
//! features ── suffix ────────────┐
//! text ────── windows ── model ──┴── parse_answer ── merge_windows (ground) ── FeatureValue
//! ```
//! The same code makes the training examples, the evaluation and the browser's prompts, so they cannot differ.

mod answer;
mod characters;
pub mod dataset;
mod error;
mod feature;
mod ground;
mod merge;
pub mod metrics;
mod preset;
mod prompt;
mod template;
mod version;
mod window;

#[cfg(test)]
mod test_tokenizers;

pub use answer::{Answer, NONE, answer, answer_text, parse_answer};
pub use dataset::{Product, Row, parse_jsonl, read_jsonl, read_rows};
pub use error::{RowError, RowProblem, TaskError};
pub use feature::{
    Feature, Kind, MAX_FEATURES, MAX_NAME_CHARS, parse_feature_list, validate_features,
};
pub use ground::{Span, ground};
pub use merge::{FeatureValue, merge_windows};
pub use preset::presets;
pub use prompt::{Tokenize, neutralize, prefix, prefix_text, suffix, suffix_text};
pub use template::Template;
pub use version::TaskVersion;
pub use window::{Window, windows};
