//! A shop's own table as a dataset.

use indexmap::IndexMap;

use super::Product;
use super::check::similar_in_text;
use crate::RowProblem;

/// Which columns of a table hold what, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The text's, joined by line breaks in this order.
    pub text: Vec<usize>,
    /// The products' names; without, the line gives it.
    pub id: Option<usize>,
    /// The category.
    pub category: Option<usize>,
    /// The features.
    pub features: Vec<FeatureColumn>,
}

/// A column that holds the values of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureColumn {
    /// Its index.
    pub column: usize,
    /// What the table calls it.
    pub heading: String,
    /// What the dataset calls the feature.
    pub name: String,
}

/// What the caller wants of a table's columns, by their headings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// Headings of the text's columns.
    pub text: Vec<String>,
    /// Heading of the ids.
    pub id: Option<String>,
    /// Heading of the categories.
    pub category: Option<String>,
    /// Headings of the features; `None` for all columns that are nothing else.
    pub features: Option<Vec<String>>,
    /// Heading of a feature and the name that it gets.
    pub rename: Vec<(String, String)>,
}

/// Why columns cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// No column of this heading.
    #[error("no column named {heading:?}; there are {}", quoted(.columns))]
    NoSuchColumn {
        /// The heading asked for.
        heading: String,
        /// The headings there are.
        columns: Vec<String>,
    },
    /// A rename of a column that is no feature.
    #[error("{heading:?} is to be renamed and is none of the features: name it among them")]
    RenameOfNothing {
        /// The heading.
        heading: String,
    },
    /// Two features of one name.
    #[error("two features are called {name:?}: rename one of them")]
    DuplicateFeature {
        /// The name.
        name: String,
    },
    /// Every column is something else.
    #[error("no column is left for features; there are {}", quoted(.columns))]
    NoFeatures {
        /// The headings there are.
        columns: Vec<String>,
    },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

impl Export {
    /// Finds the columns in a table's `headings`: spelt just so, else in another case.
    ///
    /// # Errors
    /// [`ColumnError`].
    pub fn columns(&self, headings: &[String]) -> Result<Columns, ColumnError> {
        let find = |heading: &String| {
            find(headings, heading).ok_or_else(|| ColumnError::NoSuchColumn {
                heading: heading.clone(),
                columns: headings.to_vec(),
            })
        };
        let text = self.text.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let id = self.id.as_ref().map(find).transpose()?;
        let category = self.category.as_ref().map(find).transpose()?;
        let features: Vec<usize> = match &self.features {
            Some(features) => features.iter().map(find).collect::<Result<_, _>>()?,
            None => (0..headings.len())
                .filter(|column| !text.contains(column) && ![id, category].contains(&Some(*column)))
                .filter(|column| headings.get(*column).is_some_and(|heading| !heading.is_empty()))
                .collect(),
        };
        let features = self.named(&features, headings)?;
        if features.is_empty() {
            return Err(ColumnError::NoFeatures { columns: headings.to_vec() });
        }
        Ok(Columns { text, id, category, features })
    }

    /// The features' columns with their new names.
    fn named(
        &self,
        columns: &[usize],
        headings: &[String],
    ) -> Result<Vec<FeatureColumn>, ColumnError> {
        let mut features: Vec<FeatureColumn> = columns
            .iter()
            .filter_map(|&column| headings.get(column).map(|heading| (column, heading)))
            .map(|(column, heading)| FeatureColumn {
                column,
                heading: heading.clone(),
                name: heading.clone(),
            })
            .collect();
        for (heading, name) in &self.rename {
            let place = find(headings, heading);
            match features.iter_mut().find(|feature| Some(feature.column) == place) {
                Some(feature) => feature.name = name.trim().to_owned(),
                None => return Err(ColumnError::RenameOfNothing { heading: heading.clone() }),
            }
        }
        for (index, feature) in features.iter().enumerate() {
            if features.iter().take(index).any(|other| other.name == feature.name) {
                return Err(ColumnError::DuplicateFeature { name: feature.name.clone() });
            }
        }
        Ok(features)
    }
}

fn find(headings: &[String], heading: &str) -> Option<usize> {
    let exact = headings.iter().position(|other| other == heading);
    let lower = heading.to_lowercase();
    exact.or_else(|| headings.iter().position(|other| other.to_lowercase() == lower))
}

/// What becomes of a feature whose cell is not in the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is left out of the row: what the text says of it is not known.
    #[default]
    Drop,
    /// It is said to have no value in the text.
    Null,
}

/// One record of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Its cells.
    pub cells: Vec<String>,
}

/// A cell whose value the text does not hold as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}, column {heading:?}: {value:?} is not in the text{}",
    similar.as_ref().map(|similar| format!(" (it has {similar:?})")).unwrap_or_default()
)]
pub struct MissingValue {
    /// The line that the record begins in, from 1.
    pub line: usize,
    /// The column's heading.
    pub heading: String,
    /// The cell.
    pub value: String,
    /// What the text has instead, where only case or white space differ.
    pub similar: Option<String>,
}

/// Makes a product of a record. Empty cells are features without a value; a cell that says so in a word (`none`) is too.
/// Cells that the text does not hold are given back, and `missing` says what becomes of them.
///
/// # Errors
/// What is wrong with the row as a product.
pub fn product_of_record(
    record: &Record,
    columns: &Columns,
    missing: Missing,
) -> Result<(Product, Vec<MissingValue>), RowProblem> {
    let cell = |column: usize| record.cells.get(column).map_or("", |cell| cell.trim());
    let parts: Vec<&str> =
        columns.text.iter().map(|&c| cell(c)).filter(|part| !part.is_empty()).collect();
    let text = parts.join("\n");
    let mut features: IndexMap<String, Option<String>> = IndexMap::new();
    let mut missing_values = Vec::new();
    for FeatureColumn { column, heading, name } in &columns.features {
        let value = cell(*column);
        if value.is_empty() || value.eq_ignore_ascii_case("none") {
            features.insert(name.clone(), None);
        } else if text.contains(value) {
            features.insert(name.clone(), Some(value.to_owned()));
        } else {
            missing_values.push(MissingValue {
                line: record.line,
                heading: heading.clone(),
                value: value.to_owned(),
                similar: similar_in_text(&text, value),
            });
            if missing == Missing::Null {
                features.insert(name.clone(), None);
            }
        }
    }
    let id = columns.id.map(cell).filter(|id| !id.is_empty());
    let product = Product {
        id: id.map_or_else(|| format!("line-{}", record.line), str::to_owned),
        category: columns.category.map(cell).unwrap_or_default().to_owned(),
        text,
        features,
        scored: None,
        alternatives: IndexMap::new(),
        other_fields: IndexMap::new(),
    };
    product.validate()?;
    Ok((product, missing_values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&item| item.to_owned()).collect()
    }

    fn export() -> Export {
        Export {
            text: strings(&["Title", "Body"]),
            id: Some("SKU".to_owned()),
            ..Export::default()
        }
    }

    fn headings() -> Vec<String> {
        strings(&["SKU", "Title", "Body", "color", "Size", ""])
    }

    fn record(cells: &[&str]) -> Record {
        Record { line: 5, cells: strings(cells) }
    }

    #[test]
    fn all_columns_that_are_nothing_else_are_features() {
        let columns = export().columns(&headings()).unwrap();
        let names: Vec<&str> = columns.features.iter().map(|f| f.name.as_str()).collect();
        assert_eq!((columns.text, columns.id, names), (vec![1, 2], Some(0), vec!["color", "Size"]));
    }

    #[test]
    fn features_are_chosen_and_renamed() {
        let export = Export {
            features: Some(strings(&["Color"])),
            rename: vec![("color".to_owned(), "Colour".to_owned())],
            ..export()
        };
        let columns = export.columns(&headings()).unwrap();
        assert_eq!(
            columns.features,
            [FeatureColumn { column: 3, heading: "color".to_owned(), name: "Colour".to_owned() }]
        );
    }

    #[test]
    fn faults_name_the_heading() {
        let error = |export: Export| export.columns(&headings()).unwrap_err().to_string();
        let text = Export { text: strings(&["Text"]), ..Export::default() };
        assert!(error(text).starts_with("no column named \"Text\"; there are \"SKU\", \"Title\""));
        let rename = |from: &str, to: &str| Export {
            rename: vec![(from.to_owned(), to.to_owned())],
            ..export()
        };
        assert!(error(rename("SKU", "Number")).contains("is none of the features"));
        assert!(error(rename("color", "Size")).contains("two features are called \"Size\""));
        let all_text = Export { text: headings(), ..Export::default() };
        assert!(error(all_text).starts_with("no column is left"));
    }

    #[test]
    fn cells_must_stand_in_the_text() {
        let columns = export().columns(&headings()).unwrap();
        let record = record(&["7", "Red shoe", "Soft.", "red", "42"]);
        let (product, missing) = product_of_record(&record, &columns, Missing::Null).unwrap();
        assert_eq!((product.id.as_str(), product.text.as_str()), ("7", "Red shoe\nSoft."));
        assert!(product.features.values().all(Option::is_none) && product.features.len() == 2);
        let messages: Vec<String> = missing.iter().map(MissingValue::to_string).collect();
        assert_eq!(
            messages,
            [
                "line 5, column \"color\": \"red\" is not in the text (it has \"Red\")",
                "line 5, column \"Size\": \"42\" is not in the text"
            ]
        );
        // Dropped, nothing is left to ask.
        assert!(product_of_record(&record, &columns, Missing::Drop).is_err());
    }

    #[test]
    fn empty_cells_have_no_value_and_short_records_end_early() {
        let columns = export().columns(&headings()).unwrap();
        let (product, missing) =
            product_of_record(&record(&["", " Red shoe ", "", "Red"]), &columns, Missing::Drop)
                .unwrap();
        assert_eq!((product.id.as_str(), product.text.as_str()), ("line-5", "Red shoe"));
        assert_eq!(product.features["color"].as_deref(), Some("Red"));
        assert_eq!((product.features["Size"].as_ref(), missing.len()), (None, 0));
        let blank = product_of_record(&record(&["1", " "]), &columns, Missing::Drop).unwrap_err();
        assert!(blank.to_string().contains("text is empty"));
    }
}
