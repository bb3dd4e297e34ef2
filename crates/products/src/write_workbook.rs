//! A table as a workbook (XLSX): one sheet with a bold header row that stays in sight. All cells are texts but those of the
//! columns that are told to be numbers; none is a formula.
//!
//! Only what such a workbook needs of ECMA-376: texts stand in the cells themselves (`inlineStr`).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use crate::ListError;

/// Most UTF-16 units of a cell.
pub const MAX_CELL_UNITS: usize = 32_767;

/// Most rows of a sheet, the header's included.
pub const MAX_ROWS: usize = 1_048_576;

/// Most columns of a sheet.
pub const MAX_COLUMNS: usize = 16_384;

/// What stands in place of what does not fit into a cell.
const CUT: char = '…';

/// A workbook that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workbook {
    /// The file.
    pub bytes: Vec<u8>,
    /// Cells that had to be cut at [`MAX_CELL_UNITS`]; they end in "…".
    pub cut_cells: usize,
}

/// Writes `rows`, the first of which is the header, as a workbook. The cells of the columns `numbers` are numbers where
/// they are written as such.
///
/// # Errors
/// [`ListError::TooLarge`] for more rows or columns than a sheet has, [`ListError::Workbook`] when memory does not hold it.
pub fn workbook_of(rows: &[Vec<String>], numbers: &[usize]) -> Result<Workbook, ListError> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    for (what, count, most) in [("rows", rows.len(), MAX_ROWS), ("columns", columns, MAX_COLUMNS)] {
        if count > most {
            return Err(ListError::TooLarge { what, count, most });
        }
    }
    write(rows, columns, numbers).map_err(|error| ListError::Workbook(error.to_string()))
}

fn write(rows: &[Vec<String>], columns: usize, numbers: &[usize]) -> Result<Workbook, ZipError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (name, text) in PARTS {
        zip.start_file(name, options)?;
        zip.write_all(text.as_bytes())?;
    }
    zip.start_file("xl/worksheets/sheet1.xml", options)?;
    zip.write_all(head(columns, numbers).as_bytes())?;
    let mut sheet = Sheet { numbers, cut_cells: 0, xml: String::new() };
    for (index, row) in rows.iter().enumerate() {
        sheet.add(index, row);
        zip.write_all(sheet.xml.as_bytes())?;
        sheet.xml.clear();
    }
    zip.write_all(b"</sheetData></worksheet>")?;
    Ok(Workbook { bytes: zip.finish()?.into_inner(), cut_cells: sheet.cut_cells })
}

/// The beginning of the sheet: the header stays in sight, and columns are as wide as what they usually hold.
fn head(columns: usize, numbers: &[usize]) -> String {
    let mut xml = concat!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>"#,
        r#"<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#,
        "</sheetView></sheetViews>"
    )
    .to_owned();
    if columns > 0 {
        xml += "<cols>";
        for column in 0..columns {
            let width = if numbers.contains(&column) { 12 } else { 24 };
            // Writing to a string does not fail.
            let _ = write!(
                xml,
                r#"<col min="{0}" max="{0}" width="{width}" customWidth="1"/>"#,
                column + 1
            );
        }
        xml += "</cols>";
    }
    xml + "<sheetData>"
}

struct Sheet<'a> {
    numbers: &'a [usize],
    cut_cells: usize,
    xml: String,
}

impl Sheet<'_> {
    fn add(&mut self, index: usize, row: &[String]) {
        let _ = write!(self.xml, r#"<row r="{}">"#, index + 1);
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let _ = write!(self.xml, r#"<c r="{}{}""#, letters(column), index + 1);
            if index > 0 && self.numbers.contains(&column) && is_number(cell) {
                let _ = write!(self.xml, "><v>{cell}</v></c>");
                continue;
            }
            let text = cut(cell);
            self.cut_cells += usize::from(matches!(text, Cow::Owned(_)));
            let style = u8::from(index == 0) + if may_be_taken_for_a_formula(cell) { 2 } else { 0 };
            let _ = write!(
                self.xml,
                r#" s="{style}" t="inlineStr"><is><t xml:space="preserve">{}</t></is></c>"#,
                escape(&text)
            );
        }
        self.xml += "</row>";
    }
}

/// The column's name: A, B, … Z, AA, …
fn letters(column: usize) -> String {
    let mut letters = String::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.insert(0, char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters
}

fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Such a text stays one also when a person edits its cell: its style has the mark of a text (`quotePrefix`).
fn may_be_taken_for_a_formula(cell: &str) -> bool {
    cell.trim_start().starts_with(['=', '+', '-', '@'])
}

/// What of a text fits into a cell; borrowed if that is all of it.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CELL_UNITS || text.encode_utf16().count() <= MAX_CELL_UNITS {
        return Cow::Borrowed(text);
    }
    let mut units = CUT.len_utf16();
    let fits = |letter: &char| {
        units += letter.len_utf16();
        units <= MAX_CELL_UNITS
    };
    Cow::Owned(text.chars().take_while(fits).chain([CUT]).collect())
}

/// A text as XML has it, without the characters that XML has not.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (place, letter) in text.char_indices() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            // Spreadsheets read "_x0041_" as "A".
            '_' if is_code(&text[place..]) => escaped += "_x005F_",
            // A line break is one character in a cell.
            '\r' if text[place..].starts_with("\r\n") => {}
            '\r' => escaped.push('\n'),
            '\t' | '\n' => escaped.push(letter),
            '\0'..' ' | '\u{FFFE}' | '\u{FFFF}' => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Whether a text begins with an escaped character, `_xHHHH_`.
fn is_code(text: &str) -> bool {
    match text.as_bytes() {
        [b'_', b'x', digits @ ..] if digits.len() > 4 => {
            digits[..4].iter().all(u8::is_ascii_hexdigit) && digits[4] == b'_'
        }
        _ => false,
    }
}

/// The parts of a workbook beside its sheet. Styles: plain, bold, and both with the mark of a text.
const PARTS: [(&str, &str); 5] = [
    (
        "[Content_Types].xml",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">"#,
            r#"<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>"#,
            r#"<Default Extension="xml" ContentType="application/xml"/>"#,
            r#"<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>"#,
            r#"<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>"#,
            r#"<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>"#,
            "</Types>"
        ),
    ),
    (
        "_rels/.rels",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
            r#"<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>"#,
            "</Relationships>"
        ),
    ),
    (
        "xl/workbook.xml",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" "#,
            r#"xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">"#,
            r#"<sheets><sheet name="Products" sheetId="1" r:id="rId1"/></sheets></workbook>"#
        ),
    ),
    (
        "xl/_rels/workbook.xml.rels",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
            r#"<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>"#,
            r#"<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>"#,
            "</Relationships>"
        ),
    ),
    (
        "xl/styles.xml",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">"#,
            r#"<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>"#,
            r#"<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>"#,
            r#"<fills count="2"><fill><patternFill patternType="none"/></fill>"#,
            r#"<fill><patternFill patternType="gray125"/></fill></fills>"#,
            r#"<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>"#,
            r#"<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>"#,
            r#"<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>"#,
            r#"<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>"#,
            r#"<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>"#,
            r#"<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1" quotePrefix="1"/></cellXfs>"#,
            r#"<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"#
        ),
    ),
];

#[cfg(test)]
mod tests {
    use std::io::Read;

    use calamine::{Data, Range, Reader, Xlsx};
    use zip::ZipArchive;

    use super::*;
    use crate::csv_of_workbook;

    fn table(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect()
    }

    fn read(bytes: &[u8]) -> (Range<Data>, Range<String>) {
        let mut workbook = Xlsx::new(Cursor::new(bytes)).unwrap();
        let name = workbook.sheet_names()[0].clone();
        (workbook.worksheet_range(&name).unwrap(), workbook.worksheet_formula(&name).unwrap())
    }

    fn sheet_xml(bytes: &[u8]) -> String {
        let mut xml = String::new();
        let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
        zip.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut xml).unwrap();
        xml
    }

    #[test]
    fn what_is_written_is_read_back() {
        let rows = table(&[
            &["id", "Color", "Color confidence", "error"],
            &["007", "  blauw & <wit> \"x\"\n👟\tß ", "0.9876", ""],
            &["", "", "", "the text is empty"],
            &["1e5", "none", "", ""],
        ]);
        let Workbook { bytes, cut_cells } = workbook_of(&rows, &[2]).unwrap();
        assert_eq!(cut_cells, 0);
        let (cells, _) = read(&bytes);
        assert_eq!(cells.get_size(), (4, 4));
        for (index, row) in rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let expected = match (cell.as_str(), index, column) {
                    ("", ..) => Data::Empty,
                    (_, 1, 2) => Data::Float(0.9876),
                    (text, ..) => Data::String(text.to_owned()),
                };
                assert_eq!(cells[(index, column)], expected);
            }
        }
        let csv = String::from_utf8(csv_of_workbook(&bytes).unwrap()).unwrap();
        assert!(csv.starts_with("id,Color,Color confidence,error\n007,"), "{csv}");
    }

    #[test]
    fn no_cell_is_a_formula() {
        let cells =
            ["=1+1", "+31 6 1234", "-5 °C", "@home", " =A1", "=HYPERLINK(\"http://a\")", "\t=1"];
        let rows = vec![cells.iter().map(|&cell| cell.to_owned()).collect(); 2];
        // Not even where numbers are expected.
        let bytes = workbook_of(&rows, &[0, 2]).unwrap().bytes;
        let (read, formulas) = read(&bytes);
        assert_eq!(formulas.used_cells().count(), 0);
        for (column, &cell) in cells.iter().enumerate() {
            assert_eq!(read[(1, column)], Data::String(cell.to_owned()));
        }
        let xml = sheet_xml(&bytes);
        assert!(!xml.contains("<f"), "{xml}");
        assert_eq!(xml.matches(" s=\"2\" t=\"inlineStr\"").count(), cells.len());
        assert_eq!(xml.matches(" s=\"3\" t=\"inlineStr\"").count(), cells.len());
    }

    #[test]
    fn what_xml_has_not_is_left_out_and_codes_are_kept() {
        let rows = table(&[&["a\u{1}b\u{B}\u{FFFF}c\r\nd\re"], &["_x0041_ _x_ _x12_"]]);
        let bytes = workbook_of(&rows, &[]).unwrap().bytes;
        assert_eq!(read(&bytes).0[(0, 0)], Data::String("abc\nd\ne".to_owned()));
        assert!(sheet_xml(&bytes).contains(">_x005F_x0041_ _x_ _x12_<"));
    }

    #[test]
    fn cells_that_are_too_long_are_cut_and_counted() {
        let whole = "é".repeat(MAX_CELL_UNITS);
        let rows = vec![vec!["text".to_owned()], vec![whole.clone()], vec!["👟".repeat(20_000)]];
        let workbook = workbook_of(&rows, &[]).unwrap();
        assert_eq!(workbook.cut_cells, 1);
        let (cells, _) = read(&workbook.bytes);
        assert_eq!(cells[(1, 0)], Data::String(whole));
        let Data::String(cut) = &cells[(2, 0)] else { panic!("no text") };
        assert!(cut.ends_with("👟…") && cut.encode_utf16().count() <= MAX_CELL_UNITS);
    }

    #[test]
    fn more_than_a_sheet_holds_is_refused() {
        let wide = vec![vec![String::new(); MAX_COLUMNS + 1]];
        let error = workbook_of(&wide, &[]).unwrap_err();
        assert_eq!(error, ListError::TooLarge { what: "columns", count: 16_385, most: 16_384 });
        let long = vec![Vec::new(); MAX_ROWS + 1];
        assert!(workbook_of(&long, &[]).unwrap_err().to_string().contains("1048577 rows"));
        let names: Vec<String> = [0, 25, 26, 701, 702, 16_383].map(letters).to_vec();
        assert_eq!(names, ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }

    #[test]
    fn ten_thousand_products_are_written_and_read() {
        let header = (0..50).map(|column| format!("column {column}")).collect();
        let row = |number: usize| -> Vec<String> {
            (0..50).map(|column| format!("value {} of {number}", column * 7)).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(header).chain((1..=10_000).map(row)).collect();
        let workbook = workbook_of(&rows, &[3]).unwrap();
        let (cells, _) = read(&workbook.bytes);
        assert_eq!(cells.get_size(), (10_001, 50));
        assert_eq!(cells[(10_000, 49)], Data::String("value 343 of 10000".to_owned()));
    }

    #[test]
    fn an_empty_table_is_a_workbook() {
        let bytes = workbook_of(&[], &[]).unwrap().bytes;
        assert!(read(&bytes).0.is_empty());
    }
}
