//! Whether confidence can be relied on.

use serde::Serialize;

/// Bins of a reliability diagram.
const BINS: usize = 10;

/// Points of the risk-coverage curve, one every 5%.
const RISK_POINTS: usize = 20;

/// An answer's confidence, and whether it was right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// From 0 to 1.
    pub confidence: f32,
    /// Whether it is a value, and not "none".
    pub has_value: bool,
    /// Whether it is correct, "none" included.
    pub correct: bool,
}

/// How well confidence and correctness agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Answers that have a confidence.
    pub answers: usize,
    /// Expected calibration error: mean distance of a bin's confidence from its accuracy, weighted by its answers (Guo et
    /// al. 2017).
    pub ece: f64,
    /// Ten bins of equal width.
    pub bins: Vec<Bin>,
    /// Error rate of the surest answers, the fewest first.
    pub risk_coverage: Vec<RiskPoint>,
    /// Area under the risk-coverage curve: mean error rate over all coverages, less is better.
    pub aurc: f64,
}

/// Answers of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lowest confidence.
    pub from: f64,
    /// Highest confidence.
    pub to: f64,
    /// Answers.
    pub answers: usize,
    /// Their mean confidence; 0 without answers.
    pub confidence: f64,
    /// Share of them that are right; 0 without answers.
    pub accuracy: f64,
}

/// What happens if only the surest answers are taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RiskPoint {
    /// Share of the answers that are taken.
    pub coverage: f64,
    /// Least confidence among them.
    pub confidence: f64,
    /// Share of them that are not right.
    pub risk: f64,
}

impl Calibration {
    /// Of answers with a confidence; `None` where there are none.
    pub fn new(mut judged: Vec<Judged>) -> Option<Self> {
        if judged.is_empty() {
            return None;
        }
        judged.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let bins: Vec<Bin> = (0..BINS).map(|index| bin(&judged, index)).collect();
        let weighted = |bin: &Bin| bin.answers as f64 * (bin.confidence - bin.accuracy).abs();
        let ece = bins.iter().map(weighted).sum::<f64>() / judged.len() as f64;
        let risks = risks(&judged);
        let aurc = risks.iter().map(|point| point.risk).sum::<f64>() / risks.len() as f64;
        Some(Self { answers: judged.len(), ece, bins, risk_coverage: sampled(&risks), aurc })
    }
}

fn bin(judged: &[Judged], index: usize) -> Bin {
    let place =
        |answer: &Judged| ((f64::from(answer.confidence) * BINS as f64) as usize).min(BINS - 1);
    let inside: Vec<&Judged> = judged.iter().filter(|answer| place(answer) == index).collect();
    let mean = |sum: f64| if inside.is_empty() { 0.0 } else { sum / inside.len() as f64 };
    Bin {
        from: index as f64 / BINS as f64,
        to: (index + 1) as f64 / BINS as f64,
        answers: inside.len(),
        confidence: mean(inside.iter().map(|answer| f64::from(answer.confidence)).sum()),
        accuracy: mean(inside.iter().filter(|answer| answer.correct).count() as f64),
    }
}

/// Risk at every number of answers, the surest first. Equally sure answers cannot be told apart, so each of them has the
/// risk of all together.
fn risks(sorted: &[Judged]) -> Vec<RiskPoint> {
    let mut points = Vec::with_capacity(sorted.len());
    let mut wrong = 0;
    for equal in sorted.chunk_by(|a, b| a.confidence == b.confidence) {
        wrong += equal.iter().filter(|answer| !answer.correct).count();
        let taken = points.len() + equal.len();
        let risk = wrong as f64 / taken as f64;
        for answer in equal {
            let coverage = (points.len() + 1) as f64 / sorted.len() as f64;
            points.push(RiskPoint { coverage, confidence: f64::from(answer.confidence), risk });
        }
    }
    points
}

fn sampled(points: &[RiskPoint]) -> Vec<RiskPoint> {
    let mut indices: Vec<usize> =
        (1..=RISK_POINTS).map(|i| (points.len() * i).div_ceil(RISK_POINTS) - 1).collect();
    indices.dedup();
    indices.into_iter().filter_map(|index| points.get(index).copied()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(answers: &[(f32, bool)]) -> Calibration {
        let answers = answers.iter().map(|&(confidence, correct)| Judged {
            confidence,
            has_value: true,
            correct,
        });
        Calibration::new(answers.collect()).unwrap()
    }

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let calibration = judged(&[(1.0, true), (0.95, false), (0.5, true), (0.5, false)]);
        let last = calibration.bins[9];
        assert_eq!((last.answers, last.accuracy), (2, 0.5));
        assert!((last.confidence - 0.975).abs() < 1e-6);
        assert_eq!(calibration.bins[5].answers, 2);
        assert!((calibration.ece - 0.475 / 2.0).abs() < 1e-6);
        let risks: Vec<f64> = calibration.risk_coverage.iter().map(|point| point.risk).collect();
        assert_eq!(risks, [0.0, 0.5, 0.5, 0.5]);
        assert_eq!(calibration.aurc, 1.5 / 4.0);
    }

    #[test]
    fn perfect_confidence_has_no_error() {
        let calibration = judged(&[(1.0, true), (0.0, false)]);
        assert_eq!((calibration.ece, calibration.risk_coverage[0].risk), (0.0, 0.0));
        assert_eq!(Calibration::new(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn every_answer_is_in_one_bin(answers in prop::collection::vec((0.0f32..=1.0, any::<bool>()), 1..80)) {
            let calibration = judged(&answers);
            prop_assert_eq!(calibration.bins.iter().map(|bin| bin.answers).sum::<usize>(), answers.len());
            prop_assert!((0.0..=1.0).contains(&calibration.ece));
            let last = calibration.risk_coverage.last().unwrap();
            let wrong = answers.iter().filter(|(_, correct)| !correct).count();
            prop_assert_eq!(last.coverage, 1.0);
            prop_assert!((last.risk - wrong as f64 / answers.len() as f64).abs() < 1e-9);
        }
    }
}
