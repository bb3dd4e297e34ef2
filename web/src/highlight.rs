//! Cuts a text at the values found in it, so that each piece can be marked.

use hangtag_task::Span;

/// A piece of the text and the features whose values cover it (usually none or one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The piece itself.
    pub text: String,
    /// Ids of the covering features, ascending.
    pub features: Vec<usize>,
}

/// Colours of marked values.
const NUM_TINTS: usize = 8;

/// The class with the colour of a feature's value, in the text and in the table. Neighbours have others.
pub fn tint(feature: usize) -> String {
    format!("tint-{}", feature % NUM_TINTS)
}

/// Cuts `text` at the borders of `spans` (id, place in Unicode characters). The pieces joined are `text` again;
/// spans that reach past the end are cut there, empty ones are ignored.
pub fn pieces(text: &str, spans: &[(usize, Span)]) -> Vec<Piece> {
    let mut borders: Vec<usize> =
        spans.iter().flat_map(|(_, span)| [span.start, span.end]).collect();
    borders.sort_unstable();
    borders.dedup();

    let mut pieces = Vec::with_capacity(borders.len() + 1);
    let mut push = |text: &str, start: usize| {
        if text.is_empty() {
            return;
        }
        let mut features: Vec<usize> = spans
            .iter()
            .filter(|(_, span)| span.start <= start && start < span.end)
            .map(|(id, _)| *id)
            .collect();
        features.sort_unstable();
        pieces.push(Piece { text: text.to_owned(), features });
    };

    let (mut rest, mut at) = (text, 0);
    for border in borders {
        let byte = rest.char_indices().nth(border - at).map_or(rest.len(), |(byte, _)| byte);
        let (piece, tail) = rest.split_at(byte);
        push(piece, at);
        (rest, at) = (tail, border);
    }
    push(rest, at);
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    fn shown(text: &str, spans: &[(usize, Span)]) -> Vec<(String, Vec<usize>)> {
        pieces(text, spans).into_iter().map(|piece| (piece.text, piece.features)).collect()
    }

    #[test]
    fn neighbours_have_other_colours() {
        let tints: Vec<String> = (0..20).map(tint).collect();
        assert!(
            tints
                .windows(NUM_TINTS)
                .all(|few| few.iter().collect::<HashSet<_>>().len() == NUM_TINTS)
        );
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(
            shown("👟 Łódź rot", &[(4, span(2, 6))]),
            [("👟 ".into(), vec![]), ("Łódź".into(), vec![4]), (" rot".into(), vec![])]
        );
    }

    #[test]
    fn overlapping_and_equal_spans_share_pieces() {
        assert_eq!(
            shown("abcdef", &[(1, span(2, 5)), (0, span(0, 3)), (2, span(2, 5))]),
            [
                ("ab".into(), vec![0]),
                ("c".into(), vec![0, 1, 2]),
                ("de".into(), vec![1, 2]),
                ("f".into(), vec![])
            ]
        );
    }

    #[test]
    fn wrong_spans_lose_no_text() {
        let spans = [(0, span(3, 3)), (1, span(4, 90)), (2, span(95, 99)), (3, span(5, 2))];
        let joined: String =
            pieces("abcdefg", &spans).into_iter().map(|piece| piece.text).collect();
        assert_eq!(joined, "abcdefg");
        assert!(pieces("", &spans).is_empty());
    }
}
