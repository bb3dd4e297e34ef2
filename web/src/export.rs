//! Results as files: CSV for tables, tab-separated text for the clipboard, JSON for programs.

use hangtag_task::FeatureValue;
use serde::Serialize;

use crate::protocol::RunStats;

/// The table with a header: feature, value (empty for none), confidence, and the value's place in characters.
pub fn to_csv(values: &[FeatureValue]) -> String {
    table(values, b',')
}

/// The same table separated by tabs, as spreadsheets paste it.
pub fn to_tsv(values: &[FeatureValue]) -> String {
    table(values, b'\t')
}

fn table(values: &[FeatureValue], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    let header = ["feature", "value", "confidence", "start", "end"].map(str::to_owned);
    let rows = values.iter().map(|value| {
        let (start, end) = value
            .span
            .map_or_else(Default::default, |span| (span.start.to_string(), span.end.to_string()));
        [
            value.name.clone(),
            value.value.clone().unwrap_or_default(),
            format!("{:.4}", value.confidence),
            start,
            end,
        ]
    });
    for row in std::iter::once(header).chain(rows) {
        // Writing to memory does not fail, and all rows have the same length.
        let _ = writer.write_record(&row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    features: &'a [FeatureValue],
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<RunStats>,
}

/// The result as the command line prints it: `{"features": [...], "stats": {...}}`.
pub fn to_json(values: &[FeatureValue], stats: Option<RunStats>) -> String {
    serde_json::to_string_pretty(&Document { features: values, stats }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::Span;

    fn values() -> Vec<FeatureValue> {
        vec![
            FeatureValue {
                name: "Size, \"EU\"".into(),
                value: Some("42\t½".into()),
                confidence: 0.9876,
                span: Some(Span { start: 3, end: 7 }),
            },
            FeatureValue { name: "Colour".into(), value: None, confidence: 1.0, span: None },
        ]
    }

    #[test]
    fn csv_quotes_what_it_must() {
        assert_eq!(
            to_csv(&values()),
            "feature,value,confidence,start,end\n\"Size, \"\"EU\"\"\",42\t½,0.9876,3,7\nColour,,1.0000,,\n"
        );
        assert!(to_tsv(&values()).contains("\"42\t½\"\t0.9876\t3\t7\n"));
    }

    #[test]
    fn json_tells_none_from_empty() {
        let parsed: serde_json::Value = serde_json::from_str(&to_json(&values(), None)).unwrap();
        assert_eq!(parsed["features"][0]["span"], serde_json::json!([3, 7]));
        assert_eq!(parsed["features"][1]["value"], serde_json::Value::Null);
        assert!(parsed.get("stats").is_none());
    }
}
