//! How fast a list fills in, and how long it still takes.

use std::collections::VecDeque;

/// Time over which the pace is measured: long enough to be steady, short enough to follow a change.
const WINDOW_MS: f64 = 30_000.0;

/// Products done over the last half minute.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// When the work began, then when each part was done, and how many products it had.
    parts: VecDeque<(f64, usize)>,
}

impl Pace {
    /// Begins to measure at this time, in milliseconds.
    pub fn begin(&mut self, now_ms: f64) {
        self.parts.clear();
        self.parts.push_back((now_ms, 0));
    }

    /// Some products are done.
    pub fn add(&mut self, now_ms: f64, products: usize) {
        self.parts.push_back((now_ms, products));
        // One older than the window stays: where the measured time begins.
        while self.parts.len() > 2 && self.parts[1].0 < now_ms - WINDOW_MS {
            self.parts.pop_front();
        }
    }

    /// Products a second; `None` before there is anything to measure.
    pub fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.parts.front()?.0, self.parts.back()?.0);
        let products: usize = self.parts.iter().skip(1).map(|(_, products)| products).sum();
        (last > first && products > 0).then(|| 1e3 * products as f64 / (last - first))
    }

    /// Seconds until so many more are done.
    pub fn seconds_for(&self, products: usize) -> Option<f64> {
        self.per_second().map(|per_second| products as f64 / per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_half_minute() {
        let mut pace = Pace::default();
        pace.begin(1_000.0);
        assert_eq!(pace.per_second(), None);
        for second in 1..=10 {
            pace.add(1_000.0 + 1_000.0 * f64::from(second), 16);
        }
        assert_eq!(pace.per_second(), Some(16.0));
        assert_eq!(pace.seconds_for(160), Some(10.0));
        for second in 11..=60 {
            pace.add(1_000.0 + 1_000.0 * f64::from(second), 4);
        }
        assert_eq!(pace.per_second(), Some(4.0));
        pace.begin(100_000.0);
        assert_eq!(pace.seconds_for(5), None);
    }
}
