//! The rows of a job that are decoded together, and where their tokens stand in the KV cache.
//!
//! The prefix has the first slots. Each row has a segment of its own behind it, as long as its suffix
//! and the longest answer that it may give: no slot is moved or shared, whatever the rows' lengths.

use crate::decoder::Batch;
use crate::engine::{GeneratedToken, Job};
use crate::kernel::Token;

/// A row that has not ended.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its index in the job.
    pub index: usize,
    /// What it has answered so far.
    pub tokens: Vec<GeneratedToken>,
    prefix: u32,
    segment: u32,
    suffix_len: usize,
    max_new_tokens: usize,
}

impl Row {
    /// The place of the row's token number `i`, counted from its suffix's start.
    fn token(&self, i: usize) -> Token {
        Token {
            position: self.prefix + i as u32,
            prefix: self.prefix,
            segment: self.segment,
            slot: self.segment + i as u32,
        }
    }
}

/// Rows that fit in the cache together.
#[derive(Debug)]
pub(crate) struct Wave {
    rows: Vec<Row>,
}

impl Wave {
    /// The rows of a job from number `first` on, as many as `room` slots and `max_rows` hold; at least
    /// one, of which the job's check has made sure that it fits.
    pub fn fill(job: &Job, first: usize, room: usize, max_rows: usize) -> Wave {
        let prefix = job.prefix.len();
        let mut rows = Vec::new();
        let mut used = 0;
        for (index, request) in job.rows.iter().enumerate().skip(first).take(max_rows) {
            let slots = request.suffix.len() + request.max_new_tokens;
            if used + slots > room {
                break;
            }
            rows.push(Row {
                index,
                tokens: Vec::new(),
                prefix: prefix as u32,
                segment: (prefix + used) as u32,
                suffix_len: request.suffix.len(),
                max_new_tokens: request.max_new_tokens,
            });
            used += slots;
        }
        Wave { rows }
    }

    /// Rows that go on.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn row(&self, place: usize) -> &Row {
        &self.rows[place]
    }

    pub fn row_mut(&mut self, place: usize) -> &mut Row {
        &mut self.rows[place]
    }

    pub fn suffix_tokens(&self, job: &Job) -> usize {
        self.rows.iter().map(|row| job.rows[row.index].suffix.len()).sum()
    }

    /// All suffixes in batches of at most `step_tokens`, each with the rows (places in the wave) whose
    /// last token it holds, in the order of `selected`.
    pub fn suffix_batches(&self, job: &Job, step_tokens: usize) -> Vec<(Batch, Vec<usize>)> {
        let mut batches = vec![(Batch::default(), Vec::new())];
        for (place, row) in self.rows.iter().enumerate() {
            let suffix = &job.rows[row.index].suffix;
            for (i, id) in suffix.iter().enumerate() {
                if batches.last().is_some_and(|(batch, _)| batch.ids.len() == step_tokens) {
                    batches.push((Batch::default(), Vec::new()));
                }
                let Some((batch, rows)) = batches.last_mut() else { continue };
                if i + 1 == suffix.len() {
                    batch.selected.push(batch.ids.len() as u32);
                    rows.push(place);
                }
                batch.ids.push(*id);
                batch.tokens.push(row.token(i));
            }
        }
        batches
    }

    /// The last token of every row.
    pub fn decode_batch(&self) -> Batch {
        let mut batch = Batch::default();
        for (place, row) in self.rows.iter().enumerate() {
            let Some(last) = row.tokens.last() else { continue };
            batch.ids.push(last.id);
            batch.tokens.push(row.token(row.suffix_len + row.tokens.len() - 1));
            batch.selected.push(place as u32);
        }
        batch
    }

    /// Takes out the rows whose last token ends them.
    pub fn take_finished(&mut self, stop_tokens: &[u32]) -> Vec<Row> {
        let ended = |row: &mut Row| {
            row.tokens.len() >= row.max_new_tokens
                || row.tokens.last().is_some_and(|last| stop_tokens.contains(&last.id))
        };
        self.rows.extract_if(.., ended).collect()
    }
}
