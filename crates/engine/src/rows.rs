//! The rows that are decoded together, and where their tokens stand in the KV cache.
//!
//! Prefixes stand where the prefix store has put them. Each row has a segment of its own in the slots reserved for rows, as
//! long as its suffix and the longest answer that it may give: no slot is moved or shared, whatever the rows' lengths.

use crate::decoder::{Batch, Chosen};
use crate::engine::{GeneratedToken, Job, RowRequest};
use crate::error::EngineError;
use crate::kernel::Token;
use crate::prefix_store::Reserved;

/// A row that has not ended.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its job among those that run together, and its index in it.
    pub job: usize,
    pub index: usize,
    /// What it has answered so far.
    pub tokens: Vec<GeneratedToken>,
    /// Tokens that it has tried ahead of their turn, and those of them that were right.
    pub drafted: usize,
    pub accepted: usize,
    prefix: u32,
    first: u32,
    segment: u32,
    suffix_len: usize,
    max_new_tokens: usize,
}

/// What a row brings to a step.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The row's place in the wave.
    pub place: usize,
    /// What it tries behind its own tokens; the slots of what turns out to be wrong are written again by the next step.
    pub draft: Vec<u32>,
}

/// A row's job, among those that run together, and its index in it.
pub(crate) type RowId = (usize, usize);

/// The rows of jobs in groups that follow each other, each of as many as `room` slots and `max_rows` hold, and at least one,
/// of which the job's check has made sure that it fits.
pub(crate) fn waves(jobs: &[&Job], room: usize, max_rows: usize) -> Vec<Vec<RowId>> {
    let mut waves: Vec<Vec<RowId>> = Vec::new();
    let mut used = 0;
    for (number, job) in jobs.iter().enumerate() {
        for (index, request) in job.rows.iter().enumerate() {
            let slots = slots(request);
            match waves.last_mut().filter(|wave| wave.len() < max_rows && used + slots <= room) {
                Some(wave) => {
                    wave.push((number, index));
                    used += slots;
                }
                None => {
                    waves.push(vec![(number, index)]);
                    used = slots;
                }
            }
        }
    }
    waves
}

/// Slots that the rows of a wave take.
pub(crate) fn wave_slots(jobs: &[&Job], wave: &[RowId]) -> usize {
    wave.iter().map(|(job, index)| slots(&jobs[*job].rows[*index])).sum()
}

/// Slots that a row takes.
pub(crate) fn slots(request: &RowRequest) -> usize {
    request.suffix.len() + request.max_new_tokens
}

impl Row {
    /// The row `request`, number `index` of job number `job`, behind the prefix of `prefix` tokens from slot `first` on.
    fn new(
        (job, index): RowId,
        request: &RowRequest,
        (first, prefix): (usize, usize),
        segment: usize,
    ) -> Row {
        Row {
            job,
            index,
            tokens: Vec::new(),
            drafted: 0,
            accepted: 0,
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

    /// What it has answered so far.
    pub fn answer(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }

    /// Tokens that it may still answer.
    pub fn left(&self) -> usize {
        self.max_new_tokens - self.tokens.len()
    }

    /// Takes the tokens chosen behind its own one and those of `draft`: as many as the draft foretold, and one more. Each was
    /// chosen as if the draft were right up to it, so the first that differs is still right, and what follows it is not.
    pub fn accept(
        &mut self,
        draft: &[u32],
        chosen: &[Chosen],
        vocab_size: usize,
    ) -> Result<(), EngineError> {
        self.drafted += draft.len();
        for (i, Chosen { id, probability }) in chosen.iter().copied().enumerate() {
            if !probability.is_finite() || id as usize >= vocab_size {
                return Err(EngineError::NotFinite { row: self.index });
            }
            self.tokens.push(GeneratedToken { id, probability });
            if draft.get(i) != Some(&id) {
                break;
            }
            self.accepted += 1;
        }
        Ok(())
    }
}

/// Rows that fit in the cache together.
#[derive(Debug)]
pub(crate) struct Wave {
    rows: Vec<Row>,
}

impl Wave {
    /// One of [`waves`], in the slots reserved for it.
    pub fn new(jobs: &[&Job], mut wave: Vec<RowId>, reserved: &Reserved) -> Wave {
        // Attention reads the prefixes of neighbouring rows with all that stands between them.
        wave.sort_by_key(|(job, _)| reserved.prefixes[*job].first);
        let mut segment = reserved.rows;
        let row = |(job, index): RowId| {
            let request = &jobs[job].rows[index];
            let prefix = (reserved.prefixes[job].first, jobs[job].prefix.len());
            let row = Row::new((job, index), request, prefix, segment);
            segment += slots(request);
            row
        };
        Wave { rows: wave.into_iter().map(row).collect() }
    }

    /// Rows that go on.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
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

    /// All suffixes in batches of at most `step_tokens`, each with the turns of the rows whose last token it holds, in the
    /// order of `selected`.
    pub fn suffix_batches(&self, jobs: &[&Job], step_tokens: usize) -> Vec<(Batch, Vec<Turn>)> {
        let mut batches = vec![(Batch::default(), Vec::new())];
        for (place, row) in self.rows.iter().enumerate() {
            let suffix = &jobs[row.job].rows[row.index].suffix;
            for (i, id) in suffix.iter().enumerate() {
                if batches.last().is_some_and(|(batch, _)| batch.ids.len() == step_tokens) {
                    batches.push((Batch::default(), Vec::new()));
                }
                let Some((batch, turns)) = batches.last_mut() else { continue };
                if i + 1 == suffix.len() {
                    batch.selected.push(batch.ids.len() as u32);
                    turns.push(Turn { place, draft: Vec::new() });
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

    /// The last token of every row and its draft, and what follows each of them is asked for.
    pub fn decode_batch(&self, turns: &[Turn]) -> Batch {
        let mut batch = Batch::default();
        for Turn { place, draft } in turns {
            let row = &self.rows[*place];
            let Some(last) = row.tokens.last() else { continue };
            let first = row.suffix_len + row.tokens.len() - 1;
            for (i, id) in std::iter::once(&last.id).chain(draft).enumerate() {
                batch.selected.push(batch.ids.len() as u32);
                batch.ids.push(*id);
                batch.tokens.push(row.token(first + i));
            }
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
