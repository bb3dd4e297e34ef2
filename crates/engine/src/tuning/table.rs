//! The table of measured forms as text: one line a point, tabs between class, rows, columns, tokens and form; lines that begin
//! with `#` are remarks.

use std::collections::BTreeMap;

use super::{Class, forms};
use crate::kernel::{Form, Inner};

/// The fastest form of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Where it was measured.
    pub class: Class,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Rows of the input.
    pub tokens: usize,
    /// The form, one of [`forms`].
    pub form: Form,
}

/// A line of the table that is no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {text:?} is no class, rows, columns, tokens and form of the engine, with tabs between them"
)]
pub struct TableError {
    line: usize,
    text: String,
}

impl Point {
    /// Whether the product rounds its input.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.form.inner == Inner::Integer
    }

    /// (rows, columns) of the matrix.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// How far a (rows, columns) matrix is from this one, by ratios. Rows make the number of threads, and count for more.
    pub(super) fn distance(&self, (rows, columns): (usize, usize)) -> f64 {
        let ratio = |a: usize, b: usize| (a.max(1) as f64 / b.max(1) as f64).ln().powi(2);
        ratio(self.rows, rows) + ratio(self.columns, columns) / 2.0
    }

    /// What a later measurement of the same product replaces.
    fn key(&self) -> (Class, bool, usize, usize, usize) {
        (self.class, self.is_integer(), self.rows, self.columns, self.tokens)
    }
}

/// Reads a table.
///
/// # Errors
/// The first line that is no point.
pub fn read_table(text: &str) -> Result<Vec<Point>, TableError> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            read_point(line).ok_or_else(|| TableError { line: index + 1, text: line.to_owned() })
        })
        .collect()
}

fn read_point(line: &str) -> Option<Point> {
    let mut fields = line.split('\t');
    let class = fields.next()?;
    let class = Class::ALL.into_iter().find(|known| known.to_string() == class)?;
    let mut number = || fields.next()?.parse().ok().filter(|&number: &usize| number > 0);
    let (rows, columns, tokens) = (number()?, number()?, number()?);
    let form = fields.next()?;
    let mut known = [false, true].into_iter().flat_map(forms);
    let form = *known.find(|known| known.to_string() == form)?;
    fields.next().is_none().then_some(Point { class, rows, columns, tokens, form })
}

/// `text` with the points of `measured` in place of those of the same products, sorted; its remarks stay at its head.
///
/// # Errors
/// The first line of `text` that is no point.
pub fn write_table(text: &str, measured: &[Point]) -> Result<String, TableError> {
    let points = read_table(text)?.into_iter().chain(measured.iter().copied());
    let points: BTreeMap<_, Point> = points.map(|point| (point.key(), point)).collect();
    let remarks = text.lines().filter(|line| line.starts_with('#')).map(str::to_owned);
    let lines = points.values().map(|Point { class, rows, columns, tokens, form }| {
        format!("{class}\t{rows}\t{columns}\t{tokens}\t{form}")
    });
    Ok(remarks.chain(lines).map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# forms\nnvidia\t576\t1536\t1\tfloat(4, 32, 1, 1)\nnvidia\t576\t1536\t1\tinteger(8, 32, 1, 1)\n";

    #[test]
    fn tables_read_back_and_later_measurements_replace() {
        let points = read_table(TABLE).unwrap();
        assert_eq!(write_table(TABLE, &[]).unwrap(), TABLE);
        assert_eq!(write_table("# forms\n", &points).unwrap(), TABLE);
        let better = Point { form: forms(true)[1], ..points[1] };
        let more = Point { class: Class::Amd, ..points[0] };
        let table = write_table(TABLE, &[better, more]).unwrap();
        assert_eq!(read_table(&table).unwrap(), [more, points[0], better]);
        assert!(table.starts_with("# forms\n"));
    }

    #[test]
    fn what_is_no_point_is_told_with_its_line() {
        for bad in [
            "nvidia\t1\t1\t1",
            "nobody\t1\t1\t1\tfloat(4, 32, 1, 1)",
            "nvidia\t0\t1\t1\tfloat(4, 32, 1, 1)",
            "nvidia\t1\t1\t1\tfloat(1, 1, 1, 1)",
            "nvidia\t1\t1\t1\tfloat(4, 32, 1, 1)\t1",
        ] {
            let error = read_table(&format!("# forms\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line 2: {bad:?}")), "{error}");
        }
    }
}
