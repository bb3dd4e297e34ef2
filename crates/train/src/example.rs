//! From products to token ids: what is trained on and asked, made by the same code as the questions of `hangtag extract`.

use std::ops::Range;

use hangtag_task::{
    Feature, Product, TaskError, TaskVersion, Tokenize, answer, ground, suffix, windows,
};

use crate::TrainError;

/// One feature asked of a text: its question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Place of the feature among the product's.
    pub feature: usize,
    /// Token ids of the feature's line.
    pub suffix: Vec<u32>,
    /// Token ids of the value or `none`, with the newline that ends it; empty where it is not known yet.
    pub answer: Vec<u32>,
}

/// One window of a product's text with every feature asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Place of the product in the data.
    pub product: usize,
    /// Characters of the text that the window covers.
    pub window: Range<usize>,
    /// Token ids of the text, in every reading.
    pub prefix: Vec<u32>,
    /// One for each feature.
    pub segments: Vec<Segment>,
}

/// The examples of a product in the prompt's form `version`: one, or several where its text is longer than
/// `max_prefix_tokens`. A value that a window
/// does not hold is asked of it with the answer `none`, as decoding merges windows.
///
/// # Errors
/// When the text cannot be tokenised, or no window fits.
pub fn examples(
    version: TaskVersion,
    index: usize,
    product: &Product,
    max_prefix_tokens: usize,
    tokenizer: &dyn Tokenize,
) -> Result<Vec<Example>, TrainError> {
    let windows = windows(version, &product.text, max_prefix_tokens, tokenizer)?;
    let single = windows.len() == 1;
    windows
        .into_iter()
        .map(|window| {
            let segments: Result<Vec<Segment>, TaskError> = product
                .features
                .iter()
                .enumerate()
                .map(|(feature, (name, value))| {
                    let value = value
                        .as_deref()
                        .filter(|value| single || is_inside(&product.text, value, &window.chars));
                    Ok(Segment {
                        feature,
                        suffix: suffix(&Feature::new(name), tokenizer)?,
                        answer: answer(value, tokenizer)?,
                    })
                })
                .collect();
            Ok(Example {
                product: index,
                window: window.chars,
                prefix: window.prefix,
                segments: segments?,
            })
        })
        .collect()
}

/// Whether the window (in characters) of `text` holds `value`, or the text does not hold it at all.
fn is_inside(text: &str, value: &str, window: &Range<usize>) -> bool {
    let part: String = text.chars().skip(window.start).take(window.len()).collect();
    ground(&part, value).is_some() || ground(text, value).is_none()
}
