//! How much of a step the device's memory holds at once.

use crate::TrainError;

/// How a step is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// Sequences at a time; the gradients of a step's parts are added.
    pub(crate) sequences: usize,
    /// Whether each block is computed again in the backward pass.
    pub(crate) recompute: bool,
}

impl Way {
    /// The next way that takes less memory and comes to the same result.
    fn smaller(self) -> Option<Self> {
        match self {
            Self { recompute: false, .. } => Some(Self { recompute: true, ..self }),
            Self { sequences: 1, .. } => None,
            Self { sequences, .. } => Some(Self { sequences: sequences.div_ceil(2), ..self }),
        }
    }
}

/// The first way from `way` on that `rehearse` finds to take at most `limit` bytes of the device's memory. `rehearse`
/// gives the bytes in use after a step, `None` where the memory did not suffice.
///
/// # Errors
/// When not even one recomputed sequence fits, or `rehearse` fails otherwise.
pub(crate) fn fit(
    mut way: Way,
    limit: Option<u64>,
    rehearse: &mut dyn FnMut(Way) -> Result<Option<u64>, TrainError>,
) -> Result<Way, TrainError> {
    loop {
        let needed = rehearse(way)?;
        if needed.is_some_and(|needed| limit.is_none_or(|limit| needed <= limit)) {
            return Ok(way);
        }
        way = way.smaller().ok_or_else(|| TrainError::Memory {
            needed: needed.map_or("more than there is".to_owned(), gigabytes),
            limit: limit.map_or("none".to_owned(), gigabytes),
        })?;
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that needs 2 GB, and for each sequence 3 GB, or 1 GB where it is computed again.
    fn needs(way: Way) -> u64 {
        let each = if way.recompute { 1 } else { 3 };
        (2 + each * way.sequences as u64) * 1_000_000_000
    }

    fn fitted(limit: Option<u64>, there_is: u64) -> Result<Way, TrainError> {
        let start = Way { sequences: 10, recompute: false };
        fit(start, limit, &mut |way| Ok(Some(needs(way)).filter(|&bytes| bytes <= there_is)))
    }

    #[test]
    fn the_largest_way_that_fits_is_taken() {
        let way = |sequences, recompute| Way { sequences, recompute };
        let all = u64::MAX;
        assert_eq!(fitted(None, all).unwrap(), way(10, false));
        assert_eq!(fitted(Some(32_000_000_000), all).unwrap(), way(10, false));
        assert_eq!(fitted(Some(31_000_000_000), all).unwrap(), way(10, true));
        assert_eq!(fitted(Some(8_000_000_000), all).unwrap(), way(5, true));
        assert_eq!(fitted(None, 5_000_000_000).unwrap(), way(3, true));
        assert_eq!(fitted(Some(8_000_000_000), 4_000_000_000).unwrap(), way(2, true));
        let error = fitted(Some(2_500_000_000), all).unwrap_err().to_string();
        assert!(error.contains("3.0 GB") && error.contains("2.5 GB"), "{error}");
    }
}
