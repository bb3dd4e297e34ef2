//! Answers that can only be what they should be: a piece of the text, one of the choices, or none.
//!
//! All that may be answered is one string of bytes, the *haystack*, with the places where an answer may start and
//! end. What may follow an answer's tokens are those tokens whose bytes go on at one of the places where the answer
//! stands in the haystack, and at an end every token that begins with a newline there.
//!
//! How an answer goes on is guessed from the first of these places: as the text does there, in the text's own tokens.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use hangtag_engine::{Constraint, TokenSet};
use hangtag_task::{Feature, Kind, NONE, prefix_text};

/// The bytes of a model's tokens, sorted, so that those that go on with given bytes are found by halving.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    sorted: Vec<(Vec<u8>, u32)>,
    /// (vocab_size); empty for control tokens
    bytes: Vec<Vec<u8>>,
}

impl Vocabulary {
    /// `bytes` gives what each token stands for, from id 0 on; `None` for control tokens.
    pub fn new(bytes: impl IntoIterator<Item = Option<Vec<u8>>>) -> Self {
        let bytes: Vec<Vec<u8>> = bytes.into_iter().map(Option::unwrap_or_default).collect();
        let named = bytes.iter().zip(0..).filter(|(bytes, _)| !bytes.is_empty());
        let mut sorted: Vec<_> = named.map(|(bytes, id)| (bytes.clone(), id)).collect();
        sorted.sort_unstable();
        Self { sorted, bytes }
    }

    fn token(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// The longest token that `bytes` begins with.
    fn longest(&self, bytes: &[u8]) -> Option<u32> {
        let (mut range, mut longest) = (0..self.sorted.len(), None);
        for (depth, byte) in bytes.iter().enumerate() {
            range = self.narrow(&range, depth, *byte);
            // The shortest comes first.
            let Some((token, id)) = self.sorted[range.clone()].first() else { break };
            if token.len() == depth + 1 {
                longest = Some(*id);
            }
        }
        longest
    }

    /// The bytes of an answer.
    fn said(&self, answer: &[u32]) -> Vec<u8> {
        let mut said: Vec<u8> = answer.iter().flat_map(|id| self.token(*id)).copied().collect();
        // SentencePiece begins a word with a space.
        if said.first() == Some(&b' ') {
            said.remove(0);
        }
        said
    }

    /// Of the tokens in `range`, which agree in their first `depth` bytes, those that go on with `byte`.
    fn narrow(&self, range: &Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let tokens = &self.sorted[range.clone()];
        let at = |token: &(Vec<u8>, u32)| token.0.get(depth).copied();
        let start = tokens.partition_point(|token| at(token) < Some(byte));
        let end = tokens.partition_point(|token| at(token) <= Some(byte));
        range.start + start..range.start + end
    }
}

/// Stands between the parts of a haystack; no UTF-8 has it.
const GAP: u8 = 0xff;

/// What rows of one kind may answer.
#[derive(Debug)]
struct Haystack {
    bytes: Vec<u8>,
    /// Where the text begins, behind the wholes.
    base: usize,
    starts: Vec<usize>,
    /// (bytes + 1)
    is_end: Vec<bool>,
    /// What an answer may begin with, once it was asked for.
    first: OnceCell<Rc<TokenSet>>,
}

impl Haystack {
    /// `wholes` are answered as they are, `text` in part, from places that `may_start` accepts.
    fn new(text: &str, wholes: &[&str], may_start: impl Fn(&str) -> bool) -> Self {
        let mut bytes = Vec::new();
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for whole in wholes {
            starts.push(bytes.len());
            bytes.extend_from_slice(whole.as_bytes());
            ends.push(bytes.len());
            bytes.push(GAP);
        }
        let base = bytes.len();
        for place in borders(text) {
            let after = text[place..].chars().next();
            if after.is_some_and(|c| !c.is_whitespace()) && may_start(&text[place..]) {
                starts.push(base + place);
            }
            if text[..place].chars().next_back().is_some_and(|c| !c.is_whitespace()) {
                ends.push(base + place);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
        let mut is_end = vec![false; bytes.len() + 1];
        ends.into_iter().for_each(|end| is_end[end] = true);
        Self { bytes, base, starts, is_end, first: OnceCell::new() }
    }

    fn allowed(&self, vocabulary: &Vocabulary, answer: &[u32]) -> Rc<TokenSet> {
        let said = vocabulary.said(answer);
        if said.is_empty() {
            return match answer.is_empty() {
                true => Rc::clone(self.first.get_or_init(|| self.first(vocabulary, true))),
                false => self.first(vocabulary, false),
            };
        }
        let mut set = TokenSet::default();
        for start in &self.starts {
            if self.bytes[*start..].starts_with(&said) {
                self.follow(
                    vocabulary,
                    start + said.len(),
                    0..vocabulary.sorted.len(),
                    0,
                    true,
                    &mut set,
                );
            }
        }
        Rc::new(set)
    }

    fn first(&self, vocabulary: &Vocabulary, with_space: bool) -> Rc<TokenSet> {
        let mut set = TokenSet::default();
        let all = 0..vocabulary.sorted.len();
        let spaced = vocabulary.narrow(&all, 0, b' ');
        // An empty line is another way to say none.
        let ending = vocabulary.narrow(&all, 0, b'\n');
        vocabulary.sorted[ending].iter().for_each(|(_, id)| set.insert(*id));
        for start in &self.starts {
            self.follow(vocabulary, *start, all.clone(), 0, false, &mut set);
            if with_space {
                self.follow(vocabulary, *start, spaced.clone(), 1, false, &mut set);
            }
        }
        Rc::new(set)
    }

    /// At most `count` tokens that go on where an answer stands first; `text` has the text's own, with their places in it.
    fn draft(
        &self,
        vocabulary: &Vocabulary,
        text: &[(usize, u32)],
        answer: &[u32],
        count: usize,
    ) -> Vec<u32> {
        let said = vocabulary.said(answer);
        let starts = self.starts.iter().filter(|_| !said.is_empty());
        let Some(start) = starts.copied().find(|start| self.bytes[*start..].starts_with(&said))
        else {
            return Vec::new();
        };
        let mut place = start + said.len();
        let next = || {
            let line = self.bytes[place..].split(|byte| [GAP, b'\n'].contains(byte)).next()?;
            let next = text.partition_point(|(at, _)| self.base + at < place);
            let id = match text.get(next) {
                Some((at, id)) if self.base + at == place => *id,
                // An answer that begins within a token of the text is cut otherwise up to the next one.
                Some((at, _)) => {
                    vocabulary.longest(&line[..line.len().min(self.base + at - place)])?
                }
                None => vocabulary.longest(line)?,
            };
            let token = vocabulary.token(id);
            place += token.len();
            line.starts_with(token).then_some(id)
        };
        std::iter::from_fn(next).take(count).collect()
    }

    /// Adds the tokens of `range`, whose first `depth` bytes are said, that go on at `place`.
    fn follow(
        &self,
        vocabulary: &Vocabulary,
        mut place: usize,
        mut range: Range<usize>,
        mut depth: usize,
        mut may_end: bool,
        set: &mut TokenSet,
    ) {
        let tokens = &vocabulary.sorted;
        loop {
            if may_end && self.is_end[place] {
                let ending = vocabulary.narrow(&range, depth, b'\n');
                tokens[ending].iter().for_each(|(_, id)| set.insert(*id));
            }
            let Some(&byte) = self.bytes.get(place).filter(|byte| ![GAP, b'\n'].contains(byte))
            else {
                return;
            };
            range = vocabulary.narrow(&range, depth, byte);
            if range.is_empty() {
                return;
            }
            (depth, place, may_end) = (depth + 1, place + 1, true);
            // Shorter ones come first.
            let whole = tokens[range.clone()].iter().take_while(|(bytes, _)| bytes.len() == depth);
            whole.for_each(|(_, id)| set.insert(*id));
        }
    }
}

/// The places in a text where words, numbers and signs begin and end.
fn borders(text: &str) -> impl Iterator<Item = usize> + '_ {
    #[derive(PartialEq)]
    enum Class {
        Letter,
        Digit,
        Space,
        Sign,
    }
    let class = |c: char| match c {
        c if c.is_whitespace() => Class::Space,
        c if c.is_numeric() => Class::Digit,
        c if c.is_alphanumeric() => Class::Letter,
        _ => Class::Sign,
    };
    let mut before = None;
    let inner = text.char_indices().filter_map(move |(place, c)| {
        let class = class(c);
        let is_border = class == Class::Sign || before.as_ref() != Some(&class);
        before = Some(class);
        is_border.then_some(place)
    });
    inner.chain(std::iter::once(text.len()))
}

/// What each row of a job may answer.
#[derive(Debug)]
pub struct Spans<'a> {
    vocabulary: &'a Vocabulary,
    haystacks: Vec<Haystack>,
    /// The text's own tokens, each with its place in the text.
    tokens: Vec<(usize, u32)>,
    /// (rows): the row's haystack; `None` for one that may answer anything
    of_row: Vec<Option<usize>>,
}

impl<'a> Spans<'a> {
    /// Rows ask for `features` of a product's `text`.
    pub fn new(vocabulary: &'a Vocabulary, text: &str, features: &[Feature]) -> Self {
        // As the model sees it, without the heading, which is no text of the product.
        let prompt = prefix_text(text);
        let text = prompt.split_once('\n').map_or("", |(_, text)| text);
        // Behind a blank at the end of a line there would be nothing to go on with.
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = &lines.join("\n");
        let mut haystacks = Vec::new();
        let (mut of_spans, mut of_numbers, mut of_booleans) = (None, None, None);
        let mut add = |haystack| {
            haystacks.push(haystack);
            haystacks.len() - 1
        };
        let mut of_row = Vec::new();
        for feature in features {
            of_row.push(match feature.kind {
                Kind::Number => Some(
                    *of_numbers
                        .get_or_insert_with(|| add(Haystack::new(text, &[NONE], starts_number))),
                ),
                // Models that were trained on spans say yes by what the text says.
                Kind::Boolean => Some(*of_booleans.get_or_insert_with(|| {
                    add(Haystack::new(text, &[NONE, "yes", "no"], |_| true))
                })),
                Kind::Free => None,
                Kind::Choice if !feature.choices.is_empty() => {
                    let choices = feature.choices.iter().map(|choice| choice.trim());
                    let wholes: Vec<&str> = std::iter::once(NONE).chain(choices).collect();
                    Some(add(Haystack::new("", &wholes, |_| true)))
                }
                Kind::Span | Kind::Choice => Some(
                    *of_spans.get_or_insert_with(|| add(Haystack::new(text, &[NONE], |_| true))),
                ),
            });
        }
        Self { vocabulary, haystacks, tokens: Vec::new(), of_row }
    }

    /// Tells it the tokens of the text, heading included, as the model reads them: answers are drafted in these. A second
    /// reading has the same tokens and adds none.
    #[must_use]
    pub fn with_tokens(mut self, prefix: &[u32]) -> Self {
        let Some(haystack) =
            self.haystacks.iter().find(|haystack| haystack.base < haystack.bytes.len())
        else {
            return self;
        };
        let text = &haystack.bytes[haystack.base..];
        let (mut place, mut is_heading) = (0, true);
        for id in prefix {
            let token = self.vocabulary.token(*id);
            if !is_heading && text[place..].starts_with(token) && !token.is_empty() {
                self.tokens.push((place, *id));
            }
            for byte in token {
                // Blanks at the ends of lines are no part of the text.
                place += usize::from(!is_heading && text.get(place) == Some(byte));
                is_heading &= *byte != b'\n';
            }
        }
        self
    }
}

/// Whether a text begins with a number, a sign before it included.
fn starts_number(text: &str) -> bool {
    let signless = text.strip_prefix(['-', '−', '+', '±', '.', '<', '>', '~', '≈', '$', '€', '£']);
    signless.unwrap_or(text).starts_with(char::is_numeric)
}

impl Constraint for Spans<'_> {
    fn allowed(&self, row: usize, answer: &[u32]) -> Option<Rc<TokenSet>> {
        let haystack = self.haystacks.get((*self.of_row.get(row)?)?)?;
        Some(haystack.allowed(self.vocabulary, answer))
    }

    fn draft(&self, row: usize, answer: &[u32], count: usize) -> Vec<u32> {
        let haystack = self.of_row.get(row).and_then(|haystack| self.haystacks.get((*haystack)?));
        haystack.map_or_else(Vec::new, |haystack| {
            haystack.draft(self.vocabulary, &self.tokens, answer, count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 18] = [
        "r", "e", "d", "red", " ", "sh", "oe", " shoe", "\n", "e\n", "none", "blue", "5", "50",
        " g", "g", "none\n\n", " red",
    ];

    fn vocabulary() -> Vocabulary {
        let tokens = TOKENS.iter().map(|token| Some(token.as_bytes().to_vec()));
        Vocabulary::new(tokens.chain([None]))
    }

    fn allowed(feature: &Feature, text: &str, answer: &[&str]) -> Vec<&'static str> {
        let vocabulary = vocabulary();
        let spans = Spans::new(&vocabulary, text, std::slice::from_ref(feature));
        let id = |token: &&str| TOKENS.iter().position(|known| known == token).unwrap() as u32;
        let answer: Vec<u32> = answer.iter().map(id).collect();
        let set = spans.allowed(0, &answer).unwrap();
        let mut tokens: Vec<&str> =
            TOKENS.iter().zip(0..).filter(|(_, id)| set.contains(*id)).map(|(t, _)| *t).collect();
        tokens.sort_unstable();
        tokens
    }

    #[test]
    fn an_answer_is_a_piece_of_the_text_or_none() {
        let span = Feature::new("Color");
        let text = "red shoe, 50g";
        let first =
            ["\n", " g", " red", " shoe", "5", "50", "g", "none", "none\n\n", "r", "red", "sh"];
        assert_eq!(allowed(&span, text, &[]), first);
        assert_eq!(allowed(&span, text, &["red"]), ["\n", " ", " shoe"]);
        assert_eq!(allowed(&span, text, &["r"]), ["e"]);
        assert_eq!(allowed(&span, text, &["r", "e"]), ["d"]);
        assert_eq!(allowed(&span, text, &["sh"]), ["oe"]);
        assert_eq!(allowed(&span, text, &["50"]), ["\n", "g"]);
        assert_eq!(allowed(&span, text, &["none"]), ["\n"]);
    }

    #[test]
    fn a_token_may_hold_the_last_letters_and_the_newline() {
        assert_eq!(allowed(&Feature::new("Tea"), "re", &["r"]), ["e", "e\n"]);
    }

    #[test]
    fn a_leading_space_is_no_part_of_the_answer() {
        let span = Feature::new("Color");
        assert_eq!(allowed(&span, "red shoe", &[" red"]), allowed(&span, "red shoe", &["red"]));
        assert!(!allowed(&span, "red shoe", &[" "]).contains(&" "));
        assert!(allowed(&span, "red shoe", &[" "]).contains(&"red"));
    }

    #[test]
    fn the_prompts_heading_is_no_text() {
        let vocabulary = Vocabulary::new(["###", "P", "Product", "lamp"].map(|t| Some(t.into())));
        let spans = Spans::new(&vocabulary, "lamp", &[Feature::new("Type")]);
        let set = spans.allowed(0, &[]).unwrap();
        assert_eq!((0..4).filter(|id| set.contains(*id)).collect::<Vec<u32>>(), [3]);
    }

    #[test]
    fn answers_do_not_cross_lines() {
        assert_eq!(allowed(&Feature::new("Color"), "red\nshoe", &["red"]), ["\n"]);
        assert_eq!(allowed(&Feature::new("Color"), "red \nshoe", &["red"]), ["\n"]);
    }

    #[test]
    fn a_number_begins_with_a_digit_and_a_choice_is_one_of_the_choices() {
        let number = Feature { kind: Kind::Number, ..Feature::new("Weight") };
        assert_eq!(allowed(&number, "red shoe, 50g", &[]), ["\n", "5", "50", "none", "none\n\n"]);
        let choices = vec![" red ".to_owned(), "blue".to_owned()];
        let choice = Feature { kind: Kind::Choice, choices, ..Feature::new("Color") };
        let first = ["\n", " red", "blue", "none", "none\n\n", "r", "red"];
        assert_eq!(allowed(&choice, "green shoe", &[]), first);
        assert_eq!(allowed(&choice, "green shoe", &["blue"]), ["\n"]);
    }

    /// What is drafted behind `answer`, of a text in these tokens.
    fn drafted(
        feature: &Feature,
        text: &[&str],
        answer: &[&str],
        count: usize,
    ) -> Vec<&'static str> {
        let vocabulary = vocabulary();
        let id = |token: &&str| TOKENS.iter().position(|known| known == token).unwrap() as u32;
        let tokens: Vec<u32> = text.iter().map(id).collect();
        let heading = vocabulary.longest(b"\n").unwrap();
        let features = std::slice::from_ref(feature);
        let spans = || Spans::new(&vocabulary, &text.concat(), features);
        let newline = id(&"\n");
        let once = [&[heading], &tokens[..], &[newline]].concat();
        let answer: Vec<u32> = answer.iter().map(id).collect();
        let draft = spans().with_tokens(&once).draft(0, &answer, count);
        let twice = spans().with_tokens(&[&once[..], &once].concat());
        assert_eq!(twice.draft(0, &answer, count), draft, "a second reading changes nothing");
        draft.into_iter().map(|id| TOKENS[id as usize]).collect()
    }

    #[test]
    fn an_answer_goes_on_as_the_text_does_in_its_own_tokens() {
        let span = Feature::new("Color");
        let text = ["red", " ", "sh", "oe", "\n", "blue", " shoe"];
        assert_eq!(drafted(&span, &text, &["red"], 9), [" ", "sh", "oe"]);
        assert_eq!(drafted(&span, &text, &["red"], 2), [" ", "sh"]);
        assert_eq!(drafted(&span, &text, &["blue"], 9), [" shoe"]);
        // Within a token the longest that fits up to the next one, then the text's.
        assert_eq!(drafted(&span, &text, &["r"], 9), ["e", "d", " ", "sh", "oe"]);
        assert_eq!(drafted(&span, &text, &["r", "e"], 1), ["d"]);
        assert_eq!(drafted(&span, &text, &[], 9), [""; 0]);
        assert_eq!(drafted(&span, &text, &["none"], 9), [""; 0]);
        assert_eq!(drafted(&span, &text, &["50"], 9), [""; 0], "what is nowhere in the text");
    }

    #[test]
    fn blanks_at_ends_of_lines_move_no_token() {
        let text = ["red", " ", " ", "\n", "sh", "oe", " ", "blue"];
        assert_eq!(drafted(&Feature::new("Color"), &text, &["sh"], 9), ["oe", " ", "blue"]);
    }

    #[test]
    fn choices_are_drafted_too_and_free_answers_are_not() {
        let choices = vec!["red shoe".to_owned(), "blue".to_owned()];
        let choice = Feature { kind: Kind::Choice, choices, ..Feature::new("Color") };
        assert_eq!(drafted(&choice, &["red"], &["red"], 9), [" shoe"]);
        let free = Feature { kind: Kind::Free, ..Feature::new("Color") };
        assert_eq!(drafted(&free, &["red", " shoe"], &["red"], 9), [""; 0]);
    }
}
