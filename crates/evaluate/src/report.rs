//! All figures of an evaluation.

use std::collections::{HashMap, HashSet};

use hangtag_task::Product;
use hangtag_task::metrics::{Counts, Outcome, score};
use indexmap::IndexMap;
use serde::Serialize;

use crate::{Calibration, Judged, Prediction};

/// Products that are shown with their texts.
const EXAMPLES: usize = 24;

/// What was evaluated.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Run {
    /// Who answered.
    pub answerer: String,
    /// Name of the dataset.
    pub data: String,
    /// Products that could not be answered, and why.
    pub failures: IndexMap<String, String>,
}

/// Counts with the figures that follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Pairs of each outcome.
    #[serde(flatten)]
    pub counts: Counts,
    /// [`Counts::f1`].
    pub f1: f64,
    /// [`Counts::precision`].
    pub precision: f64,
    /// [`Counts::recall`].
    pub recall: f64,
    /// [`Counts::accuracy`].
    pub accuracy: f64,
    /// [`Counts::share_wrong`].
    pub wrong: f64,
    /// [`Counts::share_invented`].
    pub invented: f64,
}

impl From<Counts> for Figures {
    fn from(counts: Counts) -> Self {
        Self {
            counts,
            f1: counts.f1(),
            precision: counts.precision(),
            recall: counts.recall(),
            accuracy: counts.accuracy(),
            wrong: counts.share_wrong(),
            invented: counts.share_invented(),
        }
    }
}

/// Figures of the pairs of one category, or of one feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Over all features, as [`Report::strict`].
    #[serde(flatten)]
    pub figures: Figures,
}

/// A wrong or an invented answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// The product.
    pub id: String,
    /// Its category.
    pub category: String,
    /// The feature.
    pub feature: String,
    /// [`Outcome::VW`] or [`Outcome::NV`].
    pub outcome: Outcome,
    /// Accepted answers; empty where the text gives no value.
    pub accepted: Vec<String>,
    /// The answer given.
    pub predicted: String,
    /// How sure it was.
    pub confidence: Option<f32>,
}

/// A product with all that was said of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// The product.
    pub id: String,
    /// Its category.
    pub category: String,
    /// Its text.
    pub text: String,
    /// Its features.
    pub pairs: Vec<ExamplePair>,
}

/// What was said of one feature of an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExamplePair {
    /// The feature.
    pub feature: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The right value.
    pub gold: Option<String>,
    /// The answer given.
    pub predicted: Option<String>,
}

/// All figures of an evaluation, in serde the object of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was evaluated.
    #[serde(flatten)]
    pub run: Run,
    /// Products of the dataset.
    pub products: usize,
    /// Of these, products that have answers. The others count nowhere.
    pub answered: usize,
    /// Answers for products that the dataset does not have. They count nowhere.
    pub unknown: usize,
    /// Mean time of a product's answers, where it is known.
    pub seconds_per_product: Option<f64>,
    /// The published metric.
    pub published: Figures,
    /// Over all features of every product.
    pub strict: Figures,
    /// Per category, the largest first.
    pub categories: Vec<Group>,
    /// Per feature's name, the most common first.
    pub features: Vec<Group>,
    /// `None` where no answer has a confidence.
    pub calibration: Option<Calibration>,
    /// Wrong and invented answers, in the order of the dataset.
    pub mistakes: Vec<Mistake>,
    /// The products with most wrong, invented and missed values, the worst first.
    pub examples: Vec<Example>,
}

/// One pair of product and feature.
struct Pair<'a> {
    product: &'a Product,
    feature: &'a str,
    predicted: Option<&'a str>,
    confidence: Option<f32>,
    outcome: Outcome,
}

impl Report {
    /// Judges `predictions` by what `products` say. A feature that a prediction does not name counts as answered with
    /// none; of several predictions for one product the last counts.
    pub fn new(run: Run, products: &[Product], predictions: &[Prediction]) -> Self {
        let by_id = by_id(predictions);
        let answered = answered(products, &by_id);
        let known: HashSet<&str> = products.iter().map(|product| product.id.as_str()).collect();
        let pairs: Vec<Pair<'_>> =
            answered.iter().flat_map(|(p, answers)| pairs(p, answers)).collect();
        let scored = pairs.iter().filter(|pair| pair.product.is_scored(pair.feature));
        let seconds: Vec<f64> =
            answered.iter().filter_map(|(_, prediction)| prediction.seconds).collect();
        Self {
            run,
            products: products.len(),
            answered: answered.len(),
            unknown: by_id.keys().filter(|id| !known.contains(*id)).count(),
            seconds_per_product: mean(&seconds),
            published: scored.map(|pair| pair.outcome).collect::<Counts>().into(),
            strict: pairs.iter().map(|pair| pair.outcome).collect::<Counts>().into(),
            categories: groups(&pairs, |pair| &pair.product.category),
            features: groups(&pairs, |pair| pair.feature),
            calibration: Calibration::new(pairs.iter().filter_map(Pair::judged).collect()),
            mistakes: pairs.iter().filter_map(Pair::mistake).collect(),
            examples: examples(&pairs),
        }
    }
}

/// Every answer of `predictions` that has a confidence, judged by what `products` say.
pub fn judged(products: &[Product], predictions: &[Prediction]) -> Vec<Judged> {
    let answered = answered(products, &by_id(predictions));
    let judge = |&(product, prediction): &(&Product, &Prediction)| -> Vec<Judged> {
        pairs(product, prediction).iter().filter_map(Pair::judged).collect()
    };
    answered.iter().flat_map(judge).collect()
}

/// The last prediction of each product.
fn by_id(predictions: &[Prediction]) -> HashMap<&str, &Prediction> {
    predictions.iter().map(|prediction| (prediction.id.as_str(), prediction)).collect()
}

/// The products that have answers, with them.
fn answered<'a>(
    products: &'a [Product],
    by_id: &HashMap<&str, &'a Prediction>,
) -> Vec<(&'a Product, &'a Prediction)> {
    products
        .iter()
        .filter_map(|product| Some((product, *by_id.get(product.id.as_str())?)))
        .collect()
}

fn pairs<'a>(product: &'a Product, prediction: &'a Prediction) -> Vec<Pair<'a>> {
    let pair = |feature: &'a String| {
        let predicted = prediction.answers.get(feature).and_then(|value| value.as_deref());
        let predicted = predicted.map(str::trim).filter(|value| !value.is_empty());
        Pair {
            product,
            feature,
            predicted,
            confidence: prediction.confidence.get(feature).copied(),
            outcome: score(product.accepted(feature).as_deref(), predicted),
        }
    };
    product.features.keys().map(pair).collect()
}

impl Pair<'_> {
    fn is_right(&self) -> bool {
        matches!(self.outcome, Outcome::NN | Outcome::VC)
    }

    fn judged(&self) -> Option<Judged> {
        let has_value = self.predicted.is_some();
        Some(Judged { confidence: self.confidence?, has_value, correct: self.is_right() })
    }

    fn mistake(&self) -> Option<Mistake> {
        let predicted = self.predicted.filter(|_| !self.is_right())?;
        let accepted = self.product.accepted(self.feature).unwrap_or_default();
        Some(Mistake {
            id: self.product.id.clone(),
            category: self.product.category.clone(),
            feature: self.feature.to_owned(),
            outcome: self.outcome,
            accepted: accepted.into_iter().map(str::to_owned).collect(),
            predicted: predicted.to_owned(),
            confidence: self.confidence,
        })
    }

    fn example(&self) -> ExamplePair {
        ExamplePair {
            feature: self.feature.to_owned(),
            outcome: self.outcome,
            gold: self.product.features.get(self.feature).cloned().flatten(),
            predicted: self.predicted.map(str::to_owned),
        }
    }
}

fn groups<'a>(pairs: &'a [Pair<'a>], name: impl Fn(&'a Pair<'a>) -> &'a str) -> Vec<Group> {
    let mut groups: IndexMap<&str, Counts> = IndexMap::new();
    for pair in pairs {
        groups.entry(name(pair)).or_default().add(pair.outcome);
    }
    groups.sort_by(|_, a, _, b| b.total().cmp(&a.total()));
    groups
        .into_iter()
        .map(|(name, counts)| Group { name: name.to_owned(), figures: counts.into() })
        .collect()
}

fn examples(pairs: &[Pair<'_>]) -> Vec<Example> {
    let weight = |pair: &Pair<'_>| match pair.outcome {
        Outcome::NN | Outcome::VC => 0,
        Outcome::VN => 1,
        // A value that is not true does more harm than a missing one.
        Outcome::NV | Outcome::VW => 2,
    };
    let mut products: Vec<&[Pair<'_>]> =
        pairs.chunk_by(|a, b| std::ptr::eq(a.product, b.product)).collect();
    let faults = |pairs: &&[Pair<'_>]| pairs.iter().map(weight).sum::<usize>();
    products.retain(|pairs| faults(pairs) > 0);
    products.sort_by_key(|pairs| std::cmp::Reverse(faults(pairs)));
    products
        .into_iter()
        .take(EXAMPLES)
        .filter_map(|pairs| {
            let product = pairs.first()?.product;
            Some(Example {
                id: product.id.clone(),
                category: product.category.clone(),
                text: product.text.clone(),
                pairs: pairs.iter().map(Pair::example).collect(),
            })
        })
        .collect()
}

fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_predictions;
    use crate::test_products::product;

    fn report() -> Report {
        let products = [
            product("1", "Shoes", "Red shoe 42", r#"{"Color":"Red","Size":"42","Brand":null}"#),
            product("2", "Lamps", "Lamp", r#"{"Color":null}"#),
            product("3", "Lamps", "Blue lamp", r#"{"Color":"Blue"}"#),
        ];
        let predictions = r#"{"id":"1","answers":{"Color":"Red"},"confidence":{"Color":0.9},"seconds":2}
            {"id":"2","answers":{"Color":"Lamp"},"confidence":{"Color":0.8}}
            {"id":"9","answers":{}}"#;
        let predictions: Vec<Prediction> =
            read_predictions(predictions).map(Result::unwrap).collect();
        Report::new(Run::default(), &products, &predictions)
    }

    #[test]
    fn every_figure_is_of_the_answered_products() {
        let report = report();
        assert_eq!((report.products, report.answered, report.unknown), (3, 2, 1));
        let counts = Counts { nn: 1, nv: 1, vn: 1, vc: 1, vw: 0 };
        assert_eq!((report.strict.counts, report.published.counts), (counts, counts));
        assert_eq!(report.strict.f1, counts.f1());
        assert_eq!(report.seconds_per_product, Some(2.0));
        let names: Vec<&str> = report.categories.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["Shoes", "Lamps"]);
        assert_eq!(report.features[0].name, "Color");
        assert_eq!(report.features[0].figures.counts, Counts { nv: 1, vc: 1, ..Counts::default() });
        assert_eq!(report.calibration.unwrap().answers, 2);
    }

    #[test]
    fn mistakes_and_the_worst_products_are_listed() {
        let report = report();
        assert_eq!(report.mistakes.len(), 1);
        let mistake = &report.mistakes[0];
        assert_eq!(
            (mistake.id.as_str(), mistake.predicted.as_str(), mistake.outcome),
            ("2", "Lamp", Outcome::NV)
        );
        // An invented value is worse than a missed one.
        let ids: Vec<&str> = report.examples.iter().map(|example| example.id.as_str()).collect();
        assert_eq!(ids, ["2", "1"]);
    }
}
