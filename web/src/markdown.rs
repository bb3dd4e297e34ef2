//! The little of Markdown that model cards use: headings, paragraphs, lists, tables, bold and code. What is more stays
//! as it was typed.

/// A part of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading of any level.
    Heading(Vec<Run>),
    /// Lines up to an empty one.
    Paragraph(Vec<Run>),
    /// One item of a list.
    Item(Vec<Run>),
    /// A table: the cells of its head, and of each row.
    Table(Vec<Vec<Run>>, Vec<Vec<Vec<Run>>>),
}

/// Text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// Words.
    Plain(String),
    /// Words between `**`.
    Strong(String),
    /// Words between backticks.
    Code(String),
}

/// The blocks of a card.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = without_front_matter(markdown).lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let is_table = |line: &&str| line.starts_with('|');
        if line.is_empty() {
            continue;
        }
        if is_table(&line) {
            let mut rows = vec![line];
            rows.extend(std::iter::from_fn(|| lines.next_if(is_table)));
            blocks.push(table(&rows));
        } else if let Some(words) = heading(line) {
            blocks.push(Block::Heading(runs(words)));
        } else {
            let item = item(line);
            let mut words = item.unwrap_or(line).to_owned();
            let goes_on = |line: &&str| {
                !line.is_empty() && !is_table(line) && heading(line).or(self::item(line)).is_none()
            };
            while let Some(line) = lines.next_if(goes_on) {
                words.push(' ');
                words.push_str(line);
            }
            let block = if item.is_some() { Block::Item } else { Block::Paragraph };
            blocks.push(block(runs(&words)));
        }
    }
    blocks
}

/// Cards of model hubs begin with settings between lines of three dashes.
fn without_front_matter(markdown: &str) -> &str {
    let settings = markdown.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    settings.map_or(markdown, |(_, rest)| rest)
}

fn heading(line: &str) -> Option<&str> {
    line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
}

fn item(line: &str) -> Option<&str> {
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))
}

fn table(lines: &[&str]) -> Block {
    let is_rule = |line: &&&str| line.chars().all(|character| "|-: ".contains(character));
    let mut rows = lines.iter().filter(|line| !is_rule(line)).map(|line| {
        let inner = line.trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| runs(cell.trim())).collect::<Vec<_>>()
    });
    Block::Table(rows.next().unwrap_or_default(), rows.collect())
}

/// The runs of one line.
pub fn runs(text: &str) -> Vec<Run> {
    let (mut runs, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(first) = rest.chars().next() {
        let styled = [("**", Run::Strong as fn(String) -> Run), ("`", Run::Code)];
        let styled = styled.into_iter().find_map(|(mark, run)| {
            let (words, after) = rest.strip_prefix(mark)?.split_once(mark)?;
            Some((run(words.to_owned()), after))
        });
        if let Some((run, after)) = styled {
            runs.extend(take(&mut plain));
            runs.push(run);
            rest = after;
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    runs.extend(take(&mut plain));
    runs
}

fn take(plain: &mut String) -> Option<Run> {
    (!plain.is_empty()).then(|| Run::Plain(std::mem::take(plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<Run> {
        vec![Run::Plain(text.to_owned())]
    }

    #[test]
    fn a_card_becomes_its_blocks() {
        let card = "---\nlicense: mit\n---\n# Tags\n\nReads **all** of\nthe `text`.\n- one\n  and more\n- two\n\n\
                    | set | F1 |\n|---|--:|\n| `a` | 62.7 |\n| b | – |\nEnd";
        let expected = [
            Block::Heading(plain("Tags")),
            Block::Paragraph(vec![
                Run::Plain("Reads ".to_owned()),
                Run::Strong("all".to_owned()),
                Run::Plain(" of the ".to_owned()),
                Run::Code("text".to_owned()),
                Run::Plain(".".to_owned()),
            ]),
            Block::Item(plain("one and more")),
            Block::Item(plain("two")),
            Block::Table(
                vec![plain("set"), plain("F1")],
                vec![
                    vec![vec![Run::Code("a".to_owned())], plain("62.7")],
                    vec![plain("b"), plain("–")],
                ],
            ),
            Block::Paragraph(plain("End")),
        ];
        assert_eq!(blocks(card), expected);
    }

    #[test]
    fn what_is_no_markdown_stays() {
        for text in ["2 ** 3", "a `b", "#tag", "-5 °C", "--- x", "<b>é</b>"] {
            assert_eq!(blocks(text), [Block::Paragraph(plain(text))]);
        }
        assert_eq!(blocks(" \n\n"), []);
        assert_eq!(blocks("|--|"), [Block::Table(vec![], vec![])]);
    }
}
