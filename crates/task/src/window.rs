use std::ops::Range;

use crate::prompt::prefix;
use crate::{TaskError, TaskVersion, Tokenize};

/// Share of a window that the next one repeats, so that a value at the cut stands whole in one of them.
const OVERLAP: usize = 8;

/// Share of a window in which the end is moved back to white space.
const SEARCH_FOR_SPACE: usize = 4;

/// A part of a text that fits the model, as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The part in Unicode characters of the original text, the white space that the prompt leaves out included.
    pub chars: Range<usize>,
    /// Tokens of the part's prompt.
    pub prefix: Vec<u32>,
}

/// Cuts `text` into windows whose prompts of `version` have at most `max_prefix_tokens` tokens: one when it fits, else as
/// few as cuts at white space and an overlap of about an eighth allow. Every character is in a window, and no window is blank.
///
/// Encodes each part of the text a few times, whatever the text's length.
///
/// # Errors
/// [`TaskError::BlankText`]; [`TaskError::WindowTooSmall`] when not even one character fits; the tokenizer's.
pub fn windows(
    version: TaskVersion,
    text: &str,
    max_prefix_tokens: usize,
    tokenizer: &dyn Tokenize,
) -> Result<Vec<Window>, TaskError> {
    if text.trim().is_empty() {
        return Err(TaskError::BlankText);
    }
    let cutter = Cutter::new(version, text, max_prefix_tokens, tokenizer);
    let all = cutter.prefix(text)?;
    if all.len() <= max_prefix_tokens {
        return Ok(vec![Window { chars: 0..cutter.len(), prefix: all }]);
    }
    let density = max_prefix_tokens as f64 / all.len() as f64;
    cutter.cut((cutter.len() as f64 * density) as usize)
}

struct Cutter<'a> {
    version: TaskVersion,
    text: &'a str,
    /// Bytes at which the characters begin, and the text's end.
    bytes: Vec<usize>,
    max_prefix_tokens: usize,
    tokenizer: &'a dyn Tokenize,
}

/// A part of the text that fits.
struct Fit {
    end: usize,
    prefix: Vec<u32>,
}

impl<'a> Cutter<'a> {
    fn new(
        version: TaskVersion,
        text: &'a str,
        max_prefix_tokens: usize,
        tokenizer: &'a dyn Tokenize,
    ) -> Self {
        let bytes = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
        Self { version, text, bytes, max_prefix_tokens, tokenizer }
    }

    fn prefix(&self, part: &str) -> Result<Vec<u32>, TaskError> {
        prefix(self.version, part, self.tokenizer)
    }

    /// Characters of the text.
    fn len(&self) -> usize {
        self.bytes.len() - 1
    }

    fn slice(&self, chars: Range<usize>) -> &'a str {
        match (self.bytes.get(chars.start), self.bytes.get(chars.end)) {
            (Some(&start), Some(&end)) => self.text.get(start..end).unwrap_or_default(),
            _ => "",
        }
    }

    fn is_space(&self, index: usize) -> bool {
        self.slice(index..index + 1).chars().all(char::is_whitespace)
    }

    /// The first character from `index` on that is not white space, or the text's end.
    fn skip_space(&self, index: usize) -> usize {
        (index..self.len()).find(|&index| !self.is_space(index)).unwrap_or(self.len())
    }

    /// `index` moved back to the end of a word within `reach` characters, or as it is where there is none.
    fn back_to_space(&self, index: usize, reach: usize) -> usize {
        if index >= self.len() {
            return self.len();
        }
        let earliest = index.saturating_sub(reach).max(1);
        (earliest..=index).rev().find(|&end| self.is_space(end)).unwrap_or(index)
    }

    /// Cuts the text, expecting about `expected` characters to fill a window.
    fn cut(&self, mut expected: usize) -> Result<Vec<Window>, TaskError> {
        let mut windows: Vec<Window> = Vec::new();
        let mut start = 0;
        let mut covered = 0;
        while covered < self.len() {
            let content = self.skip_space(start);
            let fit = self.fill(content, expected)?;
            if fit.end <= covered {
                // The overlap alone filled the window: go on without.
                start = covered;
                continue;
            }
            expected = fit.end - content;
            // The prompt leaves out white space at its end, so it is covered for nothing.
            covered = self.skip_space(fit.end);
            windows.push(Window { chars: start..covered, prefix: fit.prefix });
            start = self.overlap_start(content, fit.end);
        }
        Ok(windows)
    }

    /// Where the window after `content..end` begins: at the beginning of a word, if one is near.
    fn overlap_start(&self, content: usize, end: usize) -> usize {
        let overlap = (end - content) / OVERLAP;
        let start = end - overlap;
        let found = self.back_to_space(start, overlap / 2);
        if overlap == 0 || found <= content { start } else { found }
    }

    /// The longest part from `content` on that is found to fit in a few tries, beginning with `expected` characters.
    fn fill(&self, content: usize, expected: usize) -> Result<Fit, TaskError> {
        let rest = self.len() - content;
        let mut length = expected.clamp(1, rest);
        let mut best: Option<Fit> = None;
        // The shortest part known not to fit.
        let mut too_long = rest + 1;
        loop {
            let end = self.back_to_space(content + length, length / SEARCH_FOR_SPACE);
            let prefix = self.prefix(self.slice(content..end))?;
            let tokens = prefix.len();
            // Aims a little below, since no text is evenly dense.
            let aim = (length as f64 * 0.97 * self.max_prefix_tokens as f64 / tokens.max(1) as f64)
                as usize;
            if tokens <= self.max_prefix_tokens {
                let is_full = tokens >= self.max_prefix_tokens - self.max_prefix_tokens / 4;
                best = Some(Fit { end, prefix });
                // At least an eighth more is worth a try; twice as much is the most, so that tries stay cheap.
                let longer = aim.clamp(length + length / 8 + 1, length * 2).min(rest);
                if is_full || length == rest || longer >= too_long {
                    break;
                }
                length = longer;
            } else {
                too_long = length;
                if best.is_some() || length == 1 {
                    break;
                }
                // Always a tenth less at least, so that the tries together stay within ten times the first.
                length = aim.min(length - length.div_ceil(10)).max(1);
            }
        }
        best.ok_or(TaskError::WindowTooSmall { max_prefix_tokens: self.max_prefix_tokens })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::TaskVersion::{Once, Twice};
    use crate::test_tokenizers::{Broken, Characters, Pieces};

    /// What is wrong with the windows of `text`, if anything.
    fn fault(
        version: TaskVersion,
        text: &str,
        windows: &[Window],
        max_prefix_tokens: usize,
        tokenizer: &dyn Tokenize,
    ) -> Option<String> {
        let length = text.chars().count();
        let mut covered = 0;
        for (index, window) in windows.iter().enumerate() {
            let part: String =
                text.chars().skip(window.chars.start).take(window.chars.len()).collect();
            if window.chars.start > covered || (index == 0) != (window.chars.start == 0) {
                return Some(format!(
                    "window {index} begins at {}, {covered} are covered",
                    window.chars.start
                ));
            }
            if window.chars.end <= covered {
                return Some(format!("window {index} brings nothing new"));
            }
            if part.trim().is_empty() {
                return Some(format!("window {index} is blank"));
            }
            if prefix(version, &part, tokenizer).as_ref() != Ok(&window.prefix) {
                return Some(format!("window {index} holds other tokens than its part"));
            }
            if window.prefix.len() > max_prefix_tokens {
                return Some(format!("window {index} has {} tokens", window.prefix.len()));
            }
            covered = window.chars.end;
        }
        (covered != length).then(|| format!("{covered} of {length} covered"))
    }

    /// The windows of one reading; those of two are checked as well.
    fn checked(text: &str, max_prefix_tokens: usize, tokenizer: &dyn Tokenize) -> Vec<Window> {
        let [of_one, _] =
            [(Once, max_prefix_tokens), (Twice, 2 * max_prefix_tokens)].map(|(version, most)| {
                let windows = windows(version, text, most, tokenizer).unwrap();
                assert_eq!(fault(version, text, &windows, most, tokenizer), None);
                windows
            });
        of_one
    }

    fn part<'a>(text: &'a str, window: &Window) -> &'a str {
        let byte =
            |index: usize| text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte);
        &text[byte(window.chars.start)..byte(window.chars.end)]
    }

    #[test]
    fn a_text_that_fits_is_one_window() {
        let text = " Red shoe\n";
        let whole = checked(text, 22, &Characters);
        assert_eq!((whole.len(), whole[0].chars.clone(), whole[0].prefix.len()), (1, 0..10, 22));
        assert!(checked(text, 21, &Characters).len() > 1);
    }

    #[test]
    fn windows_end_at_white_space_and_overlap() {
        let text = "lorem ipsum dolor sit amet ".repeat(100);
        let windows = checked(&text, 200, &Characters);
        for pair in windows.windows(2) {
            let (ends, begins) = (part(&text, &pair[0]), part(&text, &pair[1]));
            assert!(ends.ends_with(' '), "{ends:?}");
            assert!(begins.starts_with(' '), "{begins:?}");
            let overlap = pair[0].chars.end - pair[1].chars.start;
            assert!((15..60).contains(&overlap), "{overlap}");
        }
        assert!(windows.len() < 22, "{}", windows.len());
    }

    #[test]
    fn text_without_white_space_is_cut_between_characters() {
        for text in ["x".repeat(5_000), "赤い靴".repeat(1_000), "👩‍👩‍👧".repeat(500)]
        {
            assert!(checked(&text, 256, &Characters).len() > 3);
            assert!(checked(&text, 256, &Pieces::default()).len() > 3);
        }
    }

    #[test]
    fn a_value_at_any_place_stands_whole_in_a_window() {
        let filler = "lorem ipsum ".repeat(50);
        for place in (0..filler.len()).step_by(6) {
            let text = format!("{} High-Top {}", &filler[..place], &filler[place..]);
            let windows = checked(&text, 200, &Characters);
            assert!(
                windows.iter().any(|window| part(&text, window).contains("High-Top")),
                "{place}"
            );
        }
    }

    #[test]
    fn uneven_text_is_covered() {
        let dense = "👟".repeat(3_000);
        let sparse = "extraordinarily ".repeat(500);
        let space = " \n".repeat(5_000);
        for text in [
            format!("{dense}{sparse}"),
            format!("{sparse}{dense}"),
            format!("{space}{sparse}{space}{dense}{space}"),
            format!("a{space}b{space}c"),
            format!("{sparse}{space}👟"),
            "\u{2028}### a\r\n".repeat(400),
        ] {
            checked(&text, 300, &Pieces::default());
            checked(&text, 120, &Characters);
        }
    }

    #[test]
    fn a_long_text_is_encoded_a_few_times_only() {
        let word = "extraordinarily plain shoe, ".repeat(7_200);
        let solid = "x".repeat(200_000);
        let uneven = format!("{}{}", "👟".repeat(50_000), "word ".repeat(30_000));
        let gaps = format!("{} x ", " ".repeat(3_000)).repeat(66);
        for text in [word, solid, uneven, gaps] {
            for max_prefix_tokens in [64, 2_048, 150_000] {
                let tokenizer = Pieces::default();
                let length = text.chars().count();
                assert!(length > 190_000);
                windows(Once, &text, max_prefix_tokens, &tokenizer).unwrap();
                let encoded = tokenizer.encoded_characters.get();
                assert!(encoded < 12 * length, "{encoded} of {length}, {max_prefix_tokens} tokens");
            }
        }
    }

    #[test]
    fn windows_are_few() {
        let text = "extraordinarily plain shoe, ".repeat(1_000);
        let tokenizer = Pieces::default();
        let all = tokenizer.encode_start(&text).unwrap().len();
        let windows = checked(&text, 1_000, &tokenizer);
        // No more than 1.5 times as many as without overlap.
        assert!(windows.len() * 1_000 * 2 < all * 3, "{} windows of {all} tokens", windows.len());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["", " ", "\n\r\n\t\u{2028}\u{A0}"] {
            assert_eq!(windows(Once, text, 100, &Characters), Err(TaskError::BlankText));
        }
        for max_prefix_tokens in [0, 1, 14] {
            assert_eq!(
                windows(Once, "Red shoe", max_prefix_tokens, &Characters),
                Err(TaskError::WindowTooSmall { max_prefix_tokens })
            );
        }
        assert_eq!(checked("Red shoe", 15, &Characters).len(), 7);
        assert!(matches!(windows(Once, "Red", 100, &Broken), Err(TaskError::Tokenizer(_))));
    }

    #[test]
    fn the_check_of_windows_can_fail() {
        let text = "lorem ipsum ".repeat(20);
        let good = checked(&text, 100, &Characters);
        let fault = |change: &dyn Fn(&mut Vec<Window>)| {
            let mut windows = good.clone();
            change(&mut windows);
            fault(Once, &text, &windows, 100, &Characters)
        };
        assert!(fault(&|_| {}).is_none());
        assert!(fault(&|windows| drop(windows.pop())).is_some());
        assert!(fault(&|windows| drop(windows.remove(0))).is_some());
        assert!(fault(&|windows| drop(windows.remove(1))).is_some());
        assert!(fault(&|windows| windows[1].prefix.truncate(9)).is_some());
        assert!(fault(&|windows| windows.push(windows[0].clone())).is_some());
        assert!(self::fault(Twice, &text, &good, 100, &Characters).is_some());
    }

    proptest! {
        #[test]
        fn windows_cover_every_text(text in "[ab \\n👟#א]{1,200}|\\PC{1,100}", max_prefix_tokens in 20usize..60, twice: bool) {
            for tokenizer in [&Characters as &dyn Tokenize, &Pieces::default()] {
                let (version, most) = if twice { (Twice, 2 * max_prefix_tokens) } else { (Once, max_prefix_tokens) };
                match windows(version, &text, most, tokenizer) {
                    Ok(windows) => prop_assert_eq!(fault(version, &text, &windows, most, tokenizer), None),
                    Err(error) => {
                        prop_assert_eq!(error, TaskError::BlankText);
                        prop_assert!(text.trim().is_empty());
                    }
                }
            }
        }
    }
}
