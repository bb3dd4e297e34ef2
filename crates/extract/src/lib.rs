//! The way of one description: task, tokenizer and engine together.
//!
//! ```text
//! text, features ─ windows, suffixes ─> Job ─ engine ─> answers ─ parse, ground, merge ─> FeatureValue
//! ```
//! [`Extractor`] is what programs use. [`extract_with`] is the same way for anything that implements [`Decode`],
//! so that all of it but the arithmetic is tested without a GPU.

mod answers;
mod budget;
mod decode;
mod error;
mod extraction;
mod extractor;
mod spans;
mod way;

pub use answers::{MAX_ANSWER_TOKENS, whole_words};
pub use budget::MAX_PREFIX_TOKENS;
pub use decode::{Decode, Limits};
pub use error::ExtractError;
pub use extraction::{Extraction, Progress, Stats};
pub use extractor::{Answers, Described, Extractor, TaskTokenizer};
pub use spans::{Spans, Vocabulary};
pub use way::{Language, extract_many_with, extract_with};
