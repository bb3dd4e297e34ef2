//! How fast a list fills in, and how long it still takes.

use std::collections::VecDeque;

use crate::units::decimal;
use crate::words::Messages;

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

/// "3.2 products a second", "41 products a minute".
pub fn pace_words(messages: &Messages, per_second: f64) -> String {
    let a_second = |digits| messages.list.a_second(&decimal(messages.language, per_second, digits));
    match per_second {
        fast if fast >= 10.0 => a_second(0),
        some if some >= 1.0 => a_second(1),
        slow => messages.list.a_minute((60.0 * slow).round() as usize),
    }
}

/// "less than a minute", "about 12 minutes", "about 2 hours 10 minutes": what is left of long work.
pub fn rough_duration(messages: &Messages, seconds: f64) -> String {
    let words = &messages.list;
    let minutes = (seconds / 60.0).round() as usize;
    // Minutes of a long time would only pretend to be exact.
    match (minutes / 60, minutes % 60 / 10 * 10) {
        _ if seconds < 60.0 => words.less_than_a_minute.to_owned(),
        (0, _) => words.about_minutes(minutes),
        (hours, 0) => words.about_hours(hours),
        (hours, minutes) => words.about_hours_and_minutes(hours, minutes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn what_is_told_is_rough() {
        let [english, dutch] = Language::EACH.map(Language::messages);
        assert_eq!(rough_duration(english, 59.0), "less than a minute");
        assert_eq!(rough_duration(english, 61.0), "about 1 minute");
        assert_eq!(rough_duration(english, 3_600.0), "about 1 hour");
        assert_eq!(rough_duration(english, 7_980.0), "about 2 hours 10 minutes");
        assert_eq!(rough_duration(dutch, 7_980.0), "ongeveer 2 uur en 10 minuten");
        assert_eq!(pace_words(english, 41.6), "42 products a second");
        assert_eq!(pace_words(english, 1.25), "1.2 products a second");
        assert_eq!(pace_words(dutch, 1.25), "1,2 producten per seconde");
        assert_eq!(pace_words(english, 0.5), "30 products a minute");
    }

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
