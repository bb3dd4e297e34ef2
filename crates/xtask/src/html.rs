//! The tags of an HTML text that we wrote ourselves: no more of the language than that needs.

use std::ops::Range;

/// The places of all tags, comments left out, in their order. Scripts and styles are expected to hold no `<`.
pub fn tags(html: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = html[at..].find('<').map(|place| at + place) {
        let end = match html[start..].strip_prefix("<!--") {
            Some(comment) => {
                comment.find("-->").map(|end| start + "<!--".len() + end + "-->".len())
            }
            None => tag_end(&html[start..]).map(|end| start + end + 1),
        };
        let Some(end) = end else { break };
        if !html[start..].starts_with("<!--") {
            found.push(start..end);
        }
        at = end;
    }
    found
}

/// Where a tag ends: the first `>` that is not inside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == '>' && !quoted).then_some(at)
    })
}

/// The value of a tag's attribute, in double quotes.
pub fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let lower = tag.to_ascii_lowercase();
    let start = lower.find(&format!(" {name}=\"")).or_else(|| lower.find(&format!("\n{name}=\"")));
    let value = &tag[start? + name.len() + 3..];
    Some(&value[..value.find('"')?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_end_outside_of_quotes_and_comments_are_none() {
        let html = "<!-- <a> --><b c=\"d>e\"\n f=\"g\">text</b><";
        let found: Vec<&str> = tags(html).into_iter().map(|tag| &html[tag]).collect();
        assert_eq!(found, ["<b c=\"d>e\"\n f=\"g\">", "</b>"]);
        assert_eq!(attribute(found[0], "c"), Some("d>e"));
        assert_eq!(attribute(found[0], "f"), Some("g"));
        assert_eq!(attribute(found[0], "d"), None);
    }
}
