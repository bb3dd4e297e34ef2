//! The map from a model's probability of its answers to the share of them that are right, fitted to judged answers.

use hangtag_weights::{BetaMap, ConfidenceMap};

use crate::Judged;

/// Newton's method is done when no number moves by more.
const TOLERANCE: f64 = 1e-9;

/// It needs about ten rounds.
const MOST_ROUNDS: usize = 100;

/// Numbers of a map: a, b and c.
const NUMBERS: usize = 3;

/// Where the fit begins, and what it is held to: the map that changes nothing.
const START: [f64; NUMBERS] = [1.0, 1.0, 0.0];

/// How hard it is held: the inverse of the prior's variance.
const HOLD: f64 = 10.0;

/// The map under which `judged` answers, made without a map, are most likely: beta calibration (Kull, Silva Filho and Flach
/// 2017) of the answers with a value and of those without, by themselves. A normal prior about the map that changes
/// nothing holds each of its numbers, so that a dozen answers do not say much, and thousands all.
pub fn fit_confidence(judged: &[Judged]) -> ConfidenceMap {
    let fit = |has_value| {
        fit_beta(judged.iter().filter(|answer| answer.has_value == has_value).collect())
    };
    ConfidenceMap { value: fit(true), none: fit(false) }
}

fn fit_beta(judged: Vec<&Judged>) -> BetaMap {
    let points: Vec<([f64; NUMBERS], bool)> = judged
        .into_iter()
        .map(|answer| {
            let [first, second] = BetaMap::inputs(answer.confidence);
            ([first, second, 1.0], answer.correct)
        })
        .collect();
    let mut is_free = [true; NUMBERS];
    loop {
        let numbers = most_likely(&points, is_free);
        // A number below 0 would make a more probable answer less sure: it is 0, and the others are fitted again.
        match (0..2)
            .filter(|&i| numbers[i] < 0.0)
            .min_by(|&i, &j| numbers[i].total_cmp(&numbers[j]))
        {
            Some(lowest) => is_free[lowest] = false,
            None => {
                let [a, b, c] = numbers.map(|number| number as f32);
                return BetaMap { a, b, c };
            }
        }
    }
}

/// Newton's method with halved steps; numbers that are not free are 0.
fn most_likely(points: &[([f64; NUMBERS], bool)], is_free: [bool; NUMBERS]) -> [f64; NUMBERS] {
    let mut numbers = START;
    for (number, _) in numbers.iter_mut().zip(is_free).filter(|(_, free)| !free) {
        *number = 0.0;
    }
    let mut loss = loss_of(points, numbers);
    for _ in 0..MOST_ROUNDS {
        let step = newton_step(points, numbers, is_free);
        let mut scale = 1.0;
        let (next, next_loss) = loop {
            let next: [f64; NUMBERS] = std::array::from_fn(|i| numbers[i] - scale * step[i]);
            let next_loss = loss_of(points, next);
            if next_loss <= loss || scale < TOLERANCE {
                break (next, next_loss);
            }
            scale /= 2.0;
        };
        let moved = step.iter().fold(0.0_f64, |most, part| most.max((scale * part).abs()));
        (numbers, loss) = (next, next_loss);
        if moved < TOLERANCE {
            break;
        }
    }
    numbers
}

/// The negative logarithm of likelihood times prior.
fn loss_of(points: &[([f64; NUMBERS], bool)], numbers: [f64; NUMBERS]) -> f64 {
    let misfit = points.iter().map(|(inputs, correct)| {
        let logit = dot(*inputs, numbers);
        let against = if *correct { -logit } else { logit };
        // ln(1 + e^x), without overflow.
        against.max(0.0) + (-against.abs()).exp().ln_1p()
    });
    let prior =
        numbers.iter().zip(START).map(|(number, start)| HOLD * (number - start).powi(2) / 2.0);
    misfit.sum::<f64>() + prior.sum::<f64>()
}

fn newton_step(
    points: &[([f64; NUMBERS], bool)],
    numbers: [f64; NUMBERS],
    is_free: [bool; NUMBERS],
) -> [f64; NUMBERS] {
    let mut gradient: [f64; NUMBERS] = std::array::from_fn(|i| HOLD * (numbers[i] - START[i]));
    let mut hessian: [[f64; NUMBERS]; NUMBERS] =
        std::array::from_fn(|i| std::array::from_fn(|j| if i == j { HOLD } else { 0.0 }));
    for (inputs, correct) in points {
        let right = 1.0 / (1.0 + (-dot(*inputs, numbers)).exp());
        let miss = right - f64::from(u8::from(*correct));
        for i in 0..NUMBERS {
            gradient[i] += miss * inputs[i];
            for j in 0..NUMBERS {
                hessian[i][j] += right * (1.0 - right) * inputs[i] * inputs[j];
            }
        }
    }
    for (i, row) in hessian.iter_mut().enumerate() {
        for (j, entry) in row.iter_mut().enumerate().filter(|&(j, _)| !(is_free[i] && is_free[j])) {
            *entry = if i == j { 1.0 } else { 0.0 };
        }
    }
    for (part, _) in gradient.iter_mut().zip(is_free).filter(|(_, free)| !free) {
        *part = 0.0;
    }
    solve(hessian, gradient)
}

/// Gauss's elimination; the matrix is positive definite, so that no rows need to be swapped.
fn solve(mut matrix: [[f64; NUMBERS]; NUMBERS], mut right: [f64; NUMBERS]) -> [f64; NUMBERS] {
    for pivot in 0..NUMBERS {
        let pivots = matrix[pivot];
        for row in pivot + 1..NUMBERS {
            let factor = matrix[row][pivot] / pivots[pivot];
            for (entry, above) in matrix[row].iter_mut().zip(pivots) {
                *entry -= factor * above;
            }
            right[row] -= factor * right[pivot];
        }
    }
    let mut solution = [0.0; NUMBERS];
    for row in (0..NUMBERS).rev() {
        let known: f64 =
            (row + 1..NUMBERS).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (right[row] - known) / matrix[row][row];
    }
    solution
}

fn dot(a: [f64; NUMBERS], b: [f64; NUMBERS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Calibration;

    /// `count` answers for each of 99 probabilities, of which the share that `right` gives is right.
    fn answers(count: usize, right: impl Fn(f32) -> f32) -> Vec<Judged> {
        let of = |p: f32| {
            let good = (right(p) * count as f32).round() as usize;
            (0..count).map(move |i| Judged { confidence: p, has_value: true, correct: i < good })
        };
        (1..100).flat_map(|i| of(i as f32 / 100.0)).collect()
    }

    fn mapped(judged: &[Judged], map: &ConfidenceMap) -> Vec<Judged> {
        let mapped = |answer: &Judged| Judged {
            confidence: map.apply(answer.confidence, answer.has_value),
            ..*answer
        };
        judged.iter().map(mapped).collect()
    }

    #[test]
    fn the_map_that_made_the_answers_is_found() {
        let truth = BetaMap { a: 0.6, b: 0.3, c: -0.4 };
        let found = fit_confidence(&answers(20_000, |p| truth.apply(p)));
        for (found, truth) in [(found.value.a, 0.6), (found.value.b, 0.3), (found.value.c, -0.4)] {
            assert!((found - truth).abs() < 0.01, "{found} for {truth}");
        }
        // There was no answer "none" to learn from.
        assert_eq!(found.none, BetaMap::IDENTITY);
    }

    #[test]
    fn too_sure_answers_become_as_sure_as_they_are_right() {
        let judged = answers(200, |p| p * p);
        let before = Calibration::new(judged.clone()).unwrap().ece;
        let after = Calibration::new(mapped(&judged, &fit_confidence(&judged))).unwrap().ece;
        assert!(before > 0.1 && after < 0.02, "{before} {after}");
    }

    #[test]
    fn a_few_answers_do_not_say_much() {
        let wrong = [Judged { confidence: 0.99, has_value: true, correct: false }; 2];
        let sure = fit_confidence(&wrong).value.apply(0.99);
        assert!((0.5..0.99).contains(&sure), "{sure}");
        assert_eq!(fit_confidence(&[]).value, BetaMap::IDENTITY);
    }

    #[test]
    fn answers_that_are_worse_the_surer_they_are_get_one_confidence() {
        let map = fit_confidence(&answers(500, |p| 1.0 - p)).value;
        assert_eq!((map.a, map.b), (0.0, 0.0));
        assert!((map.apply(0.1) - 0.5).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn any_answers_give_a_map(
            answers in prop::collection::vec((0.0f32..=1.0, any::<bool>(), any::<bool>()), 0..60)
        ) {
            let answers: Vec<Judged> = answers
                .into_iter()
                .map(|(confidence, has_value, correct)| Judged { confidence, has_value, correct })
                .collect();
            prop_assert!(fit_confidence(&answers).to_json().is_ok());
        }
    }
}
