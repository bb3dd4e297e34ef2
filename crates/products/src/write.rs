use hangtag_task::{Feature, FeatureValue};
use serde_json::{Map, Value, json};

use crate::{Products, Row};

/// What is written beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Values,
    /// The confidence of each.
    Confidence,
    /// Confidence, place in the text in characters, and the features that a person has corrected.
    Full,
}

/// What was found for one product.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// A value or none for each feature.
    pub values: &'a [FeatureValue],
    /// Features whose value a person gave: they have no confidence.
    pub corrected: &'a [usize],
}

impl<'a> From<&'a [FeatureValue]> for Answers<'a> {
    fn from(values: &'a [FeatureValue]) -> Self {
        Self { values, corrected: &[] }
    }
}

impl Answers<'_> {
    fn confidence(&self, index: usize) -> Option<f32> {
        let value = self.values.get(index).filter(|_| !self.corrected.contains(&index));
        value.map(|value| value.confidence)
    }

    fn by_name(&self, member: impl Fn(usize, &FeatureValue) -> Value) -> Value {
        let values = self.values.iter().enumerate();
        values
            .map(|(index, value)| (value.name.clone(), member(index, value)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn corrected_names(&self) -> Vec<&str> {
        let names = self.corrected.iter().filter_map(|&index| self.values.get(index));
        names.map(|value| value.name.as_str()).collect()
    }
}

/// Writes a list with what was found: the file's own columns first, then the features, then why a row has none.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The list that was read.
    pub products: &'a Products,
    /// What was asked.
    pub features: &'a [Feature],
    /// What else is written.
    pub detail: Detail,
}

impl Writer<'_> {
    /// The header line of the CSV.
    pub fn csv_header(&self) -> String {
        self.csv_line(&self.columns())
    }

    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.products.columns.clone();
        let add = |columns: &mut Vec<String>, name: &str| {
            let name = unused(columns, name);
            columns.push(name.clone());
            name
        };
        for feature in self.features {
            let name = add(&mut columns, &feature.name);
            for more in self.more_columns() {
                add(&mut columns, &format!("{name} {more}"));
            }
        }
        if self.detail == Detail::Full {
            add(&mut columns, "corrected");
        }
        add(&mut columns, "error");
        columns
    }

    /// The columns of [`Self::columns`] that hold numbers: confidence and place. Those of the file are texts, whatever
    /// they look like, so that an article number keeps its zeros.
    pub fn number_columns(&self) -> Vec<usize> {
        let more = self.more_columns().len();
        let first = self.products.columns.len();
        let columns = 0..self.features.len() * (more + 1);
        columns.filter(|column| column % (more + 1) != 0).map(|column| first + column).collect()
    }

    fn more_columns(&self) -> &'static [&'static str] {
        match self.detail {
            Detail::Values => &[],
            Detail::Confidence => &["confidence"],
            Detail::Full => &["confidence", "start", "end"],
        }
    }

    /// One product as a line of the CSV, or why it has no values.
    pub fn csv_row(&self, row: &Row, result: Result<Answers<'_>, &str>) -> String {
        self.csv_line(&self.cells(row, result))
    }

    /// One product as a cell for each of [`Self::columns`], or why it has no values.
    pub fn cells(&self, row: &Row, result: Result<Answers<'_>, &str>) -> Vec<String> {
        let mut cells: Vec<String> =
            self.products.columns.iter().map(|column| cell(row.fields.get(column))).collect();
        for index in 0..self.features.len() {
            let answers = result.ok();
            let value = answers.and_then(|answers| answers.values.get(index));
            cells.push(value.and_then(|value| value.value.clone()).unwrap_or_default());
            let sure = answers.and_then(|answers| answers.confidence(index));
            let span = value.and_then(|value| value.span);
            let more = [
                sure.map(|sure| sure.to_string()),
                span.map(|span| span.start.to_string()),
                span.map(|span| span.end.to_string()),
            ];
            let count = self.more_columns().len();
            cells.extend(more.into_iter().take(count).map(Option::unwrap_or_default));
        }
        if self.detail == Detail::Full {
            let names = result.map(|answers| answers.corrected_names().join("; "));
            cells.push(names.unwrap_or_default());
        }
        cells.push(result.err().unwrap_or_default().to_owned());
        cells
    }

    /// One product as in the project's data sets: the input's own members, and the features by name.
    pub fn dataset_row(&self, row: &Row, result: Result<Answers<'_>, &str>) -> Value {
        let mut object = row.fields.clone();
        let values = match &result {
            Ok(answers) => answers.by_name(|_, value| json!(value.value)),
            Err(_) => {
                let names = self.features.iter().map(|feature| (feature.name.clone(), Value::Null));
                names.collect::<Map<_, _>>().into()
            }
        };
        object.insert("features".to_owned(), values);
        let answers = result.unwrap_or(Answers { values: &[], corrected: &[] });
        if self.detail != Detail::Values {
            let sure = answers.by_name(|index, _| json!(answers.confidence(index)));
            object.insert("confidence".to_owned(), sure);
        }
        if self.detail == Detail::Full {
            object.insert("place".to_owned(), answers.by_name(|_, value| json!(value.span)));
            object.insert("corrected".to_owned(), json!(answers.corrected_names()));
        }
        object.insert("error".to_owned(), json!(result.err()));
        object.into()
    }

    fn csv_line(&self, cells: &[String]) -> String {
        let delimiter = self.products.delimiter;
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = writer.write_record(cells);
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

/// `name`, told apart from a column that the input already has.
fn unused(columns: &[String], name: &str) -> String {
    let mut unused = name.to_owned();
    while columns.contains(&unused) {
        unused += " (hangtag)";
    }
    unused
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::{Span, parse_feature_list};

    fn values() -> [FeatureValue; 2] {
        let span = Some(Span { start: 0, end: 3 });
        [
            FeatureValue { name: "Color".into(), value: Some("red".into()), confidence: 0.5, span },
            FeatureValue { name: "Size".into(), value: None, confidence: 0.25, span: None },
        ]
    }

    #[test]
    fn columns_of_the_file_stay_and_names_are_told_apart() {
        let products = Products::from_csv(b"text;Color\nred;\"a;b\"\nblue;c\n").unwrap();
        let features = parse_feature_list("Color, Size").unwrap();
        let write = |detail| {
            let writer = Writer { products: &products, features: &features, detail };
            let values = values();
            let answers = Answers { values: &values, corrected: &[1] };
            writer.csv_header()
                + &writer.csv_row(&products.rows[0], Ok(answers))
                + &writer.csv_row(&products.rows[1], Err("too long"))
        };
        assert_eq!(
            write(Detail::Values),
            "text;Color;Color (hangtag);Size;error\nred;\"a;b\";red;;\nblue;c;;;too long\n"
        );
        let numbers = |detail| {
            let writer = Writer { products: &products, features: &features, detail };
            let columns = writer.columns();
            writer.number_columns().iter().map(|&at| columns[at].clone()).collect::<Vec<_>>()
        };
        assert!(numbers(Detail::Values).is_empty());
        assert_eq!(
            numbers(Detail::Full).join(";"),
            "Color (hangtag) confidence;Color (hangtag) start;\
             Color (hangtag) end;Size confidence;Size start;Size end"
        );
        assert_eq!(
            write(Detail::Full),
            "text;Color;Color (hangtag);Color (hangtag) confidence;Color (hangtag) start;Color (hangtag) end;\
             Size;Size confidence;Size start;Size end;corrected;error\n\
             red;\"a;b\";red;0.5;0;3;;;;;Size;\nblue;c;;;;;;;;;;too long\n"
        );
    }

    #[test]
    fn json_rows_are_those_of_data_sets() {
        let products = Products::from_jsonl(b"{\"id\":7,\"text\":\"red\"}").unwrap();
        let features = parse_feature_list("Color, Size").unwrap();
        let writer = Writer { products: &products, features: &features, detail: Detail::Full };
        let values = values();
        let answers = Answers { values: &values, corrected: &[1] };
        assert_eq!(
            writer.dataset_row(&products.rows[0], Ok(answers)).to_string(),
            r#"{"id":7,"text":"red","features":{"Color":"red","Size":null},"confidence":{"Color":0.5,"Size":null},"place":{"Color":[0,3],"Size":null},"corrected":["Size"],"error":null}"#
        );
        let failed = writer.dataset_row(&products.rows[0], Err("why")).to_string();
        assert!(
            failed.contains(r#""features":{"Color":null,"Size":null}"#)
                && failed.ends_with(r#""error":"why"}"#)
        );
    }
}
