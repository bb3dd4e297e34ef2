//! Which columns hold the product's text, by their names and by what is in them.

use serde_json::Value;

use crate::Products;

/// Names of columns that are the whole text.
const WHOLE: [&str; 4] = ["text", "product text", "producttekst", "tekst"];

/// Names, or their beginnings, of columns with a title.
const TITLES: [&str; 8] =
    ["title", "name", "product name", "product title", "titel", "naam", "productnaam", "product"];

/// Beginnings of names of columns with a description.
const DESCRIPTIONS: [&str; 9] = [
    "description",
    "product description",
    "long description",
    "body",
    "details",
    "omschrijving",
    "productomschrijving",
    "beschrijving",
    "beschreibung",
];

/// Rows whose lengths decide where names say nothing.
const SAMPLE: usize = 100;

impl Products {
    /// The columns to read, in the order to join them: a column of texts, or title and description, or else the one
    /// with the longest cells. Empty only without columns.
    pub fn likely_text_columns(&self) -> Vec<String> {
        let find = |is_it: &dyn Fn(&str) -> bool| {
            self.columns.iter().find(|column| is_it(&plain(column))).cloned()
        };
        if let Some(whole) = find(&|name| WHOLE.contains(&name)) {
            return vec![whole];
        }
        let title = find(&|name| TITLES.contains(&name));
        let starts = |name: &str| DESCRIPTIONS.iter().any(|start| name.starts_with(start));
        let description = find(&|name| DESCRIPTIONS.contains(&name)).or_else(|| find(&starts));
        if title.is_none() && description.is_none() {
            return self.longest().into_iter().collect();
        }
        title.into_iter().chain(description).collect()
    }

    fn longest(&self) -> Option<String> {
        let length = |column: &&String| -> usize {
            let rows = self.rows.iter().take(SAMPLE);
            rows.filter_map(|row| row.fields.get(*column).and_then(Value::as_str))
                .map(str::len)
                .sum()
        };
        // The first of equals, so the last from behind.
        self.columns.iter().rev().max_by_key(length).cloned()
    }
}

/// A name without the differences of spelling between shop systems.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likely(csv: &str) -> Vec<String> {
        Products::from_csv(csv.as_bytes()).unwrap().likely_text_columns()
    }

    #[test]
    fn title_and_description_are_joined() {
        assert_eq!(likely("Handle,Title,Body (HTML),Vendor\na,b,c,d\n"), ["Title", "Body (HTML)"]);
        assert_eq!(likely("id,product_name,price\n1,b,3\n"), ["product_name"]);
        assert_eq!(likely("naam;Omschrijving\na;b\n"), ["naam", "Omschrijving"]);
    }

    #[test]
    fn a_column_of_texts_is_enough() {
        assert_eq!(likely("id,title,text\n1,b,c\n"), ["text"]);
    }

    #[test]
    fn the_longest_cells_decide_where_names_do_not() {
        assert_eq!(likely("a,b,c\n1,a long cell,x\n"), ["b"]);
        assert_eq!(likely("a,b\n1,2\n"), ["a"]);
    }
}
