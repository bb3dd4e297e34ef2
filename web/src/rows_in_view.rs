//! Which rows of a long table are in the document: those in view and a few beside.

use std::ops::Range;

/// Rows kept above and below the view, so that scrolling shows no gap.
const SPARE: usize = 8;

/// The rows to draw of `count` rows of `row_height`, in a view of `view_height` scrolled down by `scrolled` (pixels).
pub fn rows_in_view(
    scrolled: f64,
    view_height: f64,
    row_height: f64,
    count: usize,
) -> Range<usize> {
    let first = (scrolled.max(0.0) / row_height) as usize;
    let in_view = (view_height.max(0.0) / row_height).ceil() as usize + 1;
    let start = first.min(count.saturating_sub(in_view)).saturating_sub(SPARE);
    start..(first + in_view + SPARE).min(count).max(start)
}

/// How far to scroll so that `row` is wholly in view; `None` if it is.
pub fn scroll_to(row: usize, scrolled: f64, view_height: f64, row_height: f64) -> Option<f64> {
    let (top, bottom) = (row as f64 * row_height, (row + 1) as f64 * row_height);
    if top < scrolled {
        Some(top)
    } else if bottom > scrolled + view_height {
        Some((bottom - view_height).max(0.0))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_drawn_of_many() {
        assert_eq!(rows_in_view(0.0, 500.0, 50.0, 10_000), 0..19);
        assert_eq!(rows_in_view(250_000.0, 500.0, 50.0, 10_000), 4_992..5_019);
        assert_eq!(rows_in_view(499_500.0, 500.0, 50.0, 10_000), 9_981..10_000);
        // A filter has left less than was scrolled past.
        assert_eq!(rows_in_view(499_500.0, 500.0, 50.0, 3), 0..3);
        assert_eq!(rows_in_view(0.0, 500.0, 50.0, 0), 0..0);
    }

    #[test]
    fn a_row_out_of_view_is_scrolled_to() {
        assert_eq!(scroll_to(3, 0.0, 500.0, 50.0), None);
        assert_eq!(scroll_to(10, 0.0, 500.0, 50.0), Some(50.0));
        assert_eq!(scroll_to(3, 400.0, 500.0, 50.0), Some(150.0));
    }
}
