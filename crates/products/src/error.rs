/// Why a file is no list of products.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Nothing but white space.
    #[error("the file is empty")]
    Empty,
    /// A header and no rows, or blank lines only.
    #[error("the file holds no products")]
    NoProducts,
    /// A workbook, or another packed file.
    #[error("this is a spreadsheet or another packed file, not text: save it as CSV first")]
    Packed,
    /// More than a sheet of a workbook holds.
    #[error("the list has {count} {what}, and a workbook holds {most}: save it as CSV")]
    TooLarge {
        /// Rows or columns.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// What is wrong with a workbook.
    #[error("the workbook cannot be read: {0}")]
    Workbook(String),
    /// Bytes that are no text in any encoding known here.
    #[error("this is not a text file: a list is CSV, TSV or JSON Lines")]
    NotText,
    /// What the CSV reader says.
    #[error("{0}")]
    Csv(String),
}

/// Why there is no text of a product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A quote of CSV has no other.
    #[error("a quote opens here and does not close")]
    OpenQuote,
    /// Another number of cells than the header has.
    #[error("{cells} fields where the header has {columns}")]
    Width {
        /// Cells of this row.
        cells: usize,
        /// Cells of the header.
        columns: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// JSON of another kind.
    #[error("not a JSON object")]
    NotObject,
    /// What the JSON reader says.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// A number, a list or an object where text is wanted.
    #[error("{column:?} is not a string")]
    NotString {
        /// Name of the column.
        column: String,
    },
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// None of the columns that are read.
    #[error("no {}", crate::list::quoted(.columns, " or "))]
    NoColumn {
        /// Names of the columns.
        columns: Vec<String>,
    },
}
