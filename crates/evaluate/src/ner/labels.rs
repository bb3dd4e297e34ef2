//! Values as labels of tokens, and back: B begins a value, I goes on with it, O is none (Ramshaw and Marcus 1995).

use std::collections::HashMap;

use hangtag_task::{Product, ground};

use super::tokens::{Token, tokenize};

/// Label of a token that belongs to no value.
pub(super) const OUTSIDE: &str = "O";

/// A text with a label for each of its tokens.
pub(super) struct Labelled<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    /// `O`, or `B` or `I` and the feature's number.
    pub(super) labels: Vec<String>,
}

/// How values are written that the training texts write otherwise, by feature's number and the text's words:
/// `acme` for `Acme`.
pub(super) type Spellings = HashMap<(usize, String), String>;

/// The spellings that `product` shows.
pub(super) fn spellings(product: &Product, numbers: &HashMap<String, usize>) -> Spellings {
    let text = product.text.as_str();
    let mut spellings = Spellings::new();
    for (name, value) in &product.features {
        let (Some(value), Some(&number)) = (value, numbers.get(&super::key(name))) else {
            continue;
        };
        if let Some(span) = ground(text, value) {
            let found: String = text.chars().skip(span.start).take(span.end - span.start).collect();
            if found != *value {
                spellings.insert((number, found), value.clone());
            }
        }
    }
    spellings
}

impl<'a> Labelled<'a> {
    /// Labels every place where a value of `product` stands as whole tokens; of places that overlap the longer counts.
    /// `numbers` gives the number of a feature, by its name as [`super::key`] makes it; the others are not labelled.
    pub(super) fn new(product: &'a Product, numbers: &HashMap<String, usize>) -> Self {
        let text = product.text.as_str();
        let tokens = tokenize(text);
        let mut places: Vec<(std::ops::Range<usize>, usize)> = Vec::new();
        for (name, value) in &product.features {
            if let (Some(value), Some(&number)) = (value, numbers.get(&super::key(name))) {
                places.extend(
                    places_of(text, &tokens, value).into_iter().map(|place| (place, number)),
                );
            }
        }
        places
            .sort_by_key(|(place, number)| (std::cmp::Reverse(place.len()), place.start, *number));
        let mut labels = vec![OUTSIDE.to_owned(); tokens.len()];
        for (place, number) in places {
            let Some(free) = labels.get_mut(place).filter(|l| l.iter().all(|l| l == OUTSIDE))
            else {
                continue;
            };
            for (index, label) in free.iter_mut().enumerate() {
                *label = format!("{}{number}", if index == 0 { 'B' } else { 'I' });
            }
        }
        Self { text, tokens, labels }
    }

    /// The first value of each feature.
    pub(super) fn values(&self) -> HashMap<usize, &'a str> {
        let mut values = HashMap::new();
        let mut index = 0;
        while let Some(label) = self.labels.get(index) {
            let begin = index;
            index += 1;
            let Some(number) = label.get(1..).and_then(|number| number.parse().ok()) else {
                continue;
            };
            while self.labels.get(index).is_some_and(|next| *next == format!("I{number}")) {
                index += 1;
            }
            if let (Some(first), Some(last)) = (self.tokens.get(begin), self.tokens.get(index - 1))
                && let Some(value) = self.text.get(first.start..last.end)
            {
                values.entry(number).or_insert(value);
            }
        }
        values
    }
}

/// Ranges of tokens that read as `value`: as it is written, else the one place that differs in case or white space.
fn places_of(text: &str, tokens: &[Token], value: &str) -> Vec<std::ops::Range<usize>> {
    let value = value.trim();
    let as_written = text
        .match_indices(value)
        .filter_map(|(start, found)| whole(tokens, start, start + found.len()));
    let places: Vec<_> = as_written.collect();
    if !places.is_empty() || value.is_empty() {
        return places;
    }
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
    let other =
        ground(text, value).and_then(|span| whole(tokens, byte(span.start), byte(span.end)));
    other.into_iter().collect()
}

/// The tokens of the bytes from `start` to `end`, if these cut none.
fn whole(tokens: &[Token], start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let first = tokens.binary_search_by_key(&start, |token| token.start).ok()?;
    let last = tokens.binary_search_by_key(&end, |token| token.end).ok()?;
    (first <= last).then_some(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_products::product;

    fn labelled<'a>(product: &'a Product, names: &[&str]) -> Labelled<'a> {
        let numbers =
            names.iter().enumerate().map(|(number, name)| (super::super::key(name), number));
        Labelled::new(product, &numbers.collect())
    }

    #[test]
    fn values_become_labels_and_come_back() {
        let product = product(
            "1",
            "Shoes",
            "Dark Red shoe 42mm, Red, size 42",
            r#"{"Color":"Dark Red","Other":"Red","Size":"42","Sole":null,"Unit":"MM"}"#,
        );
        let labelled = labelled(&product, &["color", "Other", "Size", "Sole", "Unit"]);
        assert_eq!(labelled.labels.join(" "), "B0 I0 O B2 B4 O B1 O O B2");
        let values = labelled.values();
        assert_eq!(
            (values[&0], values[&1], values[&2], values[&4]),
            ("Dark Red", "Red", "42", "mm")
        );
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn spellings_are_those_that_differ() {
        let product =
            product("1", "Shoes", "Red ACME", r#"{"Color":"Red","Brand":"acme","Size":"4"}"#);
        let numbers = [("color", 0), ("brand", 1), ("size", 2)];
        let numbers = numbers.map(|(name, number)| (name.to_owned(), number)).into_iter().collect();
        let expected = [((1, "ACME".to_owned()), "acme".to_owned())].into_iter().collect();
        assert_eq!(spellings(&product, &numbers), expected);
    }

    #[test]
    fn unknown_features_and_halves_of_tokens_are_not_labelled() {
        let product = product("1", "Shoes", "Redder shoe", r#"{"Color":"Red","Kind":"shoe"}"#);
        assert_eq!(labelled(&product, &["Color"]).labels.join(" "), "O O");
    }

    #[test]
    fn a_value_that_begins_in_the_middle_is_read_all_the_same() {
        let labels = ["I7", "I7", "B7", "I6"].map(str::to_owned).to_vec();
        let text = "a b c d";
        let labelled = Labelled { text, tokens: tokenize(text), labels };
        let values = labelled.values();
        assert_eq!((values[&7], values[&6]), ("a b", "d"));
    }
}
