//! Texts as sequences of tokens, and what a CRF is told of each.

use std::ops::Range;

use crfs::Attribute;

/// A token's place in its text, in bytes.
pub(super) type Token = Range<usize>;

/// Splits a text into runs of letters, runs of digits, and every other visible character by itself.
pub(super) fn tokenize(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut last = Class::Space;
    for (start, c) in text.char_indices() {
        let class = Class::of(c);
        let end = start + c.len_utf8();
        match tokens.last_mut() {
            Some(token) if class == last && class != Class::Other && class != Class::Space => {
                token.end = end;
            }
            _ if class != Class::Space => tokens.push(start..end),
            _ => {}
        }
        last = class;
    }
    tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        if c.is_whitespace() {
            Self::Space
        } else if c.is_numeric() {
            Self::Digit
        } else if c.is_alphabetic() {
            Self::Letter
        } else {
            Self::Other
        }
    }
}

/// What a CRF is told of each token: the word, in lower case, its first and last letters, its shape, whether space
/// precedes it, the same of two neighbours on each side, and whether it is the first or last.
pub(super) fn attributes(text: &str, tokens: &[Token]) -> Vec<Vec<Attribute>> {
    let words: Vec<Word> = (0..tokens.len()).map(|index| Word::new(text, tokens, index)).collect();
    let told = |index: usize| {
        let mut told = Told::default();
        for (offset, label) in [(-2, "-2"), (-1, "-1"), (0, "0"), (1, "+1"), (2, "+2")] {
            match index.checked_add_signed(offset).and_then(|place| words.get(place)) {
                Some(word) => word.tell(label, &mut told),
                None => told.add("edge", label, ""),
            }
        }
        let pair =
            |a: usize, b: usize| Some(format!("{}|{}", words.get(a)?.lower, words.get(b)?.lower));
        if let Some(before) = index.checked_sub(1).and_then(|before| pair(before, index)) {
            told.add("pair", "-1", &before);
        }
        if let Some(after) = pair(index, index + 1) {
            told.add("pair", "+1", &after);
        }
        told.0
    };
    (0..tokens.len()).map(told).collect()
}

#[derive(Default)]
struct Told(Vec<Attribute>);

impl Told {
    fn add(&mut self, what: &str, place: &str, value: &str) {
        self.0.push(Attribute::new(format!("{what}[{place}]={value}"), 1.0));
    }
}

struct Word<'a> {
    word: &'a str,
    lower: String,
    shape: String,
    after_space: bool,
}

impl<'a> Word<'a> {
    fn new(text: &'a str, tokens: &[Token], index: usize) -> Self {
        let token = tokens.get(index).cloned().unwrap_or_default();
        let before = text.get(..token.start).and_then(|before| before.chars().next_back());
        let word = text.get(token).unwrap_or_default();
        Self {
            word,
            lower: word.to_lowercase(),
            shape: shape(word),
            after_space: before.is_none_or(char::is_whitespace),
        }
    }

    fn tell(&self, place: &str, told: &mut Told) {
        told.add("lower", place, &self.lower);
        told.add("shape", place, &self.shape);
        if place != "0" {
            return;
        }
        told.add("word", place, self.word);
        told.add("space", place, if self.after_space { "yes" } else { "no" });
        let ends: Vec<usize> =
            self.lower.char_indices().map(|(byte, _)| byte).chain([self.lower.len()]).collect();
        for length in 2..=4 {
            if let Some(&end) = ends.get(length) {
                told.add("prefix", place, self.lower.get(..end).unwrap_or_default());
                let start = ends.get(ends.len() - 1 - length).copied().unwrap_or_default();
                told.add("suffix", place, self.lower.get(start..).unwrap_or_default());
            }
        }
    }
}

/// `Xxxx` for `Nike`: letters as `X` or `x`, digits as `d`, runs of more than three cut.
fn shape(word: &str) -> String {
    let mut shape = String::new();
    let mut run = 0;
    for c in word.chars() {
        let class = match c {
            c if c.is_uppercase() => 'X',
            c if c.is_alphabetic() => 'x',
            c if c.is_numeric() => 'd',
            c => c,
        };
        run = if shape.ends_with(class) { run + 1 } else { 1 };
        if run <= 3 {
            shape.push(class);
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokenize(text).into_iter().map(|token| &text[token]).collect()
    }

    #[test]
    fn numbers_and_units_are_two_tokens() {
        assert_eq!(
            words("Lamp,  85mm (E27) – 色"),
            ["Lamp", ",", "85", "mm", "(", "E", "27", ")", "–", "色"]
        );
        assert_eq!(words(" \n "), [""; 0]);
        assert_eq!(shape("McDonald2000"), "XxXxxxddd");
    }

    #[test]
    fn a_token_is_told_its_neighbours() {
        let text = "Red 85mm";
        let told = attributes(text, &tokenize(text));
        let names: Vec<&str> = told[1].iter().map(|attribute| attribute.name.as_str()).collect();
        for expected in
            ["word[0]=85", "lower[-1]=red", "shape[+1]=xx", "edge[-2]=", "pair[-1]=red|85"]
        {
            assert!(names.contains(&expected), "{expected} in {names:?}");
        }
        assert!(told[2].iter().any(|attribute| attribute.name == "space[0]=no"));
    }

    proptest! {
        #[test]
        fn tokens_hold_all_that_is_visible(text in "\\PC{0,30}|[a1 ,Ⅷß\\n]{0,20}") {
            let tokens = tokenize(&text);
            let joined: String = tokens.iter().map(|token| &text[token.clone()]).collect();
            let visible: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(joined, visible);
            prop_assert_eq!(attributes(&text, &tokens).len(), tokens.len());
        }
    }
}
