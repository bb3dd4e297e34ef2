//! The rows that are decoded together, and where their tokens stand in the KV cache.
//!
//! The prefix has the first slots. Each row has a segment of its own behind it, as long as its suffix
//! and the longest answer that it may give: no slot is moved or shared, whatever the rows' lengths.

use crate::decoder::Batch;
use crate::engine::{GeneratedToken, Job, RowRequest};
use crate::kernel::Token;

/// A row that has not ended.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its job among those that run together, and its index in it.
    pub job: usize,
    pub index: usize,
    /// What it has answered so far.
    pub tokens: Vec<GeneratedToken>,
    prefix: u32,
    first: u32,
    segment: u32,
    suffix_len: usize,
    max_new_tokens: usize,
}

impl Row {
    /// The row `request`, number `index` of job number `job`, behind the prefix of `prefix` tokens from slot `first` on.
    fn new(
        (job, index): (usize, usize),
        request: &RowRequest,
        (first, prefix): (usize, usize),
        segment: usize,
    ) -> Row {
        Row {
            job,
            index,
            tokens: Vec::new(),
            prefix: prefix as u32,
            first: first as u32,
            segment: segment as u32,
            suffix_len: request.suffix.len(),
            max_new_tokens: request.max_new_tokens,
        }
    }

    /// The place of the row's token number `i`, counted from its suffix's start.
    fn token(&self, i: usize) -> Token {
        Token {
            position: self.prefix + i as u32,
            prefix: self.prefix,
            segment: self.segment,
            slot: self.segment + i as u32,
            first: self.first,
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
            rows.push(Row::new((0, index), request, (0, prefix), prefix + used));
            used += slots;
        }
        Wave { rows }
    }

    /// All rows of several jobs, whose prefixes stand one behind the other from slot 0 on; they must fit.
    pub fn of_jobs(jobs: &[&Job]) -> Wave {
        let mut segment: usize = jobs.iter().map(|job| job.prefix.len()).sum();
        let (mut rows, mut first) = (Vec::new(), 0);
        for (number, job) in jobs.iter().enumerate() {
            for (index, request) in job.rows.iter().enumerate() {
                rows.push(Row::new((number, index), request, (first, job.prefix.len()), segment));
                segment += request.suffix.len() + request.max_new_tokens;
            }
            first += job.prefix.len();
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

    /// The job of each row, and the tokens of its suffix.
    pub fn suffix_tokens(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rows.iter().map(|row| (row.job, row.suffix_len))
    }

    /// All suffixes in batches of at most `step_tokens`, each with the rows (places in the wave) whose
    /// last token it holds, in the order of `selected`.
    pub fn suffix_batches(&self, jobs: &[&Job], step_tokens: usize) -> Vec<(Batch, Vec<usize>)> {
        let mut batches = vec![(Batch::default(), Vec::new())];
        for (place, row) in self.rows.iter().enumerate() {
            let suffix = &jobs[row.job].rows[row.index].suffix;
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

    /// The jobs that go on, with the number of their rows that do.
    pub fn active_rows(&self) -> Vec<(usize, usize)> {
        let jobs = self.rows.chunk_by(|a, b| a.job == b.job);
        jobs.map(|rows| (rows[0].job, rows.len())).collect()
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
    pub fn take_finished(&mut self, jobs: &[&Job]) -> Vec<Row> {
        let ended = |row: &mut Row| {
            row.tokens.len() >= row.max_new_tokens
                || row
                    .tokens
                    .last()
                    .is_some_and(|last| jobs[row.job].stop_tokens.contains(&last.id))
        };
        self.rows.extract_if(.., ended).collect()
    }
}
