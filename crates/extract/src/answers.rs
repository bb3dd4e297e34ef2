use std::ops::Range;

use hangtag_engine::{Finish, GeneratedToken};
use hangtag_task::{Answer, Feature, FeatureValue, Tokenize, merge_windows, parse_answer};
use hangtag_weights::ConfidenceMap;

/// Longest answer in tokens, the ending newline included. Values of products are a few words; a model that writes more
/// has lost its way, and every row beside it waits.
pub const MAX_ANSWER_TOKENS: usize = 32;

/// One feature's answers from the windows read so far.
#[derive(Default)]
pub(crate) struct FeatureAnswers {
    windows: Vec<(Answer, f32, Range<usize>)>,
    /// The windows' merged value, once it was asked for.
    merged: Option<FeatureValue>,
}

impl FeatureAnswers {
    pub(crate) fn push(&mut self, answer: Answer, confidence: f32, window: Range<usize>) {
        self.windows.push((answer, confidence, window));
        self.merged = None;
    }

    /// Number of windows answered.
    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// The best of all answers, as sure as `map` makes it; `None` before the first.
    pub(crate) fn merged(
        &mut self,
        feature: &Feature,
        text: &str,
        map: Option<&ConfidenceMap>,
    ) -> Option<FeatureValue> {
        if self.merged.is_none() && !self.windows.is_empty() {
            let mut merged = merge_windows(feature, &self.windows, text);
            if let Some(map) = map {
                merged.confidence = map.apply(merged.confidence, merged.value.is_some());
            }
            self.merged = Some(merged);
        }
        self.merged.clone()
    }
}

/// A row's tokens as an answer and its confidence: the product of the probabilities of all its tokens, the one that
/// ends it included.
///
/// An answer that reached [`MAX_ANSWER_TOKENS`] without an end is kept up to its last whole word, since its last word
/// may be half of one. Its probability is that of 32 tokens and so low by itself.
pub(crate) fn read_answer(
    tokens: &[GeneratedToken],
    finish: Finish,
    tokenizer: &dyn Tokenize,
) -> (Answer, f32) {
    let confidence: f32 = tokens.iter().map(|token| token.probability).product();
    let mut ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    match finish {
        Finish::Stop => {
            // An end-of-text token is no part of the answer; one that holds the newline may begin with the last letters.
            if let Some(&last) = ids.last()
                && !tokenizer.decode(&[last]).contains('\n')
            {
                ids.pop();
            }
            (parse_answer(&tokenizer.decode(&ids)), confidence)
        }
        Finish::Length => (parse_answer(whole_words(&tokenizer.decode(&ids))), confidence),
    }
}

/// An answer that was cut at [`MAX_ANSWER_TOKENS`]: `text` without its last word, or all of it when it is one word.
pub fn whole_words(text: &str) -> &str {
    // Half of a character at the cut decodes to the replacement character.
    let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let words = text.trim_start();
    match words.rfind(char::is_whitespace) {
        Some(end) => &words[..end],
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_drop_the_half_one() {
        assert_eq!(whole_words(" red cotton and poly").trim(), "red cotton and");
        assert_eq!(whole_words("aaaaaaaaaaaa"), "aaaaaaaaaaaa");
        assert_eq!(whole_words("赤い木綿\u{FFFD}"), "赤い木綿");
        assert_eq!(whole_words(""), "");
    }
}
