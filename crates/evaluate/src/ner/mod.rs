//! Named entity recognition: the usual approach before language models, here with conditional random fields.

mod crf;
mod labels;
mod tokens;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;

use hangtag_task::{Feature, Product};

use self::crf::Crf;
use self::labels::{Labelled, Spellings, spellings};
use crate::{AnswerError, Answerer, GivenAnswer, Question};

/// Why a recogniser cannot be trained or used.
#[derive(Debug, thiserror::Error)]
pub enum NerError {
    /// The trainer failed.
    #[error("the CRF cannot be trained: {0}")]
    Training(io::Error),
    /// The trained model could not be kept for a moment in the folder for temporary files.
    #[error("the folder for temporary files cannot be used: {0}; make room in it or set TMPDIR")]
    Folder(io::Error),
    /// A text could not be labelled.
    #[error("the CRF cannot label the text: {0}")]
    Labelling(io::Error),
}

/// A recogniser of feature values, trained on products with known ones.
///
/// Each category has a CRF that labels every token with the beginning (B) or the inside (I) of one of the category's
/// features, or with neither (O). A feature that the asked category never had in training is found by a CRF for its name
/// alone, trained over the products of all categories that have the name. A name never seen has no answer. Where the
/// training products write a value otherwise than their texts (`acme` for `Acme`), so does the answer.
///
/// A CRF is trained when it is first needed, so that the first product of a category takes longer. It knows no
/// confidence.
pub struct Ner {
    train: Vec<Product>,
    by_category: HashMap<String, Recogniser>,
    by_name: HashMap<String, Recogniser>,
}

/// A CRF and the numbers of the features that it knows.
struct Recogniser {
    /// `None` where the training products have no values.
    crf: Option<Crf>,
    numbers: HashMap<String, usize>,
    spellings: Spellings,
}

impl Ner {
    /// Will learn from `train`.
    pub fn new(train: Vec<Product>) -> Self {
        Self { train, by_category: HashMap::new(), by_name: HashMap::new() }
    }

    fn of_category(&mut self, category: &str) -> Result<&Recogniser, NerError> {
        let vacant = match self.by_category.entry(key(category)) {
            Entry::Occupied(trained) => return Ok(trained.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let products: Vec<&Product> =
            self.train.iter().filter(|product| key(&product.category) == *vacant.key()).collect();
        let names = products.iter().flat_map(|product| product.features.keys());
        let names = names.map(|name| key(name)).collect();
        Ok(vacant.insert(Recogniser::train(&products, names)?))
    }

    fn of_name(&mut self, name: &str) -> Result<&Recogniser, NerError> {
        let vacant = match self.by_name.entry(key(name)) {
            Entry::Occupied(trained) => return Ok(trained.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let name = vacant.key();
        let has_name =
            |product: &&Product| product.features.keys().any(|other| key(other) == *name);
        let products: Vec<&Product> = self.train.iter().filter(has_name).collect();
        let names = HashSet::from([name.clone()]);
        Ok(vacant.insert(Recogniser::train(&products, names)?))
    }

    fn find(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, NerError> {
        let recogniser = self.of_category(question.category)?;
        let values = recogniser.values(question.text)?;
        let known: Vec<Option<Option<String>>> =
            question.features.iter().map(|feature| recogniser.known(feature, &values)).collect();
        let mut answers = Vec::with_capacity(known.len());
        for (feature, known) in question.features.iter().zip(known) {
            let value = match known {
                Some(value) => value,
                None => {
                    let recogniser = self.of_name(&feature.name)?;
                    let values = recogniser.values(question.text)?;
                    recogniser.known(feature, &values).flatten()
                }
            };
            answers.push(GivenAnswer { value, confidence: None });
        }
        Ok(answers)
    }
}

impl Recogniser {
    fn train(products: &[&Product], names: HashSet<String>) -> Result<Self, NerError> {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        let numbers: HashMap<String, usize> =
            names.into_iter().enumerate().map(|(number, name)| (name, number)).collect();
        let texts: Vec<Labelled<'_>> =
            products.iter().map(|product| Labelled::new(product, &numbers)).collect();
        let spellings = products.iter().flat_map(|product| spellings(product, &numbers)).collect();
        Ok(Self { crf: Crf::train(&texts)?, numbers, spellings })
    }

    /// The values in `text`, by feature's number.
    fn values<'a>(&self, text: &'a str) -> Result<HashMap<usize, &'a str>, NerError> {
        match &self.crf {
            Some(crf) => Ok(crf.label(text)?.values()),
            None => Ok(HashMap::new()),
        }
    }

    /// The answer for `feature` from `values`; `None` if the feature was not in training.
    fn known(&self, feature: &Feature, values: &HashMap<usize, &str>) -> Option<Option<String>> {
        let number = *self.numbers.get(&key(&feature.name))?;
        Some(values.get(&number).map(|&value| {
            let spelling = self.spellings.get(&(number, value.to_owned()));
            spelling.map_or(value, String::as_str).to_owned()
        }))
    }
}

impl Answerer for Ner {
    fn name(&self) -> String {
        "ner".to_owned()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        self.find(question).map_err(|error| AnswerError::Failed(error.to_string()))
    }
}

/// How names of categories and features are compared.
fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask;
    use crate::test_products::product;

    fn train() -> Vec<Product> {
        let brands = ["Acme", "Bolt", "Crux", "Dyna", "Ewox", "Fyro"];
        let colors = ["Red", "Blue", "Green", "Black"];
        let mut products = Vec::new();
        for (i, brand) in brands.iter().enumerate() {
            for (j, color) in colors.iter().enumerate() {
                let (text, features) = match j {
                    0 => (
                        format!("{brand} running shoe"),
                        format!(r#"{{"Brand":"{brand}","Color":null}}"#),
                    ),
                    _ => (
                        format!("{brand} running shoe in {color}"),
                        format!(r#"{{"Brand":"{brand}","Color":"{color}"}}"#),
                    ),
                };
                products.push(product(&format!("{i}-{j}"), "Shoes", &text, &features));
            }
        }
        products
    }

    fn answers(category: &str, text: &str, features: &str) -> Vec<Option<String>> {
        let asked = product("9", category, text, features);
        ask(&mut Ner::new(train()), &asked).unwrap().answers.into_values().collect()
    }

    fn some(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    const ASKED: &str = r#"{"brand":null,"Color":null,"Sole":null}"#;

    #[test]
    fn values_never_seen_are_found_by_their_place() {
        let found = answers("Shoes", "Gobi running shoe in Purple", ASKED);
        assert_eq!(found, [some("Gobi"), some("Purple"), None]);
        assert_eq!(answers("Shoes", "Gobi running shoe", ASKED), [some("Gobi"), None, None]);
    }

    #[test]
    fn a_category_never_seen_is_answered_by_name() {
        let found = answers("Boots", "Gobi running shoe in Purple", ASKED);
        assert_eq!(found, [some("Gobi"), some("Purple"), None]);
    }

    #[test]
    fn nothing_to_learn_from_gives_no_answers() {
        let asked = product("9", "Shoes", "!", r#"{"A":null}"#);
        let mut ner = Ner::new(vec![product("1", "Shoes", "x", r#"{"A":null}"#)]);
        assert_eq!(ask(&mut ner, &asked).unwrap().answers["A"], None);
    }
}
