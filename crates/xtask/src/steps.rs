//! Numbered steps, each with its time.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps done so far, of a known number.
pub struct Steps {
    total: usize,
    done: Vec<Step>,
}

struct Step {
    title: String,
    took: Duration,
    note: Result<String, String>,
}

impl Steps {
    /// Before the first of `total` steps.
    pub fn new(total: usize) -> Self {
        Self { total, done: Vec::new() }
    }

    /// Does the next step; `work` returns a few words on what came of it, and a value for later steps.
    pub fn run<T>(&mut self, title: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        println!("[{}/{}] {title}", self.done.len() + 1, self.total);
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        let note = match &result {
            Ok((_, note)) => Ok(note.clone()),
            Err(error) => Err(format!("{error:#}")),
        };
        match &note {
            Ok(note) => println!("      {note} ({})", duration(took)),
            Err(error) => println!("      FAILED after {}: {error}", duration(took)),
        }
        self.done.push(Step { title: title.to_owned(), took, note });
        result.map(|(value, _)| value)
    }

    /// The titles of the steps that failed.
    pub fn failed(&self) -> Vec<&str> {
        self.done.iter().filter(|step| step.note.is_err()).map(|step| step.title.as_str()).collect()
    }

    /// A table of all steps: result, time, and what came of it.
    pub fn summary(&self) -> String {
        let width = self.done.iter().map(|step| step.title.chars().count()).max().unwrap_or(0);
        let row = |step: &Step| {
            let (result, note) = match &step.note {
                Ok(note) => ("ok    ", note),
                Err(error) => ("FAILED", error),
            };
            let note = note.lines().next().unwrap_or_default();
            format!("{result}  {:<width$}  {:>12}  {note}\n", step.title, duration(step.took))
        };
        let total = self.done.iter().map(|step| step.took).sum();
        let last = format!("        {:<width$}  {:>12}\n", "total", duration(total));
        self.done.iter().map(row).chain([last]).collect()
    }
}

/// As a person would say it.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_failed_and_why() {
        let mut steps = Steps::new(2);
        assert_eq!(steps.run("one", || Ok((7, "fine".to_owned()))).unwrap(), 7);
        let failure = steps.run::<()>("two", || Err(anyhow::anyhow!("below").context("above")));
        assert!(failure.is_err());
        assert_eq!(steps.failed(), ["two"]);
        let summary = steps.summary();
        assert!(summary.lines().next().unwrap().starts_with("ok      one"), "{summary}");
        assert!(summary.contains("FAILED  two") && summary.contains("above: below"), "{summary}");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(duration(Duration::from_millis(1_260)), "1.3 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
