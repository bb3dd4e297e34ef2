//! A list of products that is being filled in: what is known of each, what is asked next, and the list as a file.

use std::collections::BTreeMap;

use hangtag_products::{Answers, Detail, Products, Row, Writer};
use hangtag_task::{Feature, FeatureValue};
use serde::{Deserialize, Serialize};

use crate::correction::{Checked, Correction, TrainingRows, needs_review, settled};
use crate::protocol::{RunId, Table};

/// Largest file that is read: it is held in memory, as are its rows.
pub const MAX_FILE_BYTES: usize = 64_000_000;

/// Parts that are at the worker at once: while one is on the GPU, the next waits there.
const PARTS_AHEAD: usize = 2;

/// What was asked of a list when it was started. It stays so until the list is started anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The columns whose cells are the product text.
    pub text_columns: Vec<String>,
    /// What is asked of each product.
    pub features: Vec<Feature>,
    /// The products' category, for training rows; may be empty.
    pub category: String,
}

/// What is known of one product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// A value or none for each feature, or why it was not read; `None` before.
    pub answer: Option<Result<Vec<FeatureValue>, String>>,
    /// What a person made of the values, by feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<usize, Correction>,
}

impl Entry {
    /// The model's answers; none before they are there, and of a product that could not be read.
    pub fn answers(&self) -> &[FeatureValue] {
        match &self.answer {
            Some(Ok(values)) => values,
            _ => &[],
        }
    }

    /// Whether an answer of it is unsure, and no person has settled it.
    pub fn needs_review(&self) -> bool {
        let mut answers = self.answers().iter().enumerate();
        answers
            .any(|(index, answer)| needs_review(answer) && !self.corrections.contains_key(&index))
    }

    /// Name of its state, for styles and tests.
    pub fn state(&self) -> &'static str {
        match &self.answer {
            None => "pending",
            Some(Err(_)) => "failed",
            Some(Ok(_)) if self.needs_review() => "review",
            Some(Ok(_)) => "done",
        }
    }
}

/// Which products are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those with an answer that is unsure.
    Review,
    /// Those that could not be read.
    Failed,
    /// Those that a person has corrected.
    Corrected,
}

impl Filter {
    /// All filters, in the order in which they are offered.
    pub const EACH: [Self; 4] = [Self::All, Self::Review, Self::Failed, Self::Corrected];

    /// Whether a product is shown.
    pub fn shows(self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Review => entry.needs_review(),
            Self::Failed => matches!(entry.answer, Some(Err(_))),
            Self::Corrected => entry.corrections.values().any(Correction::is_change),
        }
    }
}

/// Numbers of products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the list.
    pub all: usize,
    /// Answered, or found to be unreadable.
    pub done: usize,
    /// To be reviewed.
    pub review: usize,
    /// Unreadable.
    pub failed: usize,
    /// With a corrected value.
    pub corrected: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(entries: &[Entry]) -> Self {
        let count = |filter: Filter| entries.iter().filter(|entry| filter.shows(entry)).count();
        Self {
            all: entries.len(),
            done: entries.iter().filter(|entry| entry.answer.is_some()).count(),
            review: count(Filter::Review),
            failed: count(Filter::Failed),
            corrected: count(Filter::Corrected),
        }
    }

    /// The number that a filter shows.
    pub fn shown_by(&self, filter: Filter) -> usize {
        match filter {
            Filter::All => self.all,
            Filter::Review => self.review,
            Filter::Failed => self.failed,
            Filter::Corrected => self.corrected,
        }
    }
}

/// The parts of a list that are at the worker, and what comes next.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    at_worker: BTreeMap<RunId, Vec<usize>>,
    /// Every product before this one is answered or at the worker, unless one came back.
    next: usize,
}

impl Parts {
    /// Up to `size` products to send now; empty when enough are at the worker, or nothing is left.
    pub fn next(&mut self, entries: &[Entry], size: usize) -> Vec<usize> {
        let mut part = Vec::new();
        if self.at_worker.len() >= PARTS_AHEAD {
            return part;
        }
        while part.len() < size && self.next < entries.len() {
            if entries[self.next].answer.is_none() && !self.is_at_worker(self.next) {
                part.push(self.next);
            }
            self.next += 1;
        }
        part
    }

    fn is_at_worker(&self, index: usize) -> bool {
        self.at_worker.values().any(|part| part.contains(&index))
    }

    /// Notes that a part was sent as this run.
    pub fn sent(&mut self, run: RunId, part: Vec<usize>) {
        self.at_worker.insert(run, part);
    }

    /// The products of a run that is answered; `None` if it is no part of this list.
    pub fn answered(&mut self, run: RunId) -> Option<Vec<usize>> {
        self.at_worker.remove(&run)
    }

    /// A run comes to nothing: its products are to be asked again. Whether it was a part of this list.
    pub fn came_back(&mut self, run: RunId) -> bool {
        let part = self.at_worker.remove(&run);
        self.next = part.iter().flatten().fold(self.next, |next, &index| next.min(index));
        part.is_some()
    }

    /// All runs come to nothing. The last of them, if any.
    pub fn all_came_back(&mut self) -> Option<RunId> {
        let last = self.at_worker.keys().next_back().copied();
        *self = Self::default();
        last
    }

    /// Whether nothing is at the worker.
    pub fn is_empty(&self) -> bool {
        self.at_worker.is_empty()
    }
}

/// A list and what was found, to be written out.
pub struct Filled<'a> {
    /// The list's name, for training rows.
    pub name: &'a str,
    /// The list as it was read.
    pub products: &'a Products,
    /// What was asked.
    pub setup: &'a Setup,
    /// What is known of each product.
    pub entries: &'a [Entry],
}

impl Filled<'_> {
    fn writer(&self) -> Writer<'_> {
        Writer { products: self.products, features: &self.setup.features, detail: Detail::Full }
    }

    /// As CSV: the columns of `hangtag extract`, and the place of each value. It begins with a byte order mark, without
    /// which spreadsheets take UTF-8 for something else.
    pub fn to_csv(&self) -> String {
        let writer = self.writer();
        let header = "\u{FEFF}".to_owned() + &writer.csv_header();
        self.rows()
            .fold(header, |csv, (row, filled)| csv + &writer.csv_row(row, filled.as_answers()))
    }

    /// As a table with the CSV's columns, to be made a workbook of.
    pub fn to_table(&self) -> Table {
        let writer = self.writer();
        let rows = self.rows().map(|(row, filled)| writer.cells(row, filled.as_answers()));
        Table {
            rows: std::iter::once(writer.columns()).chain(rows).collect(),
            numbers: writer.number_columns(),
        }
    }

    /// As JSON Lines, in the form of the project's datasets.
    pub fn to_jsonl(&self) -> String {
        let writer = self.writer();
        let line = |row: &Row, filled: &FilledRow| {
            writer.dataset_row(row, filled.as_answers()).to_string() + "\n"
        };
        self.rows().map(|(row, filled)| line(row, &filled)).collect()
    }

    /// What a person has settled, as rows to train on.
    pub fn training_rows(&self) -> TrainingRows {
        let mut rows = TrainingRows::default();
        for (row, entry) in self.products.rows.iter().zip(self.entries) {
            let Ok(text) = row.text(&self.setup.text_columns) else { continue };
            if entry.corrections.is_empty() {
                continue;
            }
            let answers = entry.answers();
            let corrections: Vec<_> =
                (0..answers.len()).map(|index| entry.corrections.get(&index).cloned()).collect();
            rows.add(&Checked {
                id: format!("{}:{}", self.name, row.line),
                category: &self.setup.category,
                text: &text,
                features: &self.setup.features,
                answers,
                corrections: &corrections,
            });
        }
        rows
    }

    fn rows(&self) -> impl Iterator<Item = (&Row, FilledRow)> {
        let rows = self.products.rows.iter().zip(self.entries);
        rows.map(|(row, entry)| (row, FilledRow::of(row, entry, self.setup)))
    }
}

/// What is written of one product.
struct FilledRow {
    result: Result<Vec<FeatureValue>, String>,
    corrected: Vec<usize>,
}

impl FilledRow {
    fn of(row: &Row, entry: &Entry, setup: &Setup) -> Self {
        let result = match &entry.answer {
            None => Err("not filled in yet".to_owned()),
            Some(Err(problem)) => Err(problem.clone()),
            Some(Ok(answers)) => {
                // Only a changed value is looked for in the text.
                let text = match entry.corrections.is_empty() {
                    true => String::new(),
                    false => row.text(&setup.text_columns).unwrap_or_default(),
                };
                let answers = answers.iter().enumerate();
                Ok(answers
                    .map(|(index, answer)| settled(answer, entry.corrections.get(&index), &text))
                    .collect())
            }
        };
        let changed = entry.corrections.iter().filter(|(_, correction)| correction.is_change());
        Self { result, corrected: changed.map(|(&index, _)| index).collect() }
    }

    fn as_answers(&self) -> Result<Answers<'_>, &str> {
        match &self.result {
            Ok(values) => Ok(Answers { values, corrected: &self.corrected }),
            Err(problem) => Err(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::{Span, parse_feature_list};

    fn value(value: Option<&str>, confidence: f32) -> FeatureValue {
        let span = value.map(|value| Span { start: 0, end: value.len() });
        FeatureValue { name: "Color".into(), value: value.map(Into::into), confidence, span }
    }

    fn answered(value: FeatureValue) -> Entry {
        Entry { answer: Some(Ok(vec![value])), ..Entry::default() }
    }

    fn failed() -> Entry {
        Entry { answer: Some(Err("the text is empty".into())), ..Entry::default() }
    }

    #[test]
    fn the_table_has_the_csvs_cells_with_what_a_person_has_changed() {
        let products = Products::from_csv(b"sku,text\n007,=a red shoe\n008,\"a, b\"\n").unwrap();
        let setup = Setup {
            text_columns: vec!["text".into()],
            features: parse_feature_list("Color").unwrap(),
            category: String::new(),
        };
        let red = Correction::Changed("red".into());
        let corrected =
            Entry { corrections: BTreeMap::from([(0, red)]), ..answered(value(Some("shoe"), 0.5)) };
        let entries = [corrected, failed()];
        let filled = Filled { name: "shop", products: &products, setup: &setup, entries: &entries };
        let table = filled.to_table();
        let mut csv = csv::Writer::from_writer(b"\xEF\xBB\xBF".to_vec());
        table.rows.iter().for_each(|row| csv.write_record(row).unwrap());
        assert_eq!(String::from_utf8(csv.into_inner().unwrap()).unwrap(), filled.to_csv());
        assert_eq!(table.rows[1], ["007", "=a red shoe", "red", "", "3", "6", "Color", ""]);
        assert_eq!(table.rows[2][7], "the text is empty");
        assert_eq!(table.numbers, [3, 4, 5]);
    }

    #[test]
    fn parts_go_out_in_order_and_come_back() {
        let mut entries = vec![Entry::default(); 10];
        entries[1] = failed();
        let mut parts = Parts::default();
        let first = parts.next(&entries, 3);
        assert_eq!(first, [0, 2, 3]);
        parts.sent(7, first);
        let second = parts.next(&entries, 3);
        assert_eq!(second, [4, 5, 6]);
        parts.sent(8, second);
        assert_eq!(parts.next(&entries, 3), [] as [usize; 0], "two are enough");

        assert!(parts.came_back(7));
        assert!(!parts.came_back(7));
        let again = parts.next(&entries, 3);
        assert_eq!(again, [0, 2, 3]);
        parts.sent(9, again);
        assert_eq!(parts.answered(8), Some(vec![4, 5, 6]));
        for index in [4, 5, 6] {
            entries[index] = answered(value(None, 0.9));
        }
        assert_eq!(parts.next(&entries, 9), [7, 8, 9]);
        assert_eq!(parts.all_came_back(), Some(9));
        assert!(parts.is_empty());
        assert_eq!(parts.next(&entries, 99), [0, 2, 3, 7, 8, 9]);
    }

    #[test]
    fn what_is_unsure_is_reviewed_until_a_person_settles_it() {
        let mut entries = vec![
            Entry::default(),
            answered(value(Some("red"), 0.9)),
            answered(value(Some("red"), 0.2)),
            answered(value(None, 0.6)),
            answered(value(None, 0.99)),
            failed(),
        ];
        let counts = Counts::of(&entries);
        assert_eq!(counts, Counts { all: 6, done: 5, review: 2, failed: 1, corrected: 0 });
        let states: Vec<_> = entries.iter().map(Entry::state).collect();
        assert_eq!(states, ["pending", "done", "review", "review", "done", "failed"]);
        entries[2].corrections.insert(0, Correction::Accepted);
        entries[3].corrections.insert(0, Correction::Changed("blue".into()));
        let counts = Counts::of(&entries);
        assert_eq!((counts.review, counts.corrected), (0, 1));
        for filter in Filter::EACH {
            let shown = entries.iter().filter(|entry| filter.shows(entry)).count();
            assert_eq!(counts.shown_by(filter), shown);
        }
    }

    #[test]
    fn entries_survive_the_browsers_storage() {
        let mut entry = answered(value(Some("red"), 0.5));
        entry.corrections.insert(0, Correction::Changed("blue".into()));
        for entry in [entry, failed(), Entry::default()] {
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
        }
    }

    #[test]
    fn downloads_hold_corrections_and_what_is_missing() {
        let csv = "id,text\n1,red shoe\n2,blue shoe\n3,\n4,hat\n";
        let products = Products::from_csv(csv.as_bytes()).unwrap();
        let features = parse_feature_list("Color").unwrap();
        let setup = Setup { text_columns: vec!["text".into()], features, category: "Shoes".into() };
        let mut entries = vec![
            answered(value(Some("red"), 0.5)),
            answered(value(Some("shoe"), 0.5)),
            failed(),
            Entry::default(),
        ];
        entries[1].corrections.insert(0, Correction::Changed("blue".into()));
        let list = Filled { name: "p.csv", products: &products, setup: &setup, entries: &entries };
        assert_eq!(
            list.to_csv(),
            "\u{FEFF}id,text,Color,Color confidence,Color start,Color end,corrected,error\n\
             1,red shoe,red,0.5,0,3,,\n2,blue shoe,blue,,0,4,Color,\n\
             3,,,,,,,the text is empty\n4,hat,,,,,,not filled in yet\n"
        );
        let jsonl = list.to_jsonl();
        assert_eq!(jsonl.lines().count(), 4);
        assert!(
            jsonl.contains(r#""features":{"Color":"blue"},"confidence":{"Color":null}"#),
            "{jsonl}"
        );
        let rows = list.training_rows();
        assert_eq!(rows.products, 1);
        assert!(
            rows.jsonl.starts_with(r#"{"id":"p.csv:3","category":"Shoes","text":"blue shoe""#),
            "{}",
            rows.jsonl
        );
    }
}
