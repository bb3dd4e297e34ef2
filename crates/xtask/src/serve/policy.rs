//! The Content-Security-Policy of a page, from its `<meta>` tag to the header.

use hyper::header::HeaderValue;

/// What a site gets that states no policy of its own.
const DEFAULT: &str = "default-src 'self' 'wasm-unsafe-eval'";

/// The header for a site whose `index.html` is `page`: the page's own policy, and `frame-ancestors`, which has no effect
/// in a `<meta>` tag.
///
/// A policy that no header can hold gives one that forbids everything: the page breaks instead of losing its protection.
pub fn header(page: &str) -> HeaderValue {
    let policy = of_page(page).unwrap_or(DEFAULT).split_whitespace().collect::<Vec<_>>().join(" ");
    let policy = format!("{}; frame-ancestors 'none'", policy.trim_end_matches([';', ' ']));
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The content of a page's `<meta http-equiv="Content-Security-Policy">`.
pub fn of_page(html: &str) -> Option<&str> {
    // The same places as in `html`: only ASCII letters change.
    let lower = html.to_ascii_lowercase();
    let name = lower.find("http-equiv=\"content-security-policy\"")?;
    let start = lower[..name].rfind("<meta")?;
    let end = start + tag_end(&lower[start..])?;
    let content = start + lower[start..end].find("content=\"")? + "content=\"".len();
    let value = &html[content..end];
    Some(&value[..value.find('"')?])
}

/// Where a tag ends: the first `>` that is not inside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == '>' && !quoted).then_some(at)
    })
}
