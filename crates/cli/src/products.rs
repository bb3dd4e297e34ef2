//! A list of products, read from CSV or JSON Lines. A row that cannot be read stays in the list with its reason.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::args::Format;
use crate::failure::bad_input;

/// A list of products in the order of the input.
pub struct Products {
    /// What the input is; the output is the same unless another is asked for.
    pub format: Format,
    /// Names of the input's columns, for CSV output.
    pub columns: Vec<String>,
    /// The field separator of a CSV input; a comma otherwise.
    pub delimiter: u8,
    /// One a product.
    pub rows: Vec<Row>,
}

/// One product.
pub struct Row {
    /// Line of the input where it begins, from 1.
    pub line: u64,
    /// What the input says of it, as far as it can be read.
    pub fields: Map<String, Value>,
    /// The product text, or why there is none.
    pub text: Result<String, String>,
}

impl Products {
    /// Reads CSV with a header line; `text_column` holds the texts. Commas, semicolons and tabs separate.
    pub fn from_csv(name: &str, bytes: &[u8], text_column: &str) -> Result<Self> {
        let bytes = without_byte_order_mark(bytes);
        let delimiter = delimiter(bytes);
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
        let columns: Vec<String> = reader
            .headers()
            .map_err(|_| {
                bad_input(format!("{name}, line 1: the header is not UTF-8 text"))
                    .hint("save the file as \"CSV UTF-8\"")
            })?
            .iter()
            .map(|column| column.trim().to_owned())
            .collect();
        let text_column = column(&columns, text_column).ok_or_else(|| {
            bad_input(format!("{name}: no column named {text_column:?}")).hint(format!(
                "its columns are {}; name the one with the product text: --text-column NAME",
                quoted(&columns)
            ))
        })?;

        let mut rows = Vec::new();
        let mut record = csv::ByteRecord::new();
        let mut lines = Lines::new(bytes);
        while read_record(&mut reader, &mut record, name)? {
            rows.push(csv_row(&columns, text_column, lines.of(record.position()), &record));
        }
        let products = Self { format: Format::Csv, columns, delimiter, rows };
        products.checked(name)
    }

    /// Reads JSON Lines: an object a line, its member `text_column` the text. Blank lines are passed over.
    pub fn from_jsonl(name: &str, bytes: &[u8], text_column: &str) -> Result<Self> {
        let lines = without_byte_order_mark(bytes).split(|&byte| byte == b'\n');
        let rows: Vec<Row> = (1..)
            .zip(lines)
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(|(number, line)| json_row(number, line, text_column))
            .collect();
        let mut columns = Vec::new();
        for (key, value) in rows.iter().flat_map(|row| &row.fields) {
            // Nested members (a data set's features) have no place in a CSV cell.
            if !value.is_object() && !value.is_array() && !columns.contains(key) {
                columns.push(key.clone());
            }
        }
        let products = Self { format: Format::Jsonl, columns, delimiter: b',', rows };
        products.checked(name)
    }

    fn checked(self, name: &str) -> Result<Self> {
        if self.rows.is_empty() {
            return Err(bad_input(format!("{name} holds no products")).into());
        }
        Ok(self)
    }
}

/// `bytes` without the mark that some programs begin UTF-8 files with.
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// The separator that the header line uses most: spreadsheets of many countries write semicolons.
pub fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
    let count = |delimiter: u8| header.iter().filter(|&&byte| byte == delimiter).count();
    // The last of equals wins, so a comma does.
    *[b'\t', b';', b','].iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// Place of the column of this name, whatever its case if none is spelt just so.
fn column(columns: &[String], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column == name);
    let lower = name.to_lowercase();
    exact.or_else(|| columns.iter().position(|column| column.to_lowercase() == lower))
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

fn read_record(
    reader: &mut csv::Reader<&[u8]>,
    record: &mut csv::ByteRecord,
    name: &str,
) -> Result<bool> {
    Ok(reader.read_byte_record(record).map_err(|error| bad_input(format!("{name}: {error}")))?)
}

/// Lines of CSV records. The csv crate counts one too few where lines end in CR LF, as those of spreadsheets do.
pub struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// Of the records read from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1 }
    }

    /// The line in which the record at `position` begins, from 1. Records must come in their order.
    pub fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(self.offset, |position| position.byte() as usize);
        while let Some(&byte) = self.bytes.get(self.offset) {
            // Before a record come the ends of the last one's line and of blank lines.
            if self.offset >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(byte == b'\n');
            self.offset += 1;
        }
        self.line
    }
}

fn csv_row(columns: &[String], text_column: usize, line: u64, record: &csv::ByteRecord) -> Row {
    let fields = columns
        .iter()
        .zip(record)
        .map(|(column, field)| (column.clone(), String::from_utf8_lossy(field).into()))
        .collect();
    Row { line, fields, text: csv_text(columns, text_column, record) }
}

fn csv_text(
    columns: &[String],
    text_column: usize,
    record: &csv::ByteRecord,
) -> Result<String, String> {
    if record.len() != columns.len() {
        return Err(format!("{} fields where the header has {}", record.len(), columns.len()));
    }
    let text = record.get(text_column).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| "the text is not UTF-8".to_owned())?;
    not_blank(text)
}

fn json_row(line: u64, json: &[u8], text_column: &str) -> Row {
    let row = |fields, text| Row { line, fields, text };
    let fields = match serde_json::from_slice(json) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return row(Map::new(), Err("not a JSON object".to_owned())),
        Err(error) => return row(Map::new(), Err(format!("not JSON: {error}"))),
    };
    let text = match fields.get(text_column) {
        Some(Value::String(text)) => not_blank(text),
        Some(_) => Err(format!("{text_column:?} is not a string")),
        None => Err(format!("no {text_column:?}")),
    };
    row(fields, text)
}

fn not_blank(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(products: &Products) -> Vec<(u64, Result<&str, &str>)> {
        let rows = products.rows.iter();
        rows.map(|row| {
            let text = row.text.as_deref().map_err(String::as_str);
            (row.line, text)
        })
        .collect()
    }

    #[test]
    fn csv_rows_keep_their_lines_and_reasons() {
        let csv = b"\xEF\xBB\xBFid,Text\n1,\"red\nshoe\"\n2\n3,\xFF\n4, \n5,lamp\n";
        let products = Products::from_csv("p.csv", csv, "text").unwrap();
        assert_eq!(products.columns, ["id", "Text"]);
        assert_eq!(
            texts(&products),
            [
                (2, Ok("red\nshoe")),
                (4, Err("1 fields where the header has 2")),
                (5, Err("the text is not UTF-8")),
                (6, Err("the text is empty")),
                (7, Ok("lamp")),
            ]
        );
        assert_eq!(products.rows[1].fields["id"], "2");
    }

    #[test]
    fn lines_that_end_in_cr_lf_are_counted_as_others() {
        for end in ["\n", "\r\n"] {
            let csv = ["id,text", "1,\"red", "shoe\"", "2,lamp", "", "3,hat"].join(end);
            let products = Products::from_csv("p.csv", csv.as_bytes(), "text").unwrap();
            assert_eq!(
                texts(&products).iter().map(|row| row.0).collect::<Vec<_>>(),
                [2, 4, 6],
                "{end:?}"
            );
        }
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        let products = Products::from_csv("p.csv", b"id;text\n1;red, blue\n", "text").unwrap();
        assert_eq!(texts(&products), [(2, Ok("red, blue"))]);
        assert_eq!(products.delimiter, b';');
        let products = Products::from_csv("p.csv", b"id\ttext\n1\tred\n", "text").unwrap();
        assert_eq!(texts(&products), [(2, Ok("red"))]);
    }

    #[test]
    fn a_missing_column_names_those_that_exist() {
        let error = Products::from_csv("p.csv", b"id,title\n1,red\n", "text").err();
        assert_eq!(
            error.map(|error| error.to_string()),
            Some("p.csv: no column named \"text\"".to_owned())
        );
    }

    #[test]
    fn json_rows_keep_their_lines_and_reasons() {
        let jsonl = "{\"id\":1,\"text\":\"red\",\"features\":{}}\n\n[1]\n{\"id\":2}\n{\"text\":3}\n{\"text\":\"\"}\n{";
        let products = Products::from_jsonl("p.jsonl", jsonl.as_bytes(), "text").unwrap();
        assert_eq!(products.columns, ["id", "text"]);
        assert_eq!(
            texts(&products),
            [
                (1, Ok("red")),
                (3, Err("not a JSON object")),
                (4, Err("no \"text\"")),
                (5, Err("\"text\" is not a string")),
                (6, Err("the text is empty")),
                (7, Err("not JSON: EOF while parsing an object at line 1 column 1")),
            ]
        );
    }

    #[test]
    fn an_empty_list_is_refused() {
        assert!(Products::from_jsonl("p.jsonl", b"\n \n", "text").is_err());
        assert!(Products::from_csv("p.csv", b"text\n", "text").is_err());
    }
}
