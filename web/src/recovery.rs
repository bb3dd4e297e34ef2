//! An engine that has broken down: how often it is started again without asking, and what it is asked again.

/// Restarts are counted over this time.
const WINDOW_MS: f64 = 60_000.0;
/// Waits before each restart within that time: a browser that has lost its GPU needs a moment to have one again.
const WAITS_MS: [u32; 2] = [300, 3_000];

/// The restarts so far.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    times_ms: Vec<f64>,
    /// Since something was last answered, or the person last began anew.
    in_vain: usize,
}

impl Restarts {
    /// How many milliseconds to wait before the engine is started again; `None` if that has been done too often.
    pub fn next(&mut self, now_ms: f64) -> Option<u32> {
        self.times_ms.retain(|time_ms| now_ms - time_ms < WINDOW_MS);
        // What breaks down whenever it is asked the same may take longer than the window to do so.
        let before = self.times_ms.len().max(self.in_vain);
        let wait_ms = *WAITS_MS.get(before)?;
        self.times_ms.push(now_ms);
        self.in_vain += 1;
        Some(wait_ms)
    }

    /// The engine has done something of use.
    pub fn note_progress(&mut self) {
        self.in_vain = 0;
    }
}

/// Which features to ask for, by number: those without an answer. All of a text that is read in several parts, since none of
/// its answers is the last before the end, and all where only the end was not heard of.
pub fn rows_to_ask(is_answered: &[bool], in_parts: bool) -> Vec<usize> {
    let all = 0..is_answered.len();
    match in_parts || is_answered.iter().all(|&is_answered| is_answered) {
        true => all.collect(),
        false => all.filter(|&row| !is_answered[row]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_restarts_a_minute_are_made_without_asking() {
        let mut restarts = Restarts::default();
        assert_eq!(restarts.next(1_000.0), Some(300));
        restarts.note_progress();
        assert_eq!(restarts.next(2_000.0), Some(3_000));
        restarts.note_progress();
        assert_eq!(restarts.next(3_000.0), None);
        assert_eq!(restarts.next(61_500.0), Some(3_000), "the first is a minute old");
    }

    #[test]
    fn what_breaks_down_slowly_and_always_is_given_up_too() {
        let mut restarts = Restarts::default();
        let times = [0.0, 100_000.0, 200_000.0];
        assert_eq!(times.map(|time| restarts.next(time).is_some()), [true, true, false]);
        restarts.note_progress();
        assert!(restarts.next(300_000.0).is_some());
    }

    #[test]
    fn only_features_without_an_answer_are_asked_again() {
        assert_eq!(rows_to_ask(&[true, false, true, false], false), [1, 3]);
        assert_eq!(rows_to_ask(&[true, false], true), [0, 1], "a later part may say otherwise");
        assert_eq!(rows_to_ask(&[true, true], false), [0, 1], "its end was not heard of");
    }
}
