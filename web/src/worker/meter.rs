//! Progress of loading, told to the page a few times a second.

use crate::protocol::{FromWorker, LoadStep};

use super::line::{now_ms, post};

const INTERVAL_MS: f64 = 100.0;
/// Weight of the newest interval in the smoothed rate.
const RATE_SMOOTHING: f64 = 0.1;

/// Which step is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes over the network.
    Downloading,
    /// Bytes copied into the browser's storage.
    Keeping,
    /// Bytes hashed.
    Checking,
    /// Bytes put on the GPU.
    Uploading,
}

/// Measures the steps of loading over all files of a package.
pub struct Meter {
    total_bytes: u64,
    /// Bytes of the files before the present one.
    base_bytes: u64,
    last: Option<(Step, f64, u64)>,
    bytes_per_second: f64,
}

impl Meter {
    /// A meter for `total_bytes` in all.
    pub fn new(total_bytes: u64) -> Self {
        Self { total_bytes, base_bytes: 0, last: None, bytes_per_second: 0.0 }
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Goes on to the next file.
    pub fn next_file(&mut self, finished_bytes: u64) {
        self.base_bytes += finished_bytes;
    }

    /// Begins the next round over all files.
    pub fn restart(&mut self) {
        self.base_bytes = 0;
    }

    /// Tells the page where `step` stands in the present file, if it is time to.
    pub fn report(&mut self, step: Step, file_bytes: u64) {
        let (now, done_bytes) = (now_ms(), self.base_bytes + file_bytes);
        let is_end = done_bytes >= self.total_bytes;
        if let Some((last_step, then, before)) = self.last
            && last_step == step
        {
            let elapsed = now - then;
            if elapsed < INTERVAL_MS && !is_end {
                return;
            }
            let rate = done_bytes.saturating_sub(before) as f64 * 1e3 / elapsed.max(1.0);
            let weight = if self.bytes_per_second == 0.0 { 1.0 } else { RATE_SMOOTHING };
            self.bytes_per_second += weight * (rate - self.bytes_per_second);
        } else {
            self.bytes_per_second = 0.0;
        }
        self.last = Some((step, now, done_bytes));
        let total_bytes = self.total_bytes;
        let step = match step {
            Step::Downloading => LoadStep::Downloading {
                done_bytes,
                total_bytes,
                bytes_per_second: self.bytes_per_second,
            },
            Step::Keeping => LoadStep::Keeping { done_bytes, total_bytes },
            Step::Checking => LoadStep::Checking { done_bytes, total_bytes },
            Step::Uploading => LoadStep::Uploading { done_bytes, total_bytes },
        };
        post(&FromWorker::Loading { step });
    }
}
