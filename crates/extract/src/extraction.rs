use hangtag_engine::JobStats;
use hangtag_task::FeatureValue;
use serde::{Deserialize, Serialize};

/// Result of one description, in serde the design's result object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// One value or "none" a feature, in the order asked.
    pub features: Vec<FeatureValue>,
    /// What it took.
    pub stats: Stats,
}

/// What an extraction took, in tokens; time is for the caller to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Tokens of the text's windows in every reading, prompt headings included.
    pub prefix_tokens: usize,
    /// Of these, tokens whose keys and values were still in the cache.
    pub cached_prefix_tokens: usize,
    /// Tokens of the questions.
    pub suffix_tokens: usize,
    /// Windows that the text was read in.
    pub windows: usize,
    /// Questions answered: features times windows.
    pub rows: usize,
    /// Tokens of the answers.
    pub generated_tokens: usize,
    /// Decoding steps; each decodes at least one token of every unfinished row.
    pub decode_steps: usize,
}

impl Stats {
    pub(crate) fn add_job(&mut self, job: &JobStats) {
        self.prefix_tokens += job.prefix_tokens;
        self.cached_prefix_tokens += job.cached_prefix_tokens;
        self.suffix_tokens += job.suffix_tokens;
        self.generated_tokens += job.generated_tokens;
        self.decode_steps += job.decode_steps;
    }
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.prefix_tokens += other.prefix_tokens;
        self.cached_prefix_tokens += other.cached_prefix_tokens;
        self.suffix_tokens += other.suffix_tokens;
        self.windows += other.windows;
        self.rows += other.rows;
        self.generated_tokens += other.generated_tokens;
        self.decode_steps += other.decode_steps;
    }
}

/// What is reported while a description is read.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A window of the text is begun.
    Window {
        /// Which, from 0.
        index: usize,
        /// Of how many.
        count: usize,
    },
    /// Tokens of the window read so far.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens to read.
        total: usize,
    },
    /// At least one token was decoded for every row that goes on.
    Decode {
        /// Rows that go on.
        active_rows: usize,
    },
    /// A feature has a value. It is final after the text's last window; before, it may be sent again with a better one.
    Feature {
        /// Which feature, in the order asked.
        index: usize,
        /// Its value.
        value: FeatureValue,
    },
}
