//! Classes of characters that prompts, answers and grounding must agree on.

/// Whether `c` ends a line for some reader of the text: the mandatory breaks of Unicode's line breaking (UAX 14).
pub(crate) fn is_line_break(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether `c` makes no difference to what a value says: white space, and what is drawn as nothing (soft hyphens,
/// zero-width spaces, marks of text direction). The joiners of emoji and Indic scripts are not among them.
pub(crate) fn is_ignorable(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        )
        || matches!(c, '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}
