//! How good answers are, as the work on product attributes counts it (ExtractGPT, Brinkmann, Shraga and Bizer 2024).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::Product;

/// What became of one pair of product and feature. The first letter is the truth, the second the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// No value, and none predicted.
    NN,
    /// No value, and one predicted: invented.
    NV,
    /// A value, and none predicted: missed.
    VN,
    /// A value, and an accepted one predicted: correct.
    VC,
    /// A value, and another one predicted: wrong.
    VW,
}

/// Judges one prediction. `gold` are the accepted answers, `None` where the text gives no value. Compared trimmed and
/// with regard to case; a blank prediction is none.
pub fn score<S: AsRef<str>>(gold: Option<&[S]>, predicted: Option<&str>) -> Outcome {
    let predicted = predicted.map(str::trim).filter(|value| !value.is_empty());
    match (gold, predicted) {
        (None, None) => Outcome::NN,
        (None, Some(_)) => Outcome::NV,
        (Some(_), None) => Outcome::VN,
        (Some(accepted), Some(value)) => {
            if accepted.iter().any(|accepted| accepted.as_ref().trim() == value) {
                Outcome::VC
            } else {
                Outcome::VW
            }
        }
    }
}

/// How often each outcome occurred. Every share of nothing is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// [`Outcome::NN`].
    pub nn: usize,
    /// [`Outcome::NV`].
    pub nv: usize,
    /// [`Outcome::VN`].
    pub vn: usize,
    /// [`Outcome::VC`].
    pub vc: usize,
    /// [`Outcome::VW`].
    pub vw: usize,
}

impl Counts {
    /// Counts one outcome.
    pub fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::NN => &mut self.nn,
            Outcome::NV => &mut self.nv,
            Outcome::VN => &mut self.vn,
            Outcome::VC => &mut self.vc,
            Outcome::VW => &mut self.vw,
        };
        *count += 1;
    }

    /// All pairs.
    pub fn total(&self) -> usize {
        self.nn + self.nv + self.vn + self.vc + self.vw
    }

    /// Share of the predicted values that are correct: VC / (NV + VC + VW).
    pub fn precision(&self) -> f64 {
        share(self.vc, self.nv + self.vc + self.vw)
    }

    /// Share of the values that were found: VC / (VN + VC + VW).
    pub fn recall(&self) -> f64 {
        share(self.vc, self.vn + self.vc + self.vw)
    }

    /// Harmonic mean of precision and recall, over all pairs (micro).
    pub fn f1(&self) -> f64 {
        share(2 * self.vc, self.nv + self.vn + 2 * (self.vc + self.vw))
    }

    /// Share of all pairs that are right, those without a value included: (NN + VC) / all.
    pub fn accuracy(&self) -> f64 {
        share(self.nn + self.vc, self.total())
    }

    /// Share of the pairs with a value for which another one was predicted: VW / (VN + VC + VW).
    pub fn share_wrong(&self) -> f64 {
        share(self.vw, self.vn + self.vc + self.vw)
    }

    /// Share of the pairs without a value for which one was predicted: NV / (NN + NV).
    pub fn share_invented(&self) -> f64 {
        share(self.nv, self.nn + self.nv)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.nn += other.nn;
        self.nv += other.nv;
        self.vn += other.vn;
        self.vc += other.vc;
        self.vw += other.vw;
    }
}

impl FromIterator<Outcome> for Counts {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut counts = Self::default();
        outcomes.into_iter().for_each(|outcome| counts.add(outcome));
        counts
    }
}

/// Counts of both variants of the metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Over the features that a row lists as scored, as in publications. Where only features with values are scored,
    /// invented values cost nothing here.
    pub published: Counts,
    /// Over all features of a row.
    pub strict: Counts,
}

impl Evaluation {
    /// Counts the predictions for one product; `predicted` gives the value for a feature's name.
    pub fn add<'a>(&mut self, product: &Product, predicted: impl Fn(&str) -> Option<&'a str>) {
        for name in product.features.keys() {
            let outcome = score(product.accepted(name).as_deref(), predicted(name));
            self.strict.add(outcome);
            if product.is_scored(name) {
                self.published.add(outcome);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Outcome; 5] = [Outcome::NN, Outcome::NV, Outcome::VN, Outcome::VC, Outcome::VW];

    fn judge(gold: &[&str], predicted: Option<&str>) -> Outcome {
        score(Some(gold), predicted)
    }

    #[test]
    fn pairs_fall_in_five_outcomes() {
        let no_value: Option<&[&str]> = None;
        assert_eq!(score(no_value, None), Outcome::NN);
        assert_eq!(score(no_value, Some("Red")), Outcome::NV);
        assert_eq!(judge(&["Red"], None), Outcome::VN);
        assert_eq!(judge(&["Red"], Some("Red")), Outcome::VC);
        assert_eq!(judge(&["Red"], Some("Blue")), Outcome::VW);
    }

    #[test]
    fn values_are_compared_trimmed_and_with_case() {
        assert_eq!(judge(&["Red "], Some(" Red\n")), Outcome::VC);
        assert_eq!(judge(&["Red"], Some("red")), Outcome::VW);
        assert_eq!(judge(&["Red"], Some("Re")), Outcome::VW);
        assert_eq!(judge(&["Red", "Rouge"], Some("Rouge")), Outcome::VC);
        assert_eq!(judge(&["Red"], Some(" ")), Outcome::VN);
        assert_eq!(judge(&[], Some("Red")), Outcome::VW);
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let counts = Counts { nn: 10, nv: 2, vn: 3, vc: 6, vw: 1 };
        assert_eq!(counts.total(), 22);
        assert_eq!(counts.precision(), 6.0 / 9.0);
        assert_eq!(counts.recall(), 6.0 / 10.0);
        assert_eq!(counts.f1(), 12.0 / 19.0);
        assert_eq!(counts.accuracy(), 16.0 / 22.0);
        assert_eq!(counts.share_wrong(), 0.1);
        assert_eq!(counts.share_invented(), 2.0 / 12.0);
    }

    #[test]
    fn nothing_counted_is_zero_and_no_nan() {
        let none = Counts::default();
        let figures = [none.precision(), none.recall(), none.f1(), none.accuracy()];
        assert_eq!(figures, [0.0; 4]);
        assert_eq!((none.share_wrong(), none.share_invented()), (0.0, 0.0));
    }

    #[test]
    fn invented_values_cost_the_strict_variant_only() {
        let product = Product::from_json(
            r#"{"id": "1", "category": "Shoes", "text": "Red shoe", "scored": ["Color"],
                "features": {"Color": "Red", "Size": null, "Sole": null}}"#,
        )
        .unwrap();
        let mut evaluation = Evaluation::default();
        evaluation.add(&product, |name| match name {
            "Color" => Some("Red"),
            "Size" => Some("42"),
            _ => None,
        });
        assert_eq!(evaluation.published, Counts { vc: 1, ..Counts::default() });
        assert_eq!(evaluation.strict, Counts { vc: 1, nv: 1, nn: 1, ..Counts::default() });
        assert_eq!(evaluation.published.f1(), 1.0);
        assert!(evaluation.strict.f1() < 1.0);
    }

    #[test]
    fn alternatives_are_accepted() {
        let product = Product::from_json(
            r#"{"id": "1", "category": "Shoes", "text": "Red shoe", "features": {"Color": "Red"},
                "alternatives": {"Color": ["Red shoe"]}}"#,
        )
        .unwrap();
        let outcome = |value: &'static str| {
            let mut evaluation = Evaluation::default();
            evaluation.add(&product, |_| Some(value));
            evaluation.published
        };
        assert_eq!((outcome("Red").vc, outcome("Red shoe").vc, outcome("shoe").vc), (1, 1, 0));
    }

    proptest! {
        #[test]
        fn sums_hold(outcomes in prop::collection::vec(prop::sample::select(&ALL[..]), 0..60), cut in 0usize..60) {
            let all: Counts = outcomes.iter().copied().collect();
            prop_assert_eq!(all.total(), outcomes.len());
            let cut = cut.min(outcomes.len());
            let mut sum: Counts = outcomes[..cut].iter().copied().collect();
            sum += outcomes[cut..].iter().copied().collect();
            prop_assert_eq!(sum, all);

            let (precision, recall) = (all.precision(), all.recall());
            if precision + recall > 0.0 {
                prop_assert!((all.f1() - 2.0 * precision * recall / (precision + recall)).abs() < 1e-12);
            } else {
                prop_assert_eq!(all.f1(), 0.0);
            }
            let shares = [precision, recall, all.f1(), all.accuracy(), all.share_wrong(), all.share_invented()];
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        }
    }
}
