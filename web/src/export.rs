//! Results as files: CSV for tables, tab-separated text for the clipboard, JSON for programs.

use serde::Serialize;

use crate::correction::Settled;
use crate::protocol::RunStats;

/// The table with a header: feature, value (empty for none), confidence (empty for a value that a person gave), the value's
/// place in characters, and what a person made of it.
pub fn to_csv(values: &[Settled]) -> String {
    table(values, b',')
}

/// The same table separated by tabs, as spreadsheets paste it.
pub fn to_tsv(values: &[Settled]) -> String {
    table(values, b'\t')
}

fn table(values: &[Settled], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    let header = ["feature", "value", "confidence", "start", "end", "by hand"].map(str::to_owned);
    let rows = values.iter().map(|value| {
        let (start, end) = value
            .span
            .map_or_else(Default::default, |span| (span.start.to_string(), span.end.to_string()));
        [
            value.name.clone(),
            value.value.clone().unwrap_or_default(),
            value.confidence.map(|sure| format!("{sure:.4}")).unwrap_or_default(),
            start,
            end,
            value.by_hand.unwrap_or_default().to_owned(),
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
    features: &'a [Settled],
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<RunStats>,
}

/// The result as the command line prints it: `{"features": [...], "stats": {...}}`.
pub fn to_json(values: &[Settled], stats: Option<RunStats>) -> String {
    serde_json::to_string_pretty(&Document { features: values, stats }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::Correction;
    use hangtag_task::{FeatureValue, Span};

    fn values() -> Vec<Settled> {
        let size = FeatureValue {
            name: "Size, \"EU\"".into(),
            value: Some("42\t½".into()),
            confidence: 0.9876,
            span: Some(Span { start: 3, end: 7 }),
        };
        let none = FeatureValue { name: "Colour".into(), value: None, confidence: 1.0, span: None };
        let red = Correction::Changed("red".into());
        vec![
            Settled::new(&size, Some(&Correction::Accepted), ""),
            Settled::new(&none, None, ""),
            Settled::new(&none, Some(&red), "a red shoe"),
        ]
    }

    #[test]
    fn csv_quotes_what_it_must() {
        assert_eq!(
            to_csv(&values()),
            "feature,value,confidence,start,end,by hand\n\"Size, \"\"EU\"\"\",42\t½,0.9876,3,7,accepted\n\
             Colour,,1.0000,,,\nColour,red,,2,5,corrected\n"
        );
        assert!(to_tsv(&values()).contains("\"42\t½\"\t0.9876\t3\t7\taccepted\n"));
    }

    #[test]
    fn json_tells_none_from_empty() {
        let parsed: serde_json::Value = serde_json::from_str(&to_json(&values(), None)).unwrap();
        assert_eq!(parsed["features"][0]["span"], serde_json::json!([3, 7]));
        assert_eq!(parsed["features"][1]["value"], serde_json::Value::Null);
        assert!(parsed["features"][1].get("by_hand").is_none());
        assert_eq!(parsed["features"][2]["by_hand"], "corrected");
        assert!(parsed.get("stats").is_none());
    }
}
