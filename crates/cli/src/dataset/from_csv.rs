//! `hangtag dataset from-csv`: a shop's export as a dataset.

use std::collections::HashMap;

use anyhow::Result;
use hangtag_products::{Lines, delimiter, without_byte_order_mark};
use hangtag_task::dataset::{Columns, Export, Missing, Record, product_of_record};
use hangtag_task::{Product, RowError, RowProblem};

use super::args::{FromCsvArgs, MissingArg};
use super::files::{BadRows, lines, read_text, write_whole};
use crate::failure::bad_input;

pub fn run(args: &FromCsvArgs) -> Result<()> {
    let text = read_text(&args.file)?;
    let bytes = without_byte_order_mark(text.as_bytes());
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(bytes)).flexible(true).from_reader(bytes);
    let shown = args.file.display();
    let headings: Vec<String> = reader
        .headers()
        .map_err(|error| bad_input(format!("{shown}: {error}")))?
        .iter()
        .map(|heading| heading.trim().to_owned())
        .collect();
    let columns = export(args)
        .columns(&headings)
        .map_err(|error| bad_input(format!("{shown}, line 1: {error}")))?;

    let lines_of_ids = HashMap::new();
    let mut table =
        Table { args, headings, columns, lines: Lines::new(bytes), lines_of_ids, missing: 0 };
    let mut products = Vec::new();
    let mut rows = 0;
    for record in reader.records() {
        rows += 1;
        match record.map_err(|error| error.to_string()).and_then(|record| table.product(&record)) {
            Ok(product) => products.push(product),
            Err(message) => eprintln!("error: {shown}, {message}"),
        }
    }
    if products.is_empty() {
        return Err(bad_input(format!("{shown}: none of {rows} rows makes a product")).into());
    }
    write_whole(&args.out, &lines(&products)?)?;
    eprintln!("{}: {} of {rows} rows{}", args.out.display(), products.len(), table.missing_note());
    BadRows::new(&args.file, rows - products.len(), rows).outcome()
}

fn export(args: &FromCsvArgs) -> Export {
    Export {
        text: args.text.clone(),
        id: args.id.clone(),
        category: args.category.clone(),
        features: args.features.clone(),
        rename: args.rename.clone(),
    }
}

/// A table on its way to a dataset.
struct Table<'a> {
    args: &'a FromCsvArgs,
    headings: Vec<String>,
    columns: Columns,
    lines: Lines<'a>,
    lines_of_ids: HashMap<String, usize>,
    /// Values that their texts do not hold.
    missing: usize,
}

impl Table<'_> {
    /// The product of a record, or what is wrong with it. Values that the text does not hold are reported.
    fn product(&mut self, record: &csv::StringRecord) -> Result<Product, String> {
        let line = self.lines.of(record.position()) as usize;
        if record.len() != self.headings.len() {
            let (cells, headings) = (record.len(), self.headings.len());
            return Err(format!("line {line}: {cells} fields where the heading has {headings}"));
        }
        let record = Record { line, cells: record.iter().map(str::to_owned).collect() };
        let missing = match self.args.missing {
            MissingArg::Drop => Missing::Drop,
            MissingArg::Null => Missing::Null,
        };
        let in_line = |problem: RowProblem| RowError { line, problem }.to_string();
        let (product, not_in_text) =
            product_of_record(&record, &self.columns, missing).map_err(in_line)?;
        let first_line = *self.lines_of_ids.entry(product.id.clone()).or_insert(line);
        if first_line != line {
            return Err(in_line(RowProblem::DuplicateId { id: product.id, first_line }));
        }
        self.missing += not_in_text.len();
        for value in not_in_text {
            eprintln!("note: {}, {value}", self.args.file.display());
        }
        Ok(product)
    }

    fn missing_note(&self) -> String {
        let what = match self.args.missing {
            MissingArg::Drop => "left out (--missing null writes them as null)",
            MissingArg::Null => "written as null",
        };
        match self.missing {
            0 => String::new(),
            count => format!("; values that are not in the text: {count}, {what}"),
        }
    }
}
