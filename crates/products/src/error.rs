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
