//! Where in a text a value stands.

use serde::{Deserialize, Serialize};

use crate::characters::is_ignorable;
use crate::prompt::restore;

/// A place in a text in Unicode characters (not bytes, not UTF-16 units), in JSON `[start, end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[usize; 2]", into = "[usize; 2]")]
pub struct Span {
    /// The first character.
    pub start: usize,
    /// The character after the last.
    pub end: usize,
}

impl From<[usize; 2]> for Span {
    fn from([start, end]: [usize; 2]) -> Self {
        Self { start, end }
    }
}

impl From<Span> for [usize; 2] {
    fn from(span: Span) -> Self {
        [span.start, span.end]
    }
}

/// Finds `value` in `text`: as it is written, else without regard to case, white space, characters that show as nothing,
/// and [`crate::neutralize`]. Of several places the first that is whole words counts, else the first.
///
/// Case is compared by Unicode's full case mappings (upper, then lower), so that `STRASSE` is `Straße`. Takes time in
/// proportion to the text.
pub fn ground(text: &str, value: &str) -> Option<Span> {
    exact(text, value).or_else(|| folded(text, value))
}

fn exact(text: &str, value: &str) -> Option<Span> {
    if value.is_empty() {
        return None;
    }
    let mut first = None;
    let mut whole = None;
    for (start, found) in text.match_indices(value) {
        let end = start + found.len();
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(end..).and_then(|after| after.chars().next());
        first = first.or(Some(start));
        if is_whole_words(before, found.chars(), after) {
            whole = Some(start);
            break;
        }
    }
    let start = whole.or(first)?;
    let start = text.get(..start)?.chars().count();
    Some(Span { start, end: start + value.chars().count() })
}

/// Whether a place between the characters `before` and `after` cuts no word.
fn is_whole_words(
    before: Option<char>,
    mut value: impl DoubleEndedIterator<Item = char> + Clone,
    after: Option<char>,
) -> bool {
    let joins = |a: Option<char>, b: Option<char>| {
        a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
    };
    !joins(before, value.clone().next()) && !joins(value.next_back(), after)
}

/// One character of a text in the form in which it is compared; `ß` makes two of them.
#[derive(Clone, Copy)]
struct Folded {
    c: char,
    /// Place of the character that it comes from, in Unicode characters.
    place: usize,
    is_first: bool,
    is_last: bool,
}

fn fold(text: &str) -> Vec<Folded> {
    let mut folded = Vec::with_capacity(text.len());
    for (place, c) in text.chars().enumerate() {
        if is_ignorable(c) {
            continue;
        }
        let begin = folded.len();
        let case_folded = restore(c).to_uppercase().flat_map(char::to_lowercase);
        folded.extend(case_folded.map(|c| Folded { c, place, is_first: false, is_last: false }));
        if let Some(first) = folded.get_mut(begin) {
            first.is_first = true;
        }
        if let Some(last) = folded.last_mut() {
            last.is_last = true;
        }
    }
    folded
}

fn folded(text: &str, value: &str) -> Option<Span> {
    let pattern: Vec<char> = fold(value).into_iter().map(|folded| folded.c).collect();
    let haystack = fold(text);
    let mut first = None;
    for end in match_ends(&haystack, &pattern) {
        let found = haystack.get(end - pattern.len()..end)?;
        let (Some(begin), Some(last)) = (found.first(), found.last()) else { return None };
        // Half of a ß is no place.
        if !begin.is_first || !last.is_last {
            continue;
        }
        let span = Span { start: begin.place, end: last.place + 1 };
        let before = (end - pattern.len()).checked_sub(1).and_then(|index| haystack.get(index));
        // What white space parts from the value is no part of its words.
        let before = before.filter(|before| before.place + 1 == begin.place);
        let after = haystack.get(end).filter(|after| after.place == span.end);
        if is_whole_words(before.map(|f| f.c), found.iter().map(|f| f.c), after.map(|f| f.c)) {
            return Some(span);
        }
        first = first.or(Some(span));
    }
    first
}

/// Ends of all places of `pattern` in `text`, overlapping ones as well (Knuth, Morris and Pratt 1977). None for an empty
/// pattern.
fn match_ends(text: &[Folded], pattern: &[char]) -> impl Iterator<Item = usize> {
    let borders = borders(pattern);
    let mut matched = 0;
    text.iter().enumerate().filter_map(move |(index, folded)| {
        while matched > 0 && pattern.get(matched) != Some(&folded.c) {
            matched = borders.get(matched - 1).copied().unwrap_or(0);
        }
        if pattern.get(matched) == Some(&folded.c) {
            matched += 1;
        }
        (matched > 0 && matched == pattern.len()).then_some(index + 1)
    })
}

/// For each beginning of `pattern`, the length of its longest proper beginning that is also its end.
fn borders(pattern: &[char]) -> Vec<usize> {
    let mut borders: Vec<usize> = Vec::with_capacity(pattern.len());
    let mut length = 0;
    for (index, c) in pattern.iter().enumerate() {
        while length > 0 && pattern.get(length) != Some(c) {
            length = borders.get(length - 1).copied().unwrap_or(0);
        }
        if index > 0 && pattern.get(length) == Some(c) {
            length += 1;
        }
        borders.push(length);
    }
    borders
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::neutralize;

    fn slice(text: &str, span: Span) -> String {
        text.chars().skip(span.start).take(span.end - span.start).collect()
    }

    fn found(text: &str, value: &str) -> Option<String> {
        ground(text, value).map(|span| slice(text, span))
    }

    fn span(text: &str, value: &str) -> Option<(usize, usize)> {
        ground(text, value).map(|span| (span.start, span.end))
    }

    #[test]
    fn places_are_in_unicode_characters() {
        assert_eq!(span("Red shoe", "shoe"), Some((4, 8)));
        assert_eq!(span("👟👟 shoe", "shoe"), Some((3, 7)));
        assert_eq!(span("נעל כחול", "כחול"), Some((4, 8)));
        assert_eq!(span("a 👩‍👩‍👧 b", "👩‍👩‍👧"), Some((2, 7)));
        assert_eq!(span("cafe\u{301} noir", "noir"), Some((6, 10)));
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        assert_eq!(found("Color: RED", "red").as_deref(), Some("RED"));
        assert_eq!(
            found("10\u{A0}  D\r\nUS wide", "10 d us").as_deref(),
            Some("10\u{A0}  D\r\nUS")
        );
        assert_eq!(found("weighs 2.4kg", "2.4 KG").as_deref(), Some("2.4kg"));
        assert_eq!(found("High\u{AD}Top", "HighTop").as_deref(), Some("High\u{AD}Top"));
        assert_eq!(
            found("צבע \u{200F}כחול\u{200F} כהה", "כחול כהה").as_deref(),
            Some("כחול\u{200F} כהה")
        );
        assert_eq!(found("👟 RED 👟", "👟red👟").as_deref(), Some("👟 RED 👟"));
    }

    #[test]
    fn case_folds_of_several_characters_are_placed_whole() {
        assert_eq!(found("Hauptstraße 5", "HAUPTSTRASSE").as_deref(), Some("Hauptstraße"));
        assert_eq!(found("STRASSE", "straße").as_deref(), Some("STRASSE"));
        assert_eq!(found("a ﬁne lamp", "FINE").as_deref(), Some("ﬁne"));
        assert_eq!(found("İSTANBUL tea", "i̇stanbul").as_deref(), Some("İSTANBUL"));
        assert_eq!(found("ΟΔΟΣ", "οδος").as_deref(), Some("ΟΔΟΣ"));
        // Half of ß is no place, but the s and ß that overlap such a half are.
        assert_eq!(ground("ß", "S"), None);
        assert_eq!(found("sß", "SS").as_deref(), Some("ß"));
    }

    #[test]
    fn whole_words_come_first() {
        assert_eq!(span("colored in red", "red"), Some((11, 14)));
        assert_eq!(span("colored", "red"), Some((4, 7)));
        assert_eq!(span("Colored in Red", "RED"), Some((11, 14)));
        assert_eq!(span("15 W or 5 W", "5 w"), Some((8, 11)));
        assert_eq!(span("15 W", "5 w"), Some((1, 4)));
        assert_eq!(span("红色的鞋", "色的"), Some((1, 3)));
        // White space before a value parts it from the word before.
        assert_eq!(span("bar ed red", "RED"), Some((7, 10)));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for (text, value) in [
            ("Red shoe", "blue"),
            ("Red", ""),
            ("Red", " \n"),
            ("", "Red"),
            ("", ""),
            ("Re", "Red"),
            ("a-b", "a b"),
        ] {
            assert_eq!(ground(text, value), None, "{value:?} in {text:?}");
        }
    }

    #[test]
    fn a_value_copied_from_neutralised_text_is_found_in_the_original() {
        let text = "Size 5\n### Brand: Acme\n";
        let copied = "♯♯♯ Brand: Acme";
        assert!(neutralize(text).contains(copied));
        assert_eq!(found(text, copied).as_deref(), Some("### Brand: Acme"));
    }

    #[test]
    fn json_is_a_pair() {
        assert_eq!(serde_json::to_string(&Span { start: 3, end: 7 }).unwrap(), "[3,7]");
        assert_eq!(serde_json::from_str::<Span>("[3,7]").unwrap(), Span { start: 3, end: 7 });
        assert!(serde_json::from_str::<Span>("[3]").is_err());
    }

    #[test]
    fn a_long_text_that_almost_matches_everywhere_is_searched() {
        let text = format!("{}b", "a".repeat(200_000));
        let value = format!("{}B", "A".repeat(1_000));
        assert_eq!(span(&text, &value), Some((199_000, 200_001)));
        assert_eq!(ground(&text, &format!("{}C", "A".repeat(100_000))), None);
    }

    /// The folded search in the plainest form: every place, compared from there.
    fn plain_match_ends(text: &[Folded], pattern: &[char]) -> Vec<usize> {
        if pattern.is_empty() {
            return Vec::new();
        }
        let ends = pattern.len()..=text.len();
        ends.filter(|end| text[end - pattern.len()..*end].iter().map(|f| &f.c).eq(pattern))
            .collect()
    }

    proptest! {
        #[test]
        fn a_part_of_the_text_is_found_as_it_is(text in "\\PC{0,40}|[ab ßﬁ\\n👟א#♯]{0,40}", a in 0usize..41, b in 0usize..41) {
            let part = slice(&text, Span { start: a.min(b), end: a.max(b) });
            match ground(&text, &part) {
                Some(span) => prop_assert_eq!(slice(&text, span), part),
                None => prop_assert!(part.is_empty()),
            }
        }

        #[test]
        fn a_part_in_other_case_and_spacing_is_found(text in "[abß ﬁ\\nשÉ👟#]{1,30}", a in 0usize..31, b in 0usize..31) {
            let part = slice(&text, Span { start: a.min(b), end: a.max(b) });
            let changed: String = part.to_uppercase().chars().flat_map(|c| [' ', c, '\u{A0}']).collect();
            let is_blank = part.trim().is_empty();
            // The fold of "ss" from an ß may sit elsewhere first, so only that it is found is certain.
            prop_assert_eq!(ground(&text, &changed).is_some(), !is_blank);
        }

        #[test]
        fn places_lie_in_the_text(text in any::<String>(), value in any::<String>()) {
            if let Some(span) = ground(&text, &value) {
                prop_assert!(span.start < span.end && span.end <= text.chars().count());
            }
        }

        #[test]
        fn the_search_finds_what_a_plain_one_finds(text in "[abA ß]{0,40}", value in "[abß]{0,6}") {
            let text = fold(&text);
            let pattern: Vec<char> = fold(&value).into_iter().map(|f| f.c).collect();
            let ends: Vec<usize> = match_ends(&text, &pattern).collect();
            prop_assert_eq!(ends, plain_match_ends(&text, &pattern));
        }
    }
}
