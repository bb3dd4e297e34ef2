//! Workbooks (XLSX), as spreadsheets save them: the first sheet that holds something, as CSV.

use std::io::Cursor;

use calamine::{Data, Range, Reader, Xlsx};

use crate::ListError;

/// The first sheet of a workbook that is not empty, as CSV. Of a formula it has the value that was computed last.
///
/// # Errors
/// [`ListError::Workbook`] when it cannot be read, [`ListError::Empty`] when no sheet holds anything.
pub fn csv_of_workbook(bytes: &[u8]) -> Result<Vec<u8>, ListError> {
    let fault = |error: calamine::XlsxError| ListError::Workbook(error.to_string());
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(fault)?;
    for name in workbook.sheet_names() {
        let sheet = workbook.worksheet_range(&name).map_err(fault)?;
        if !sheet.is_empty() {
            return Ok(csv_of(&sheet));
        }
    }
    Err(ListError::Empty)
}

fn csv_of(sheet: &Range<Data>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in sheet.rows() {
        // Writing to memory does not fail, and all rows of a range are of one length.
        let _ = writer.write_record(row.iter().map(cell));
    }
    writer.into_inner().unwrap_or_default()
}

fn cell(data: &Data) -> String {
    match data {
        Data::DateTime(time) if time.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year}-{month:02}-{day:02}"),
                _ => format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        // "#DIV/0!" is nothing that a product has.
        Data::Error(_) => String::new(),
        data => data.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Products;

    const SHOP: &[u8] = include_bytes!("../tests/golden/shop.xlsx");

    #[test]
    fn the_first_sheet_with_something_becomes_csv() {
        let csv = csv_of_workbook(SHOP).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&csv),
            "title,description,price,for two,since,in stock\n\
             \"Linen shirt, \"\"wide\"\"\",\"Größe M, color white.\nBrand: Nordlys.\",39.5,79,2026-03-01,true\n\
             Wool hat,Size L. Brand: Halden.,20,,,\n"
        );
        let products = Products::from_csv(&csv).unwrap();
        assert_eq!(products.rows.len(), 2);
        assert_eq!(products.likely_text_columns(), ["title", "description"]);
    }

    #[test]
    fn what_is_no_workbook_is_refused() {
        for bytes in [b"PK\x03\x04".as_slice(), b"id,text\n", &SHOP[..SHOP.len() / 2]] {
            assert!(matches!(csv_of_workbook(bytes), Err(ListError::Workbook(_))));
        }
    }
}
