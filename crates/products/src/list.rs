use serde_json::{Map, Value};

use crate::quotes::{Record, records};
use crate::{Encoding, ListError, RowError, decode};

/// How a list is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A header line and a line a product; commas, semicolons or tabs separate.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

/// A list of products in the order of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Products {
    /// How it is written.
    pub form: Form,
    /// How its letters are written.
    pub encoding: Encoding,
    /// Names of the columns, each of its own; of JSON Lines those members that fit into a cell.
    pub columns: Vec<String>,
    /// The field separator of CSV; a comma otherwise.
    pub delimiter: u8,
    /// One a product.
    pub rows: Vec<Row>,
}

/// One product.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line of the file where it begins, from 1.
    pub line: u64,
    /// What the file says of it, as far as it can be read.
    pub fields: Map<String, Value>,
    /// Why it cannot be read as a whole.
    pub problem: Option<RowError>,
}

impl Row {
    /// The product text: the cells of these columns that hold something, one a line.
    ///
    /// # Errors
    /// Why there is no text.
    pub fn text<S: AsRef<str>>(&self, columns: &[S]) -> Result<String, RowError> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let (mut parts, mut is_there) = (Vec::new(), false);
        for column in columns.iter().map(AsRef::as_ref) {
            match self.fields.get(column) {
                Some(Value::String(text)) => {
                    parts.extend(Some(text.as_str()).filter(|text| !text.trim().is_empty()))
                }
                Some(Value::Null) => {}
                Some(_) => return Err(RowError::NotString { column: column.to_owned() }),
                None => continue,
            }
            is_there = true;
        }
        match parts.as_slice() {
            [] if is_there => Err(RowError::Empty),
            [] => {
                let columns = columns.iter().map(|name| name.as_ref().to_owned()).collect();
                Err(RowError::NoColumn { columns })
            }
            parts => Ok(parts.join("\n")),
        }
    }
}

impl Products {
    /// Reads CSV with a header line. Commas, semicolons and tabs separate.
    ///
    /// # Errors
    /// When it is no text, or holds no products.
    pub fn from_csv(bytes: &[u8]) -> Result<Self, ListError> {
        let (text, encoding) = text_of(bytes)?;
        let delimiter = delimiter(text.as_bytes());
        let mut records = records(&text, delimiter)?.into_iter();
        let columns = own_names(records.next().map(|header| header.cells).unwrap_or_default());
        let is_damaged = encoding == Encoding::DamagedUtf8;
        let rows = records.map(|record| csv_row(&columns, delimiter, record, is_damaged)).collect();
        Self { form: Form::Csv, encoding, columns, delimiter, rows }.checked()
    }

    /// Reads JSON Lines. Blank lines are passed over.
    ///
    /// # Errors
    /// As [`Products::from_csv`].
    pub fn from_jsonl(bytes: &[u8]) -> Result<Self, ListError> {
        let (text, encoding) = text_of(bytes)?;
        let lines = (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty());
        let rows: Vec<Row> = lines.map(|(number, line)| json_row(number, line)).collect();
        let mut columns: Vec<String> = Vec::new();
        for (key, value) in rows.iter().flat_map(|row| &row.fields) {
            // Nested members (a data set's features) have no place in a CSV cell.
            if !value.is_object() && !value.is_array() && !columns.contains(key) {
                columns.push(key.clone());
            }
        }
        Self { form: Form::Jsonl, encoding, columns, delimiter: b',', rows }.checked()
    }

    fn checked(self) -> Result<Self, ListError> {
        if self.rows.is_empty() { Err(ListError::NoProducts) } else { Ok(self) }
    }

    /// The column of this name, whatever its case if none is spelt just so.
    pub fn column(&self, name: &str) -> Option<&str> {
        let exact = self.columns.iter().find(|column| *column == name);
        let lower = name.to_lowercase();
        exact
            .or_else(|| self.columns.iter().find(|column| column.to_lowercase() == lower))
            .map(String::as_str)
    }
}

fn text_of(bytes: &[u8]) -> Result<(std::borrow::Cow<'_, str>, Encoding), ListError> {
    let (text, encoding) = decode(bytes)?;
    if text.trim().is_empty() { Err(ListError::Empty) } else { Ok((text, encoding)) }
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

/// The header's cells, each with a name of its own: a second "Size" is "Size (2)", a blank one "column 3".
fn own_names(header: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (index, cell) in header.iter().enumerate() {
        let plain = match cell.trim() {
            "" => format!("column {}", index + 1),
            name => name.to_owned(),
        };
        let mut name = plain.clone();
        let mut count = 1;
        while names.contains(&name) {
            count += 1;
            name = format!("{plain} ({count})");
        }
        names.push(name);
    }
    names
}

pub(crate) fn quoted<S: AsRef<str>>(names: &[S], between: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{:?}", name.as_ref())).collect();
    names.join(between)
}

fn csv_row(columns: &[String], delimiter: u8, record: Record, is_damaged: bool) -> Row {
    let Record { line, mut cells, is_broken } = record;
    let problem = if is_broken {
        Some(RowError::OpenQuote)
    } else if cells.len() != columns.len() {
        Some(RowError::Width { cells: cells.len(), columns: columns.len() })
    } else if is_damaged && cells.iter().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER)) {
        Some(RowError::NotUtf8)
    } else {
        None
    };
    // Cells that no column is for stay with the last one.
    if let Some(rest) =
        cells.len().checked_sub(columns.len()).filter(|&rest| rest > 0 && !columns.is_empty())
    {
        let surplus = cells.split_off(cells.len() - rest - 1);
        cells.push(surplus.join(&char::from(delimiter).to_string()));
    }
    let fields = columns.iter().cloned().zip(cells.into_iter().map(Value::String)).collect();
    Row { line, fields, problem }
}

fn json_row(line: u64, json: &str) -> Row {
    let (fields, problem) = match serde_json::from_str(json) {
        Ok(Value::Object(fields)) => (fields, None),
        Ok(_) => (Map::new(), Some(RowError::NotObject)),
        Err(error) => (Map::new(), Some(RowError::NotJson(error.to_string()))),
    };
    Row { line, fields, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(products: &Products) -> Vec<(u64, Result<String, String>)> {
        let column = products.column("text").unwrap_or("text");
        products.rows.iter().map(|row| (row.line, told(row, &[column]))).collect()
    }

    fn told(row: &Row, columns: &[&str]) -> Result<String, String> {
        row.text(columns).map_err(|error| error.to_string())
    }

    fn good(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn bad(problem: &str) -> Result<String, String> {
        Err(problem.to_owned())
    }

    #[test]
    fn csv_rows_keep_their_lines_and_reasons() {
        let csv = "\u{FEFF}id,Text\n1,\"red\nshoe\"\n2\n3,\"open\n4, \n5,lamp\n6,a,b\n";
        let products = Products::from_csv(csv.as_bytes()).unwrap();
        assert_eq!(products.columns, ["id", "Text"]);
        assert_eq!(
            texts(&products),
            [
                (2, good("red\nshoe")),
                (4, bad("1 fields where the header has 2")),
                (5, bad("a quote opens here and does not close")),
                (6, bad("the text is empty")),
                (7, good("lamp")),
                (8, bad("3 fields where the header has 2")),
            ]
        );
        assert_eq!(products.rows[1].fields["id"], "2");
        assert_eq!(products.rows[5].fields["Text"], "a,b");
    }

    #[test]
    fn other_encodings_are_read() {
        let products = Products::from_csv(b"text\nGr\xF6\xDFe\n").unwrap();
        assert_eq!(
            (products.encoding, texts(&products)),
            (Encoding::Windows1252, vec![(2, good("Größe"))])
        );
        let damaged = [b"text\nGr\xF6\n".as_slice(), "Größe\nGrün\n".as_bytes()].concat();
        let products = Products::from_csv(&damaged).unwrap();
        assert_eq!(texts(&products)[..2], [(2, bad("the text is not UTF-8")), (3, good("Größe"))]);
    }

    #[test]
    fn lines_that_end_in_cr_lf_are_counted_as_others() {
        for end in ["\n", "\r\n"] {
            let csv = ["id,text", "1,\"red", "shoe\"", "2,lamp", "", "3,hat"].join(end);
            let products = Products::from_csv(csv.as_bytes()).unwrap();
            assert_eq!(
                products.rows.iter().map(|row| row.line).collect::<Vec<_>>(),
                [2, 4, 6],
                "{end:?}"
            );
        }
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        let products = Products::from_csv(b"id;text\n1;red, blue\n").unwrap();
        assert_eq!(texts(&products), [(2, good("red, blue"))]);
        assert_eq!(products.delimiter, b';');
        let products = Products::from_csv(b"id\ttext\n1\tred\n").unwrap();
        assert_eq!(texts(&products), [(2, good("red"))]);
    }

    #[test]
    fn headers_of_one_name_are_told_apart_and_lose_nothing() {
        let products = Products::from_csv(b"text,Size,,Size\nred,1,2,3\n").unwrap();
        assert_eq!(products.columns, ["text", "Size", "column 3", "Size (2)"]);
        assert_eq!(products.rows[0].fields["Size"], "1");
        assert_eq!(products.rows[0].fields["Size (2)"], "3");
    }

    #[test]
    fn columns_are_joined_and_blank_ones_left_out() {
        let products = Products::from_csv(b"a,b,c\nx,,y\n ,,\n").unwrap();
        assert_eq!(told(&products.rows[0], &["a", "b", "c"]), good("x\ny"));
        assert_eq!(told(&products.rows[1], &["a", "b"]), bad("the text is empty"));
        assert_eq!(told(&products.rows[1], &["d", "e"]), bad("no \"d\" or \"e\""));
    }

    #[test]
    fn json_rows_keep_their_lines_and_reasons() {
        let jsonl = "{\"id\":1,\"text\":\"red\",\"features\":{}}\r\n\n[1]\n{\"id\":2}\n{\"text\":3}\n{\"text\":\"\"}\n{";
        let products = Products::from_jsonl(jsonl.as_bytes()).unwrap();
        assert_eq!(products.columns, ["id", "text"]);
        assert_eq!(
            texts(&products),
            [
                (1, good("red")),
                (3, bad("not a JSON object")),
                (4, bad("no \"text\"")),
                (5, bad("\"text\" is not a string")),
                (6, bad("the text is empty")),
                (7, bad("not JSON: EOF while parsing an object at line 1 column 1")),
            ]
        );
    }

    #[test]
    fn an_empty_list_is_refused() {
        assert_eq!(Products::from_jsonl(b"\n \n"), Err(ListError::Empty));
        assert_eq!(Products::from_csv(b""), Err(ListError::Empty));
        assert_eq!(Products::from_csv(b"text\n"), Err(ListError::NoProducts));
    }
}
