//! Results as table, JSON, JSON Lines or CSV. Every result is written out as soon as it is there.

use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};
use hangtag_extract::{Extraction, Stats};
use hangtag_products::{Detail, Products, Row, Writer};
use hangtag_task::{Feature, FeatureValue};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::failure::bad_input;
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
            let header = ["feature", "value", "confidence", "start", "end"];
            let mut table = csv_line(&header.map(str::to_owned))?;
            for feature in features {
                table += &csv_line(&csv_cells(feature))?;
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
    writer: Writer<'a>,
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
        let detail = if confidence { Detail::Confidence } else { Detail::Values };
        let writer = Writer { products, features, detail };
        match format {
            Format::Csv => destination.write(&writer.csv_header())?,
            Format::Json => destination.write("{\"products\":[")?,
            Format::Table | Format::Jsonl => {}
        }
        Ok(Self { destination, format, writer, written: 0 })
    }

    /// Writes one product's result, or why it has none.
    pub fn write(&mut self, row: &Row, result: Result<&[FeatureValue], &str>) -> Result<()> {
        let rendered = match self.format {
            Format::Table => self.table(row, result),
            Format::Json => {
                let comma = if self.written > 0 { "," } else { "" };
                format!("{comma}\n{}", object(row, result))
            }
            Format::Jsonl => {
                self.writer.dataset_row(row, result.map(Into::into)).to_string() + "\n"
            }
            Format::Csv => self.writer.csv_row(row, result.map(Into::into)),
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
}

/// The input's own members, with the result object's features and the error.
fn object(row: &Row, result: Result<&[FeatureValue], &str>) -> Value {
    let mut object = row.fields.clone();
    object.insert("line".to_owned(), row.line.into());
    object.insert("features".to_owned(), json!(result.unwrap_or_default()));
    object.insert("error".to_owned(), json!(result.err()));
    object.into()
}

fn by_name(features: &[FeatureValue]) -> Map<String, Value> {
    let members = features.iter();
    members.map(|f| (f.name.clone(), json!(f.value))).collect()
}

fn csv_line(cells: &[String]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}
