//! The base with the adapter added, a few rows at a time, on all processors.

use super::{Base, ExportError, Progress};
use crate::adapter::{Adapter, Linear, Lora};
use crate::config::ModelConfig;
use std::collections::BTreeMap;
use std::ops::Range;
use std::{panic, thread};

/// Numbers that a thread holds in memory at a time: 4 MB as f32. The same on every machine, so that sums of errors are too.
const PIECE: usize = 1 << 20;

/// The weights to export.
pub(super) struct Merged<'a> {
    weights: Weights<'a>,
    progress: &'a mut dyn FnMut(Progress),
    done: u64,
    total: u64,
}

/// What the threads share.
struct Weights<'a> {
    base: &'a Base,
    scale: f32,
    r: usize,
    /// By GGUF tensor: the rows that an adapter's matrix changes, and it.
    changes: BTreeMap<String, Vec<(Range<usize>, &'a Lora)>>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(
        base: &'a Base,
        adapter: Option<&'a Adapter>,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let tensors = base.tensors();
        let has_tensor = |name: &str| tensors.iter().any(|(other, _)| other == name);
        let mut changes: BTreeMap<String, Vec<(Range<usize>, &Lora)>> = BTreeMap::new();
        for (&(layer, linear), lora) in adapter.into_iter().flat_map(|adapter| &adapter.modules) {
            if let Some(place) = linear.place(base.config(), layer, has_tensor) {
                changes.entry(place.tensor).or_default().push((place.rows, lora));
            }
        }
        let total = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum();
        let scale = adapter.map_or(0.0, Adapter::scale);
        let r = adapter.map_or(1, |adapter| adapter.config.r);
        Self { weights: Weights { base, scale, r, changes }, progress, done: 0, total }
    }

    pub(super) fn base(&self) -> &'a Base {
        self.weights.base
    }

    pub(super) fn config(&self) -> &'a ModelConfig {
        self.weights.base.config()
    }

    /// Has `work` done to rows `rows` of a tensor with `columns` columns, some on each processor, whole heads at least, and hands what
    /// comes of them to `take` in order.
    pub(super) fn each_piece<T: Send>(
        &mut self,
        tensor: &str,
        rows: Range<usize>,
        columns: usize,
        work: impl Fn(Vec<f32>) -> Result<T, ExportError> + Sync,
        mut take: impl FnMut(T) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let pieces = pieces(rows, columns, self.config().head_dim);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let weights = &self.weights;
        for group in pieces.chunks(processors) {
            let piece = |rows: Range<usize>| work(weights.rows(tensor, rows, columns)?);
            for done in in_parallel(group, piece) {
                take(done?)?;
            }
            self.done += group.iter().map(|rows| (rows.len() * columns) as u64).sum::<u64>();
            (self.progress)(Progress { done: self.done, total: self.total });
        }
        Ok(())
    }
}

/// Rows in pieces of whole heads, of about [`PIECE`] numbers each.
fn pieces(rows: Range<usize>, columns: usize, head_dim: usize) -> Vec<Range<usize>> {
    let step = (PIECE / columns.max(1)).next_multiple_of(head_dim).max(head_dim);
    rows.clone().step_by(step).map(|start| start..rows.end.min(start + step)).collect()
}

/// What comes of each range, worked on by a thread of its own, in order.
fn in_parallel<T: Send>(
    ranges: &[Range<usize>],
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> =
            ranges.iter().cloned().map(|range| scope.spawn(move || work(range))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, T>| match thread.join() {
            Ok(done) => done,
            Err(panic) => panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
}

impl Weights<'_> {
    fn rows(
        &self,
        tensor: &str,
        rows: Range<usize>,
        columns: usize,
    ) -> Result<Vec<f32>, ExportError> {
        let mut numbers = self.base.read_rows(tensor, rows.clone())?;
        for (changed, lora) in self.changes.get(tensor).into_iter().flatten() {
            let (start, end) = (rows.start.max(changed.start), rows.end.min(changed.end));
            if start < end {
                let weights =
                    &mut numbers[(start - rows.start) * columns..(end - rows.start) * columns];
                let own = start - changed.start..end - changed.start;
                lora.add_to(weights, own, self.r, self.scale);
            }
        }
        match numbers.iter().position(|number| !number.is_finite()) {
            None => Ok(numbers),
            Some(at) => Err(ExportError::Tensor {
                tensor: tensor.to_owned(),
                problem: format!(
                    "row {}, column {} is {}; the base or the adapter is damaged",
                    rows.start + at / columns,
                    at % columns,
                    numbers[at]
                ),
            }),
        }
    }
}

/// Whether a matrix belongs to a layer's linear parts, which are stored with the fewest bits.
pub(super) fn is_linear(tensor: &str, rows: usize, config: &ModelConfig) -> bool {
    let linear = |part: crate::hf::HfPart| part.linear.map(|(_, linear): (usize, Linear)| linear);
    crate::hf::parts(tensor, rows, config)
        .is_some_and(|parts| parts.into_iter().all(|part| linear(part).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_rows_in_order_and_whole_heads() {
        let rows = 160..51200;
        let pieces = pieces(rows.clone(), 2560, 80);
        assert!(pieces.len() > 100, "{}", pieces.len());
        assert!(pieces[1..].iter().all(|piece| (piece.start - rows.start) % 80 == 0));
        let worked: Vec<usize> =
            in_parallel(&pieces, |piece| piece).into_iter().flatten().collect();
        assert_eq!(worked, rows.collect::<Vec<_>>());
        assert_eq!(super::pieces(0..3, 1 << 30, 2), [0..2, 2..3]);
    }
}
