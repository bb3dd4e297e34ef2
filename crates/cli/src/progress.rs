//! Progress on standard error; indicatif hides it where that is no terminal.

use std::ops::ControlFlow;

use hangtag_extract::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts bytes.
pub fn bytes(quiet: bool, what: &str) -> ProgressBar {
    let bar = bar(quiet, "{msg} [{bar:20}] {bytes}/{total_bytes} {eta}");
    bar.with_message(what.to_owned())
}

/// A bar that shows the share done.
pub fn share(quiet: bool, what: &str) -> ProgressBar {
    let bar = bar(quiet, "{msg} [{bar:30}] {percent}% {eta}");
    bar.with_message(what.to_owned())
}

/// A bar that counts things done.
pub fn count(quiet: bool, total: usize) -> ProgressBar {
    let bar = bar(quiet, "[{bar:30}] {pos}/{len} {wide_msg}");
    bar.set_length(total as u64);
    bar
}

fn bar(quiet: bool, template: &str) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

/// Shows the way through one text, as answers to be found in all its windows.
pub struct TextProgress {
    bar: ProgressBar,
    num_features: usize,
    window: usize,
    windows: usize,
}

impl TextProgress {
    /// Of a text that `num_features` features are asked of.
    pub fn new(quiet: bool, num_features: usize) -> Self {
        Self { bar: count(quiet, num_features), num_features, window: 0, windows: 1 }
    }

    /// Takes a report; never stops the work.
    pub fn observe(&mut self, progress: Progress) -> ControlFlow<()> {
        match progress {
            Progress::Window { index, count } => {
                self.window = index;
                self.windows = count;
                self.bar.set_length((self.num_features * count) as u64);
                self.bar.set_position((self.num_features * index) as u64);
            }
            Progress::Prefill { done, total } => {
                let part = match self.windows {
                    1 => String::new(),
                    count => format!(" part {} of {count}", self.window + 1),
                };
                self.bar.set_message(format!("reading the text{part}: {done} of {total} tokens"));
            }
            Progress::Decode { .. } => {}
            Progress::Feature { value, .. } => {
                self.bar.inc(1);
                self.bar.set_message(value.name);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
