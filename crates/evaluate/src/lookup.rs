use std::collections::{HashMap, HashSet};

use hangtag_task::Product;

use crate::{AnswerError, Answerer, GivenAnswer, Question};

/// A dictionary of values that were seen for a feature.
///
/// Values are kept by category and feature, and by feature alone for pairs that no training product has. The answer is
/// the longest value that stands in the text as it is written and cuts no word; of several as long, the one that was seen
/// most often, then the first in the alphabet. Features of a name never seen have no answer. It knows no confidence.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    by_category: HashMap<(String, String), Vec<String>>,
    by_feature: HashMap<String, Vec<String>>,
}

impl Lookup {
    /// Learns the values of `products`.
    pub fn train(products: &[Product]) -> Self {
        let mut by_category: HashMap<_, HashMap<&str, usize>> = HashMap::new();
        let mut by_feature: HashMap<_, HashMap<&str, usize>> = HashMap::new();
        for product in products {
            for name in product.features.keys() {
                let feature = key(name);
                let of_category =
                    by_category.entry((key(&product.category), feature.clone())).or_default();
                let of_feature = by_feature.entry(feature).or_default();
                for value in product.accepted(name).into_iter().flatten() {
                    *of_category.entry(value.trim()).or_default() += 1;
                    *of_feature.entry(value.trim()).or_default() += 1;
                }
            }
        }
        Self {
            by_category: by_category
                .into_iter()
                .map(|(key, counts)| (key, sorted(counts)))
                .collect(),
            by_feature: by_feature.into_iter().map(|(key, counts)| (key, sorted(counts))).collect(),
        }
    }

    fn find(&self, category: &str, feature: &str, text: &str) -> Option<&str> {
        let of_category = self.by_category.get(&(key(category), key(feature)));
        let values = of_category.or_else(|| self.by_feature.get(&key(feature)))?;
        values.iter().map(String::as_str).find(|value| has_words(text, value))
    }
}

impl Answerer for Lookup {
    fn name(&self) -> String {
        "lookup".to_owned()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let value =
            |name: &str| self.find(question.category, name, question.text).map(str::to_owned);
        let answers = question.features.iter();
        Ok(answers.map(|f| GivenAnswer { value: value(&f.name), confidence: None }).collect())
    }
}

fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The values in the order in which they are tried.
fn sorted(counts: HashMap<&str, usize>) -> Vec<String> {
    let mut values: Vec<(&str, usize)> =
        counts.into_iter().filter(|(value, _)| !value.is_empty()).collect();
    values.sort_by(|(a, seen_a), (b, seen_b)| {
        let length = |value: &str| value.chars().count();
        length(b).cmp(&length(a)).then(seen_b.cmp(seen_a)).then(a.cmp(b))
    });
    let mut seen = HashSet::new();
    values
        .into_iter()
        .map(|(value, _)| value.to_owned())
        .filter(|v| seen.insert(v.clone()))
        .collect()
}

/// Whether `value` stands in `text` without cutting a word.
fn has_words(text: &str, value: &str) -> bool {
    let joins = |a: Option<char>, b: Option<char>| {
        a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(value).any(|(start, found)| {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(start + found.len()..).and_then(|after| after.chars().next());
        !joins(before, found.chars().next()) && !joins(found.chars().next_back(), after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask;
    use crate::test_products::product;

    fn answers(category: &str, text: &str, features: &str) -> Vec<Option<String>> {
        let train = [
            product("1", "Shoes", "Red shoe", r#"{"Color":"Red","Size":null}"#),
            product("2", "Shoes", "Dark Red shoe", r#"{"Color":"Dark Red"}"#),
            product("3", "Lamps", "Warm White lamp", r#"{"Color":"Warm White","Bulb":"lamp"}"#),
        ];
        let asked = product("9", category, text, features);
        ask(&mut Lookup::train(&train), &asked).unwrap().answers.into_values().collect()
    }

    fn some(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn the_longest_value_in_the_text_is_the_answer() {
        assert_eq!(answers("Shoes", "A Dark Red boot", r#"{"Color":null}"#), [some("Dark Red")]);
        assert_eq!(answers("shoes", "A Red boot", r#"{"color":null}"#), [some("Red")]);
        assert_eq!(answers("Shoes", "A red boot, Redder", r#"{"Color":null}"#), [None]);
    }

    #[test]
    fn other_categories_help_only_where_the_own_is_unknown() {
        let asked = r#"{"Color":null,"Bulb":null,"Sole":null}"#;
        assert_eq!(answers("Shoes", "Warm White lamp", asked), [None, some("lamp"), None]);
        assert_eq!(answers("Hats", "Warm White hat", asked), [some("Warm White"), None, None]);
    }
}
