//! The base with the adapter added, a few rows at a time.

use super::{Base, ExportError, Progress};
use crate::adapter::{Adapter, Linear, Lora};
use crate::config::ModelConfig;
use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers held in memory at a time: 16 MB as f32.
const CHUNK: usize = 1 << 22;

/// The weights to export.
pub(super) struct Merged<'a> {
    base: &'a Base,
    scale: f32,
    r: usize,
    /// By GGUF tensor: the rows that an adapter's matrix changes, and it.
    changes: BTreeMap<String, Vec<(Range<usize>, &'a Lora)>>,
    progress: &'a mut dyn FnMut(Progress),
    done: u64,
    total: u64,
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
        Self { base, scale, r, changes, progress, done: 0, total }
    }

    pub(super) fn base(&self) -> &'a Base {
        self.base
    }

    pub(super) fn config(&self) -> &'a ModelConfig {
        self.base.config()
    }

    /// Hands rows `rows` of a tensor with `columns` columns to `take`, some at a time, in order: whole heads at least.
    pub(super) fn each_chunk(
        &mut self,
        tensor: &str,
        rows: Range<usize>,
        columns: usize,
        take: &mut dyn FnMut(Vec<f32>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let head = self.config().head_dim;
        let step = (CHUNK / columns.max(1)).next_multiple_of(head).max(head);
        let mut start = rows.start;
        while start < rows.end {
            let end = rows.end.min(start + step);
            let numbers = self.rows(tensor, start..end, columns)?;
            let count = numbers.len() as u64;
            take(numbers)?;
            self.done += count;
            (self.progress)(Progress { done: self.done, total: self.total });
            start = end;
        }
        Ok(())
    }

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
