//! The Content-Security-Policy of a page, from its `<meta>` tag to the header.

use hyper::header::HeaderValue;

use crate::html::{attribute, tags};

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
    let is_policy = |tag: &&str| {
        attribute(tag, "http-equiv")
            .is_some_and(|name| name.eq_ignore_ascii_case("Content-Security-Policy"))
    };
    let tag = tags(html).into_iter().map(|tag| &html[tag]).find(is_policy)?;
    attribute(tag, "content")
}
