//! Results as table, JSON, JSON Lines or CSV. Every result is written out as soon as it is there.

use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};
use hangtag_extract::{Extraction, Stats};
use hangtag_task::{Feature, FeatureValue};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::failure::bad_input;
use crate::products::{Products, Row};
use crate::table;

/// Where results go.
pub struct Destination {
    writer: Box<dyn Write>,
    colours: bool,
}

impl Destination {
    /// A file, or standard output with colours if it is a terminal.
    pub fn open(output: Option<&Path>) -> Result<Self> {
        let Some(path) = output else {
            return Ok(Self { writer: Box::new(stdout()), colours: console::colors_enabled() });
        };
        let file = File::create(path)
            .map_err(|error| bad_input(format!("--output {}: {error}", path.display())))?;
        Ok(Self { writer: Box::new(file), colours: false })
    }

    /// Writes `text` now, so that nothing finished is lost to a later failure.
    fn write(&mut self, text: &str) -> Result<()> {
        self.writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush())
            .context("writing the result")
    }
}

/// The result object, with the time that the caller measured.
#[derive(Serialize)]
struct ResultObject<'a> {
    features: &'a [FeatureValue],
    stats: TimedStats,
}

#[derive(Serialize)]
struct TimedStats {
    #[serde(flatten)]
    stats: Stats,
    /// From the text to the last answer, without loading the model.
    seconds: f64,
}

/// Writes the result of one text.
pub fn write_one(
    destination: &mut Destination,
    format: Format,
    text: &str,
    extraction: &Extraction,
    seconds: f64,
) -> Result<()> {
    let features = &extraction.features;
    let rendered = match format {
        Format::Table => table::render(features, destination.colours),
        Format::Json => {
            let stats = TimedStats { stats: extraction.stats, seconds };
            serde_json::to_string(&ResultObject { features, stats })? + "\n"
        }
        Format::Jsonl => json!({ "text": text, "features": by_name(features) }).to_string() + "\n",
        Format::Csv => {
            let mut table = csv_line(
                b',',
                &["feature", "value", "confidence", "start", "end"].map(str::to_owned),
            )?;
            for feature in features {
                table += &csv_line(b',', &csv_cells(feature))?;
            }
            table
        }
    };
    destination.write(&rendered)
}

fn csv_cells(feature: &FeatureValue) -> [String; 5] {
    let span = feature.span.as_ref();
    [
        feature.name.clone(),
        feature.value.clone().unwrap_or_default(),
        feature.confidence.to_string(),
        span.map(|span| span.start.to_string()).unwrap_or_default(),
        span.map(|span| span.end.to_string()).unwrap_or_default(),
    ]
}

/// Writes the results of a list of products, one after the other.
pub struct ProductWriter<'a> {
    destination: Destination,
    format: Format,
    features: &'a [Feature],
    products: &'a Products,
    confidence: bool,
    written: usize,
}

impl<'a> ProductWriter<'a> {
    /// Begins the output.
    pub fn begin(
        mut destination: Destination,
        format: Format,
        features: &'a [Feature],
        products: &'a Products,
        confidence: bool,
    ) -> Result<Self> {
        match format {
            Format::Csv => destination.write(&csv_header(products, features, confidence)?)?,
            Format::Json => destination.write("{\"products\":[")?,
            Format::Table | Format::Jsonl => {}
        }
        Ok(Self { destination, format, features, products, confidence, written: 0 })
    }

    /// Writes one product's result, or why it has none.
    pub fn write(&mut self, row: &Row, result: Result<&[FeatureValue], &str>) -> Result<()> {
        let rendered = match self.format {
            Format::Table => self.table(row, result),
            Format::Json => {
                let comma = if self.written > 0 { "," } else { "" };
                format!("{comma}\n{}", self.object(row, result))
            }
            Format::Jsonl => self.dataset_row(row, result).to_string() + "\n",
            Format::Csv => self.csv(row, result)?,
        };
        self.written += 1;
        self.destination.write(&rendered)
    }

    /// Ends the output.
    pub fn finish(mut self, stats: Stats, failed: usize, seconds: f64) -> Result<()> {
        if self.format != Format::Json {
            return Ok(());
        }
        let mut stats = serde_json::to_value(TimedStats { stats, seconds })?;
        stats["products"] = self.written.into();
        stats["failed"] = failed.into();
        self.destination.write(&format!("\n],\"stats\":{stats}}}\n"))
    }

    fn table(&self, row: &Row, result: Result<&[FeatureValue], &str>) -> String {
        let space = if self.written > 0 { "\n" } else { "" };
        let body = match result {
            Ok(features) => table::render(features, self.destination.colours),
            Err(reason) => format!("error: {reason}\n"),
        };
        format!("{space}Line {}\n{body}", row.line)
    }

    /// The input's own members, with the result object's features and the error.
    fn object(&self, row: &Row, result: Result<&[FeatureValue], &str>) -> Value {
        let mut object = row.fields.clone();
        object.insert("line".to_owned(), row.line.into());
        object.insert("features".to_owned(), json!(result.unwrap_or_default()));
        object.insert("error".to_owned(), json!(result.err()));
        object.into()
    }

    /// A row as in the project's data sets: the input's own members, and the features by name.
    fn dataset_row(&self, row: &Row, result: Result<&[FeatureValue], &str>) -> Value {
        let mut object = row.fields.clone();
        let values = match result {
            Ok(features) => by_name(features),
            Err(_) => {
                self.features.iter().map(|feature| (feature.name.clone(), Value::Null)).collect()
            }
        };
        object.insert("features".to_owned(), values.into());
        if self.confidence {
            let sure = result.unwrap_or_default().iter();
            let sure: Map<_, _> = sure.map(|f| (f.name.clone(), json!(f.confidence))).collect();
            object.insert("confidence".to_owned(), sure.into());
        }
        object.insert("error".to_owned(), json!(result.err()));
        object.into()
    }

    fn csv(&self, row: &Row, result: Result<&[FeatureValue], &str>) -> Result<String> {
        let mut cells: Vec<String> =
            self.products.columns.iter().map(|column| cell(row.fields.get(column))).collect();
        for index in 0..self.features.len() {
            let feature = result.ok().and_then(|features| features.get(index));
            cells.push(feature.and_then(|f| f.value.clone()).unwrap_or_default());
            if self.confidence {
                cells.push(feature.map(|f| f.confidence.to_string()).unwrap_or_default());
            }
        }
        cells.push(result.err().unwrap_or_default().to_owned());
        csv_line(self.products.delimiter, &cells)
    }
}

fn csv_header(products: &Products, features: &[Feature], confidence: bool) -> Result<String> {
    let mut columns = products.columns.clone();
    for feature in features {
        let name = unused(&columns, &feature.name);
        let sure = format!("{name} confidence");
        columns.push(name);
        if confidence {
            columns.push(unused(&columns, &sure));
        }
    }
    columns.push(unused(&columns, "error"));
    csv_line(products.delimiter, &columns)
}

/// `name`, told apart from a column that the input already has.
fn unused(columns: &[String], name: &str) -> String {
    let mut unused = name.to_owned();
    while columns.contains(&unused) {
        unused += " (hangtag)";
    }
    unused
}

fn by_name(features: &[FeatureValue]) -> Map<String, Value> {
    let members = features.iter();
    members.map(|f| (f.name.clone(), json!(f.value))).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn csv_line(delimiter: u8, cells: &[String]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    writer.write_record(cells)?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}
