//! Which file an address means, and how it is to be sent.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use percent_encoding::percent_decode_str;

/// What a site gets that states no policy of its own.
const DEFAULT_POLICY: &str = "default-src 'self' 'wasm-unsafe-eval'";

/// A folder of files with the address `/`.
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// `None` if there is no such folder.
    pub fn open(folder: &Path) -> Option<Self> {
        let root = folder.canonicalize().ok()?;
        root.is_dir().then_some(Self { root })
    }

    /// The file that the path of `url` means; `None` if there is none, or if it is none of the site's.
    ///
    /// Files whose names start with a dot, and whatever lies outside the folder by `..` or by a link, are not the
    /// site's.
    pub fn find(&self, url: &str) -> Option<PathBuf> {
        let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        let mut file = self.root.clone();
        for name in decoded.split('/').filter(|name| !name.is_empty()) {
            if name.starts_with('.') || name.contains(['\\', ':', '\0']) {
                return None;
            }
            file.push(name);
        }
        if file.is_dir() {
            file.push("index.html");
        }
        let file = file.canonicalize().ok()?;
        (file.starts_with(&self.root) && file.is_file()).then_some(file)
    }

    /// Headers that every answer carries.
    pub fn security_headers(&self) -> [(&'static str, String); 6] {
        // Read each time: a new build may bring a new policy.
        let page = fs::read_to_string(self.root.join("index.html")).unwrap_or_default();
        let policy = page_policy(&page).unwrap_or(DEFAULT_POLICY);
        let policy = policy.split_whitespace().collect::<Vec<_>>().join(" ");
        [
            // `frame-ancestors` has no effect in a <meta> tag, so it is added here.
            (
                "Content-Security-Policy",
                format!("{}; frame-ancestors 'none'", policy.trim_end_matches([';', ' '])),
            ),
            ("Cross-Origin-Opener-Policy", "same-origin".to_owned()),
            ("Cross-Origin-Embedder-Policy", "require-corp".to_owned()),
            ("Cross-Origin-Resource-Policy", "same-origin".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("Referrer-Policy", "no-referrer".to_owned()),
        ]
    }
}

/// The content of a page's `<meta http-equiv="Content-Security-Policy">`.
pub fn page_policy(html: &str) -> Option<&str> {
    let lower = html.to_ascii_lowercase();
    let name = lower.find("http-equiv=\"content-security-policy\"")?;
    let start = lower[..name].rfind("<meta")?;
    let tag = &html[start..start + tag_end(&html[start..])?];
    let content = tag.to_ascii_lowercase().find("content=\"")? + "content=\"".len();
    let value = &tag[content..];
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

/// What part of a file to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// From the first byte up to, not including, the second.
    Bytes(u64, u64),
    /// The file has none of the bytes asked for.
    Outside,
}

/// Reads a `Range` header (RFC 9110, section 14) for a file of `size` bytes.
///
/// What is malformed, or asks for several ranges, is answered with the whole file, as the RFC allows.
pub fn part(range: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = range
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .map(|(first, last)| (first.trim(), last.trim()))
    else {
        return Part::Whole;
    };
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
    };
    match (first.is_empty(), last.is_empty()) {
        // The last n bytes.
        (true, false) => match number(last) {
            Some(0) => Part::Outside,
            Some(_) if size == 0 => Part::Outside,
            Some(count) => Part::Bytes(size.saturating_sub(count), size),
            None => Part::Whole,
        },
        (false, true) => match number(first) {
            Some(start) if start < size => Part::Bytes(start, size),
            Some(_) => Part::Outside,
            None => Part::Whole,
        },
        (false, false) => match (number(first), number(last)) {
            (Some(start), Some(last)) if start > last => Part::Whole,
            (Some(start), Some(_)) if start >= size => Part::Outside,
            (Some(start), Some(last)) => Part::Bytes(start, last.saturating_add(1).min(size)),
            _ => Part::Whole,
        },
        (true, true) => Part::Whole,
    }
}

/// Changes whenever the file does.
pub fn entity_tag(meta: &Metadata) -> String {
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", meta.len(), modified.map_or(0, |time| time.as_nanos()))
}

/// Whether an `If-None-Match` header names this tag.
pub fn names_tag(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// The media type by the file name's ending.
pub fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Files that Trunk has named by their hash never change; all others are asked for again each time.
pub fn cache_control(path: &Path) -> &'static str {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    let hash = stem.rsplit('-').next().unwrap_or_default();
    match stem.contains('-')
        && hash.len() == 16
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    }
}
