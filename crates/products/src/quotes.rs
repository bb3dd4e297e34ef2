//! CSV records, with a way past a quote that opens and does not close: without it the rest of the file would be one cell.

use crate::{Lines, ListError};

/// A record of a CSV file.
pub(crate) struct Record {
    /// Line where it begins, from 1.
    pub line: u64,
    pub cells: Vec<String>,
    /// Its quotes do not match; the cells are those of its line, cut at every delimiter.
    pub is_broken: bool,
}

/// All records of `text`, the header first. Lines end in LF or CR LF.
pub(crate) fn records(text: &str, delimiter: u8) -> Result<Vec<Record>, ListError> {
    let mut lines = Lines::new(text.as_bytes());
    let (mut records, mut from) = (Vec::new(), 0);
    while let Some(after) = read_on(text, from, delimiter, &mut lines, &mut records)? {
        from = after;
    }
    Ok(records)
}

/// Reads from byte `from` to the end (`None`), or to the end of a line whose quotes do not match.
fn read_on(
    text: &str,
    from: usize,
    delimiter: u8,
    lines: &mut Lines<'_>,
    records: &mut Vec<Record>,
) -> Result<Option<usize>, ListError> {
    let mut reader = reader(&text[from..], delimiter);
    let mut record = csv::StringRecord::new();
    let fault = |error: csv::Error| ListError::Csv(error.to_string());
    while reader.read_record(&mut record).map_err(fault)? {
        let position = record.position().map_or(0, |position| position.byte() as usize);
        let (line, start) = lines.at(from + position);
        let end = (from + reader.position().byte() as usize).clamp(start, text.len());
        let raw = text[start..end].trim_end_matches(['\r', '\n']);
        match raw.find('\n') {
            Some(first_end) if !is_well_quoted(raw, delimiter) => {
                let cells = plain_cells(raw[..first_end].trim_end_matches('\r'), delimiter);
                records.push(Record { line, cells, is_broken: true });
                return Ok(Some(start + first_end + 1));
            }
            _ => {
                let cells = record.iter().map(str::to_owned).collect();
                records.push(Record { line, cells, is_broken: false });
            }
        }
    }
    Ok(None)
}

/// Whether every quote that opens a cell closes it: a delimiter or the end follows.
fn is_well_quoted(record: &str, delimiter: u8) -> bool {
    let mut letters = record.bytes().peekable();
    let mut at_start = true;
    while let Some(letter) = letters.next() {
        if !(at_start && letter == b'"') {
            at_start = letter == delimiter;
            continue;
        }
        loop {
            match letters.next() {
                None => return false,
                Some(b'"') if letters.peek() == Some(&b'"') => drop(letters.next()),
                Some(b'"') => break,
                Some(_) => {}
            }
        }
        if letters.peek().is_some_and(|&letter| letter != delimiter) {
            return false;
        }
        at_start = false;
    }
    true
}

fn plain_cells(line: &str, delimiter: u8) -> Vec<String> {
    line.split(char::from(delimiter)).map(str::to_owned).collect()
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>, bool)> {
        let records = records(text, b',').unwrap().into_iter();
        records.map(|record| (record.line, record.cells, record.is_broken)).collect()
    }

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn an_open_quote_costs_its_own_line_only() {
        for end in ["\n", "\r\n"] {
            let text = ["id,text", "1,\"red", "2,blue", "3,\"two", "lines\"", "4,\"open"].join(end);
            let two = format!("two{end}lines");
            assert_eq!(
                read(&text),
                [
                    (1, cells(&["id", "text"]), false),
                    (2, cells(&["1", "\"red"]), true),
                    (3, cells(&["2", "blue"]), false),
                    (4, cells(&["3", &two]), false),
                    (6, cells(&["4", "open"]), false),
                ],
                "{end:?}"
            );
        }
    }

    #[test]
    fn inches_are_no_quotes() {
        assert_eq!(read("a,5\" lamp\nb,6\" lamp\n").len(), 2);
        assert!(read("a,5\" lamp\nb,x\n").iter().all(|(_, _, is_broken)| !is_broken));
        assert_eq!(read("a,\"say \"\"hi\"\"\"\n")[0].1, cells(&["a", "say \"hi\""]));
    }

    #[test]
    fn many_open_quotes_are_read_in_time() {
        let text = "1,\"red\n".repeat(20_000);
        let read = read(&text);
        assert_eq!(read.len(), 20_000);
        assert!(read[..19_999].iter().all(|(_, _, is_broken)| *is_broken));
    }
}
