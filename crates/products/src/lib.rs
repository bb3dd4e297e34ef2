//! Lists of products, as shops export them: read from CSV, TSV or JSON Lines, and written back with what was found.
//!
//! A row that cannot be read stays in the list with its reason; nothing of a file is dropped.

mod encoding;
mod error;
mod likely;
mod lines;
mod list;
mod quotes;
#[cfg(feature = "workbook")]
mod workbook;
mod write;
#[cfg(feature = "workbook")]
mod write_workbook;

pub use encoding::{Encoding, decode};
pub use error::{ListError, RowError};
pub use lines::Lines;
pub use list::{Form, Products, Row, delimiter, without_byte_order_mark};
#[cfg(feature = "workbook")]
pub use workbook::csv_of_workbook;
pub use write::{Answers, Detail, Writer};
#[cfg(feature = "workbook")]
pub use write_workbook::{MAX_CELL_UNITS, MAX_COLUMNS, MAX_ROWS, Workbook, workbook_of};
