//! How near two results must be.

/// Normalised mean squared error: the squared error of `actual` over the squared size of `expected`.
///
/// Infinite when the lengths differ, a number is not finite, or `expected` is all zeros: none of these may pass a test.
pub fn nmse(actual: &[f32], expected: &[f32]) -> f64 {
    let size: f64 = expected.iter().map(|&e| f64::from(e).powi(2)).sum();
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    if actual.len() != expected.len() || !finite(actual) || !finite(expected) || size == 0.0 {
        return f64::INFINITY;
    }
    let error: f64 =
        actual.iter().zip(expected).map(|(&a, &e)| (f64::from(a) - f64::from(e)).powi(2)).sum();
    error / size
}

/// Panics unless `nmse(actual, expected) < limit`.
#[track_caller]
pub fn assert_close(what: &str, actual: &[f32], expected: &[f32], limit: f64) {
    let error = nmse(actual, expected);
    assert!(
        error < limit,
        "{what}: NMSE is {error:e}, allowed is {limit:e} ({} numbers against {} expected)",
        actual.len(),
        expected.len()
    );
}

/// Index of the largest number; the first of several.
///
/// # Panics
/// When `values` is empty.
pub fn argmax(values: &[f32]) -> u32 {
    let mut best = 0;
    for (i, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = i;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nmse_is_relative_to_the_expected() {
        assert_eq!(nmse(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert!((nmse(&[1.1, 2.0], &[1.0, 2.0]) - 0.002).abs() < 1e-6);
        assert!((nmse(&[110.0, 200.0], &[100.0, 200.0]) - 0.002).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_compared_never_passes() {
        assert_eq!(nmse(&[1.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(nmse(&[f32::NAN, 2.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(nmse(&[0.0, 0.0], &[0.0, 0.0]), f64::INFINITY);
        assert_eq!(nmse(&[], &[]), f64::INFINITY);
    }

    #[test]
    #[should_panic(expected = "logits: NMSE is")]
    fn one_wrong_number_of_many_is_noticed() {
        let expected: Vec<f32> = (0..1000).map(|i| (i as f32).sin()).collect();
        let mut actual = expected.clone();
        actual[500] = -actual[500];
        assert_close("logits", &actual, &expected, 1e-5);
    }
}
