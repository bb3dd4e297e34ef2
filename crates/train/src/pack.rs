//! Shared-prefix packing: a product's text once, every feature a run behind it that sees the text and itself alone, at the
//! positions that decoding gives it; several products a sequence.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::example::{Example, Segment};
use crate::kernel::{Mask, NOTHING};
use crate::model::Batch;

/// How features are laid out in sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutKind {
    /// A text once, each feature behind it; several texts a sequence.
    #[default]
    Packed,
    /// One (text, feature) pair a sequence, as plain fine-tuning does.
    Single,
    /// One text and a few features after each other a sequence; each sees the answers before it.
    Chained,
}

/// How much each token of an answer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossPer {
    /// Every token the same: long answers count more.
    #[default]
    Token,
    /// Every answer the same.
    Answer,
}

/// One or more questions with their answers, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) tokens: Vec<u32>,
    /// Place in `tokens` after which a token is predicted, that token, and how much it counts.
    pub(crate) labels: Vec<(usize, u32, f32)>,
}

impl Run {
    /// A question whose answer goes on after `written`: its last place is what the model is asked for.
    pub(crate) fn question(suffix: &[u32], written: &[u32]) -> Self {
        let tokens = [suffix, written].concat();
        let last = tokens.len() - 1;
        Self { tokens, labels: vec![(last, 0, 0.0)] }
    }

    fn push(&mut self, segment: &Segment, loss: LossPer) {
        self.tokens.extend(&segment.suffix);
        let weight = match loss {
            LossPer::Token => 1.0,
            LossPer::Answer => 1.0 / segment.answer.len().max(1) as f32,
        };
        for &token in &segment.answer {
            self.labels.push((self.tokens.len() - 1, token, weight));
            self.tokens.push(token);
        }
    }
}

/// A text with some of its runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece<'a> {
    pub(crate) prefix: &'a [u32],
    pub(crate) runs: Vec<Run>,
}

impl Piece<'_> {
    pub(crate) fn len(&self) -> usize {
        self.prefix.len() + self.runs.iter().map(|run| run.tokens.len()).sum::<usize>()
    }
}

/// The pieces of an example; none is longer than `length` unless one run alone is.
pub(crate) fn pieces<'a>(
    example: &'a Example,
    kind: LayoutKind,
    chain: usize,
    length: usize,
    loss: LossPer,
) -> Vec<Piece<'a>> {
    let per_run = if kind == LayoutKind::Chained { chain.max(1) } else { 1 };
    let runs = example.segments.chunks(per_run).map(|segments| {
        let mut run = Run::default();
        segments.iter().for_each(|segment| run.push(segment, loss));
        run
    });
    let prefix = example.prefix.as_slice();
    match kind {
        LayoutKind::Packed => behind(prefix, runs, length),
        LayoutKind::Single | LayoutKind::Chained => {
            runs.map(|run| Piece { prefix, runs: vec![run] }).collect()
        }
    }
}

/// As few pieces of at most `length` tokens as hold `runs` in their order.
pub(crate) fn behind(
    prefix: &[u32],
    runs: impl Iterator<Item = Run>,
    length: usize,
) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for run in runs {
        match pieces.last_mut().filter(|piece| piece.len() + run.tokens.len() <= length) {
            Some(piece) => piece.runs.push(run),
            None => pieces.push(Piece { prefix, runs: vec![run] }),
        }
    }
    pieces
}

/// Sequences of at most `length` tokens that hold `pieces`: each goes into the first with room. Without `share`, one
/// piece a sequence.
pub(crate) fn fill(pieces: Vec<Piece<'_>>, length: usize, share: bool) -> Vec<Vec<Piece<'_>>> {
    let mut sequences: Vec<(usize, Vec<Piece<'_>>)> = Vec::new();
    for piece in pieces {
        let len = piece.len();
        // Nearly full sequences are not looked at again: packing stays fast, and little room is lost.
        let open = sequences.len().saturating_sub(32);
        match sequences[open..].iter_mut().find(|(used, _)| share && used + len <= length) {
            Some((used, sequence)) => {
                *used += len;
                sequence.push(piece);
            }
            None => sequences.push((len, vec![piece])),
        }
    }
    sequences.into_iter().map(|(_, sequence)| sequence).collect()
}

/// Sequences of at most `length` tokens of neighbouring pieces: the order of the runs stays.
pub(crate) fn fill_in_order(pieces: Vec<Piece<'_>>, length: usize) -> Vec<Vec<Piece<'_>>> {
    let (mut sequences, mut used): (Vec<Vec<Piece<'_>>>, usize) = (Vec::new(), 0);
    for piece in pieces {
        let len = piece.len();
        match sequences.last_mut().filter(|_| used + len <= length) {
            Some(sequence) => {
                used += len;
                sequence.push(piece);
            }
            None => {
                used = len;
                sequences.push(vec![piece]);
            }
        }
    }
    sequences
}

/// Sequences laid out on the host, padded to one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Packed {
    batch: usize,
    length: usize,
    tokens: Vec<u32>,
    spans: Vec<u32>, // (batch · length, 3)
    positions: Vec<u32>,
    label_rows: Vec<u32>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    /// Tokens that are no padding.
    pub(crate) num_tokens: usize,
    /// Questions.
    pub(crate) num_runs: usize,
}

impl Packed {
    pub(crate) fn new(sequences: &[Vec<Piece<'_>>]) -> Self {
        let used = |sequence: &Vec<Piece<'_>>| sequence.iter().map(Piece::len).sum::<usize>();
        // Products like their sizes in eighths of a tile.
        let length = sequences.iter().map(used).max().unwrap_or(0).next_multiple_of(16);
        let mut packed = Self { batch: sequences.len(), length, ..Self::default() };
        for sequence in sequences {
            let first = packed.tokens.len();
            sequence.iter().for_each(|piece| packed.push(first, piece));
            while packed.tokens.len() < first + length {
                let at = (packed.tokens.len() - first) as u32;
                packed.push_token(0, [at, at, at], 0);
            }
        }
        packed
    }

    /// Appends a piece to the sequence that begins at row `first`.
    fn push(&mut self, first: usize, piece: &Piece<'_>) {
        let start = (self.tokens.len() - first) as u32;
        let end = start + piece.prefix.len() as u32;
        for (position, &token) in piece.prefix.iter().enumerate() {
            self.push_token(token, [start, end, start], position as u32);
        }
        for run in &piece.runs {
            let row = self.tokens.len();
            let own = (row - first) as u32;
            for (offset, &token) in run.tokens.iter().enumerate() {
                let position = (piece.prefix.len() + offset) as u32;
                self.push_token(token, [start, end, own], position);
            }
            for &(offset, target, weight) in &run.labels {
                self.label_rows.push((row + offset) as u32);
                self.targets.push(target);
                self.weights.push(weight);
            }
        }
        self.num_tokens += piece.len();
        self.num_runs += piece.runs.len();
    }

    fn push_token(&mut self, token: u32, span: [u32; 3], position: u32) {
        self.tokens.push(token);
        self.spans.extend(span);
        self.positions.push(position);
    }

    /// How much all labels count together.
    pub(crate) fn weight(&self) -> f32 {
        self.weights.iter().sum()
    }

    /// Moves the batch to `device`; a query sees the latest `window` positions.
    pub(crate) fn to_device(
        &self,
        window: Option<usize>,
        device: &Device,
    ) -> Result<Batch, TrainError> {
        let rows = self.tokens.len();
        let mut row_labels = vec![NOTHING; rows];
        for (label, &row) in self.label_rows.iter().enumerate() {
            row_labels[row as usize] = label as u32;
        }
        let indices = |values: &[u32]| Tensor::from_slice(values, values.len(), device);
        let mask = Mask {
            spans: indices(&self.spans)?,
            positions: indices(&self.positions)?,
            window: window.map_or(u32::MAX, |window| window as u32),
        };
        Ok(Batch {
            batch: self.batch,
            length: self.length,
            tokens: indices(&self.tokens)?,
            mask,
            label_rows: indices(&self.label_rows)?,
            row_labels: indices(&row_labels)?,
            targets: indices(&self.targets)?,
            weights: Tensor::from_slice(&self.weights, self.weights.len(), device)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Example {
        let segment = |feature, suffix: &[u32], answer: &[u32]| Segment {
            feature,
            suffix: suffix.to_vec(),
            answer: answer.to_vec(),
        };
        Example {
            product: 0,
            window: 0..3,
            prefix: vec![1, 2, 3],
            segments: vec![
                segment(0, &[10, 11], &[20]),
                segment(1, &[12], &[21, 22]),
                segment(2, &[13], &[23]),
            ],
        }
    }

    fn tokens(pieces: &[Piece<'_>]) -> Vec<Vec<Vec<u32>>> {
        pieces.iter().map(|p| p.runs.iter().map(|run| run.tokens.clone()).collect()).collect()
    }

    #[test]
    fn layouts_are_the_three_named() {
        let example = example();
        let of = |kind, length| tokens(&pieces(&example, kind, 2, length, LossPer::Token));
        let (a, b, c) = (vec![10, 11, 20], vec![12, 21, 22], vec![13, 23]);
        assert_eq!(of(LayoutKind::Packed, 100), [vec![a.clone(), b.clone(), c.clone()]]);
        assert_eq!(of(LayoutKind::Packed, 9), [vec![a.clone(), b.clone()], vec![c.clone()]]);
        assert_eq!(of(LayoutKind::Packed, 2), [vec![a.clone()], vec![b.clone()], vec![c.clone()]]);
        assert_eq!(
            of(LayoutKind::Single, 100),
            [vec![a.clone()], vec![b.clone()], vec![c.clone()]]
        );
        assert_eq!(of(LayoutKind::Chained, 100), [vec![[a, b].concat()], vec![c]]);
    }

    #[test]
    fn a_row_sees_its_text_and_its_own_run_at_the_positions_of_decoding() {
        let example = example();
        let pieces = pieces(&example, LayoutKind::Packed, 1, 100, LossPer::Answer);
        let packed = Packed::new(&fill([pieces.clone(), pieces].concat(), 100, true));
        assert_eq!(
            (packed.batch, packed.length, packed.num_tokens, packed.num_runs),
            (1, 32, 22, 6)
        );
        assert_eq!(&packed.positions[..11], [0, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4]);
        assert_eq!(packed.positions[11..22], packed.positions[..11]);
        let span = |row: usize| &packed.spans[row * 3..row * 3 + 3];
        assert_eq!((span(2), span(7), span(9)), (&[0, 3, 0][..], &[0, 3, 6][..], &[0, 3, 9][..]));
        assert_eq!((span(11), span(21)), (&[11, 14, 11][..], &[11, 14, 20][..]));
        assert_eq!(span(22), [22, 22, 22]);
        assert_eq!(packed.label_rows[..4], [4, 6, 7, 9]);
        assert_eq!(packed.targets[..4], [20, 21, 22, 23]);
        assert_eq!(packed.weights[..4], [1.0, 0.5, 0.5, 1.0]);
        assert_eq!(packed.weight(), 6.0);
    }

    #[test]
    fn sequences_take_what_fits() {
        let prefix = [0; 10];
        let piece = |len: usize| Piece {
            prefix: &prefix[..2],
            runs: vec![Run { tokens: vec![0; len - 2], labels: Vec::new() }],
        };
        let lengths = |share| {
            let filled = fill([6, 5, 3, 4, 12].map(piece).to_vec(), 10, share);
            filled.iter().map(|s| s.iter().map(Piece::len).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(true), [vec![6, 3], vec![5, 4], vec![12]]);
        assert_eq!(lengths(false), [vec![6], vec![5], vec![3], vec![4], vec![12]]);
    }
}
