use hangtag_task::TaskVersion;

use crate::answers::MAX_ANSWER_TOKENS;
use crate::{ExtractError, Limits};

/// Most tokens of a window of the text, all readings together, whatever the model could hold: attention over a longer
/// prefix costs more than a second window, and small models lose the thread in long texts.
pub const MAX_PREFIX_TOKENS: usize = 2048;

/// Fewer than this a reading is no window worth asking about: the prompt's heading and a short title.
const MIN_PREFIX_TOKENS: usize = 48;

/// Tokens that a window of the text may have, all readings that `version` asks for together.
///
/// Half of the cache at most is set aside for the rows, so that many are decoded together and the text is still read in
/// few windows; the longest row always fits.
///
/// # Errors
/// [`ExtractError::ContextTooSmall`] when less than [`MIN_PREFIX_TOKENS`] remain for each reading.
pub(crate) fn max_prefix_tokens(
    limits: Limits,
    version: TaskVersion,
    suffixes: &[Vec<u32>],
) -> Result<usize, ExtractError> {
    let row_tokens = |suffix: &Vec<u32>| suffix.len() + MAX_ANSWER_TOKENS;
    let longest = suffixes.iter().map(row_tokens).max().unwrap_or(0);
    let all: usize = suffixes.iter().map(row_tokens).sum();

    let for_rows = longest.max(all.min(limits.context_tokens / 2));
    let prefix = MAX_PREFIX_TOKENS
        .min(limits.context_tokens.saturating_sub(for_rows))
        .min(limits.max_position_embeddings.saturating_sub(longest));
    let least = MIN_PREFIX_TOKENS * version.readings();
    if prefix < least {
        return Err(ExtractError::ContextTooSmall {
            context_tokens: limits.context_tokens.min(limits.max_position_embeddings),
            needed_tokens: least + longest,
        });
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use hangtag_task::TaskVersion::{Once, Twice};

    use super::*;

    fn limits(context_tokens: usize, max_position_embeddings: usize) -> Limits {
        Limits { context_tokens, max_position_embeddings }
    }

    #[test]
    fn a_roomy_cache_gives_the_full_window() {
        let suffixes = vec![vec![0; 8]; 10];
        assert_eq!(
            max_prefix_tokens(limits(8192, 8192), Once, &suffixes).ok(),
            Some(MAX_PREFIX_TOKENS)
        );
    }

    #[test]
    fn rows_take_no_more_than_half_of_the_cache() {
        let suffixes = vec![vec![0; 8]; 500];
        assert_eq!(max_prefix_tokens(limits(2000, 8192), Once, &suffixes).ok(), Some(1000));
    }

    #[test]
    fn few_rows_leave_the_rest_to_the_text() {
        let suffixes = vec![vec![0; 8]; 2];
        assert_eq!(
            max_prefix_tokens(limits(1000, 8192), Once, &suffixes).ok(),
            Some(1000 - 2 * (8 + MAX_ANSWER_TOKENS))
        );
    }

    #[test]
    fn positions_bound_prefix_and_row_together() {
        let suffixes = vec![vec![0; 8], vec![0; 28]];
        assert_eq!(
            max_prefix_tokens(limits(8192, 512), Once, &suffixes).ok(),
            Some(512 - 28 - MAX_ANSWER_TOKENS)
        );
    }

    #[test]
    fn a_longest_row_over_half_of_the_cache_still_fits() {
        let suffixes = vec![vec![0; 100]];
        assert_eq!(
            max_prefix_tokens(limits(200, 8192), Once, &suffixes).ok(),
            Some(200 - 100 - MAX_ANSWER_TOKENS)
        );
    }

    #[test]
    fn too_small_a_context_is_refused_with_the_figures() {
        let error = max_prefix_tokens(limits(64, 8192), Once, &[vec![0; 8]]).unwrap_err();
        assert!(matches!(
            error,
            ExtractError::ContextTooSmall { context_tokens: 64, needed_tokens: 88 }
        ));
        assert!(max_prefix_tokens(limits(8192, 64), Once, &[vec![0; 8]]).is_err());
        // Two readings need twice the shortest window.
        let error = max_prefix_tokens(limits(128, 8192), Twice, &[vec![0; 8]]).unwrap_err();
        assert!(matches!(error, ExtractError::ContextTooSmall { needed_tokens: 136, .. }));
        assert_eq!(max_prefix_tokens(limits(136, 8192), Twice, &[vec![0; 8]]).ok(), Some(96));
    }
}
