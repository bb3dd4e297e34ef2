//! The feature list as rows: each feature's name and kind, with the unit or the choices of its kind. The plain text of the
//! list is another view of the same: it says which features are asked and in which order, and a kind belongs to a name.

use std::collections::{HashMap, HashSet};

use hangtag_task::{Feature, Kind, MAX_NAME_CHARS};

/// The kinds, in the order in which they are offered.
pub const KINDS: [Kind; 5] = [Kind::Span, Kind::Number, Kind::Choice, Kind::Boolean, Kind::Free];

/// A kind as the value of an option.
pub fn kind_value(kind: Kind) -> &'static str {
    match kind {
        Kind::Span => "span",
        Kind::Number => "number",
        Kind::Choice => "choice",
        Kind::Boolean => "boolean",
        Kind::Free => "free",
    }
}

/// The kind of an option's value.
pub fn kind_of_value(value: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind_value(*kind) == value)
}

/// One feature, as it is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureRow {
    /// Tells it from the others, whatever it is called and wherever it stands.
    pub id: u32,
    /// Its name; without one it is not asked.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The unit of a number; may be empty.
    pub unit: String,
    /// The choices, separated by commas, or by semicolons where there is one.
    pub choices: String,
    description: Option<String>,
}

impl FeatureRow {
    fn new(id: u32, feature: &Feature) -> Self {
        Self {
            id,
            name: one_name(&feature.name),
            kind: feature.kind,
            unit: feature.unit.clone().unwrap_or_default(),
            choices: join_choices(&feature.choices),
            description: feature.description.clone(),
        }
    }

    /// The feature. What another kind would have stays in the row, for when the kind changes back.
    pub fn feature(&self) -> Feature {
        let unit = Some(self.unit.trim()).filter(|unit| !unit.is_empty());
        Feature {
            name: self.name.trim().to_owned(),
            kind: self.kind,
            choices: match self.kind {
                Kind::Choice => split_choices(&self.choices),
                _ => Vec::new(),
            },
            unit: unit.filter(|_| self.kind == Kind::Number).map(str::to_owned),
            description: self.description.clone(),
        }
    }
}

/// What is to be mended in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has no name.
    NoName,
    /// A row above has its name.
    Twice,
    /// Its name has more than [`MAX_NAME_CHARS`] characters.
    LongName,
    /// It is a choice among nothing.
    NoChoices,
    /// It has this choice more than once.
    ChoiceTwice(String),
}

impl Fault {
    /// Whether nothing can be asked before it is mended; a row without a name is only passed over.
    pub fn is_in_the_way(&self) -> bool {
        *self != Self::NoName
    }
}

/// The rows, and what is remembered of features that were there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureList {
    rows: Vec<FeatureRow>,
    /// With a kind of their own, so that they have it again when their name is written again.
    gone: Vec<Feature>,
    next_id: u32,
}

impl FeatureList {
    /// A row for each feature.
    pub fn new(features: &[Feature]) -> Self {
        let mut list = Self::default();
        for feature in features {
            let row = FeatureRow::new(list.new_id(), feature);
            list.rows.push(row);
        }
        list
    }

    /// The features of a text; those of `known` have its kinds.
    pub fn of_text(text: &str, known: Vec<Feature>) -> Self {
        let mut list = Self { gone: known, ..Self::default() };
        list.read(text);
        list
    }

    /// The rows in their order.
    pub fn rows(&self) -> &[FeatureRow] {
        &self.rows
    }

    /// The row of this id.
    pub fn row(&self, id: u32) -> Option<&FeatureRow> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Where the row of this id stands.
    pub fn place(&self, id: u32) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id)
    }

    /// Brings the rows in line with the text. A text that names what the rows name changes nothing, not even rows that
    /// have no place in a text.
    pub fn read(&mut self, text: &str) {
        if self.is_named_by(text) {
            return;
        }
        let mut before: HashMap<String, Vec<FeatureRow>> = HashMap::new();
        for row in std::mem::take(&mut self.rows).into_iter().rev() {
            before.entry(row.name.trim().to_owned()).or_default().push(row);
        }
        for name in names_of(text) {
            let row = before.get_mut(name).and_then(Vec::pop);
            let row = row.unwrap_or_else(|| self.fresh(name));
            self.rows.push(row);
        }
        before.into_values().flatten().for_each(|row| self.remember(&row));
    }

    /// Whether a text names what the rows name, in their order.
    pub fn is_named_by(&self, text: &str) -> bool {
        self.names().eq(names_of(text))
    }

    /// The list as a text, with lines where `before` had them in place of commas.
    pub fn text(&self, before: &str) -> String {
        let has_lines = before.contains('\n') && !before.contains(',');
        self.names().collect::<Vec<_>>().join(if has_lines { "\n" } else { ", " })
    }

    /// The features of the rows that have a name, and behind them those that are remembered.
    pub fn features(&self) -> Vec<Feature> {
        let names: HashSet<&str> = self.names().collect();
        let gone = self.gone.iter().filter(|feature| !names.contains(feature.name.as_str()));
        let named = self.rows.iter().filter(|row| !row.name.trim().is_empty());
        named.map(FeatureRow::feature).chain(gone.cloned()).collect()
    }

    /// Those of [`Self::features`] that are more than a name.
    pub fn kinds(&self) -> Vec<Feature> {
        self.features().into_iter().filter(|feature| !is_plain(feature)).collect()
    }

    /// The names of the rows that are more than words of the text.
    pub fn names_with_kind(&self) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row.kind != Kind::Span);
        rows.map(|row| row.name.trim()).filter(|name| !name.is_empty()).collect()
    }

    /// Changes a row's kind, unit or choices.
    pub fn change(&mut self, id: u32, change: impl FnOnce(&mut FeatureRow)) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id == id) {
            change(row);
        }
    }

    /// Gives a row a name. Names behind commas become rows of their own behind it; the last of these is returned.
    pub fn rename(&mut self, id: u32, name: &str) -> Option<u32> {
        let mut place = self.place(id)?;
        let mut names: Vec<&str> = name.split(',').collect();
        let is_open = names.len() > 1 && names.last().is_some_and(|name| name.trim().is_empty());
        if names.len() > 1 {
            names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
        }
        self.rows[place].name = names.first().copied().unwrap_or_default().to_owned();
        let more =
            names.iter().skip(1).copied().chain((is_open && !names.is_empty()).then_some(""));
        let mut last = None;
        for name in more {
            let row = self.fresh(name);
            (place, last) = (place + 1, Some(row.id));
            self.rows.insert(place, row);
        }
        last
    }

    /// Adds a row without a name, behind another or at the end. Returns its id.
    pub fn add(&mut self, behind: Option<u32>) -> u32 {
        let place = behind.and_then(|id| self.place(id)).map_or(self.rows.len(), |place| place + 1);
        let row = self.fresh("");
        let id = row.id;
        self.rows.insert(place, row);
        id
    }

    /// Takes a row out. Returns the id of the one that has its place, or else of the last.
    pub fn remove(&mut self, id: u32) -> Option<u32> {
        let place = self.place(id)?;
        let row = self.rows.remove(place);
        self.remember(&row);
        self.rows.get(place).or(self.rows.last()).map(|row| row.id)
    }

    /// Moves a row by one place. Returns its new place, or nothing where there is none to move to.
    pub fn shift(&mut self, id: u32, is_up: bool) -> Option<usize> {
        let place = self.place(id)?;
        let other = if is_up { place.checked_sub(1)? } else { place + 1 };
        if other >= self.rows.len() {
            return None;
        }
        self.rows.swap(place, other);
        Some(other)
    }

    /// What is to be mended, by the ids of the rows.
    pub fn faults(&self) -> HashMap<u32, Fault> {
        let mut names = HashSet::with_capacity(self.rows.len());
        let faults = self.rows.iter().filter_map(|row| {
            let name = row.name.trim();
            let fault = if name.is_empty() {
                Some(Fault::NoName)
            } else if !names.insert(name) {
                Some(Fault::Twice)
            } else if name.chars().count() > MAX_NAME_CHARS {
                Some(Fault::LongName)
            } else {
                fault_of_choices(row)
            };
            fault.map(|fault| (row.id, fault))
        });
        faults.collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.name.trim()).filter(|name| !name.is_empty())
    }

    fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    fn fresh(&mut self, name: &str) -> FeatureRow {
        let known = self.gone.iter().position(|feature| feature.name == name);
        let feature =
            known.map_or_else(|| Feature::new(name), |place| self.gone.swap_remove(place));
        FeatureRow::new(self.new_id(), &feature)
    }

    fn remember(&mut self, row: &FeatureRow) {
        let feature = row.feature();
        self.gone.retain(|gone| gone.name != feature.name);
        if !feature.name.is_empty() && !is_plain(&feature) {
            self.gone.push(feature);
        }
    }
}

fn is_plain(feature: &Feature) -> bool {
    *feature == Feature::new(&feature.name)
}

fn names_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty())
}

/// A name without the commas that would make two of it in the text of the list.
fn one_name(name: &str) -> String {
    names_of(name).collect::<Vec<_>>().join(" ")
}

fn split_choices(text: &str) -> Vec<String> {
    let separator = if text.contains(';') { ';' } else { ',' };
    let choices = text.split(separator).map(str::trim).filter(|choice| !choice.is_empty());
    choices.map(str::to_owned).collect()
}

fn join_choices(choices: &[String]) -> String {
    match choices {
        [one] if one.contains(',') => format!("{one};"),
        choices if choices.iter().any(|choice| choice.contains(',')) => choices.join("; "),
        choices => choices.join(", "),
    }
}

fn fault_of_choices(row: &FeatureRow) -> Option<Fault> {
    if row.kind != Kind::Choice {
        return None;
    }
    let choices = split_choices(&row.choices);
    if choices.is_empty() {
        return Some(Fault::NoChoices);
    }
    let mut seen = HashSet::with_capacity(choices.len());
    let twice = choices.into_iter().find(|choice| !seen.insert(choice.to_lowercase()));
    twice.map(Fault::ChoiceTwice)
}

#[cfg(test)]
mod tests {
    use hangtag_task::{parse_feature_list, presets, validate_features};

    use super::*;
    use crate::ask::asked_features;

    fn list(text: &str) -> FeatureList {
        FeatureList::of_text(text, Vec::new())
    }

    fn id(list: &FeatureList, name: &str) -> u32 {
        list.rows().iter().find(|row| row.name == name).unwrap().id
    }

    fn names(list: &FeatureList) -> Vec<&str> {
        list.rows().iter().map(|row| row.name.as_str()).collect()
    }

    fn set_number(list: &mut FeatureList, name: &str, unit: &str) {
        let id = id(list, name);
        list.change(id, |row| (row.kind, row.unit) = (Kind::Number, unit.to_owned()));
    }

    #[test]
    fn every_preset_is_the_same_as_rows_and_as_text_with_kinds() {
        for preset in presets() {
            let list = FeatureList::new(&preset.features);
            assert_eq!(list.features(), preset.features, "{}", preset.name);
            assert!(list.faults().is_empty(), "{}", preset.name);
            let asked = asked_features(&list.text(""), &list.features()).unwrap();
            assert_eq!(asked, preset.features, "{}", preset.name);
            // As the browser remembers it.
            let again = FeatureList::of_text(&list.text(""), list.kinds());
            assert_eq!(again.features(), preset.features, "{}", preset.name);
        }
    }

    #[test]
    fn a_kind_belongs_to_a_name_however_the_text_is_changed() {
        let mut list = list("Brand, Weight, Color");
        set_number(&mut list, "Weight", " kg ");
        for text in ["Weight\nBrand", "Brand", "Brand, Weigh", "Brand, Weight, Size"] {
            list.read(text);
        }
        assert_eq!(names(&list), ["Brand", "Weight", "Size"]);
        let features = list.features();
        assert_eq!((features[1].kind, features[1].unit.as_deref()), (Kind::Number, Some("kg")));
        assert!(features.iter().filter(|feature| !is_plain(feature)).count() == 1);
        assert_eq!(list.names_with_kind(), ["Weight"]);
    }

    #[test]
    fn a_text_that_names_the_same_leaves_all_rows_as_they_are() {
        let mut list = list("Brand, Size");
        let blank = list.add(Some(id(&list, "Brand")));
        let twice = list.add(None);
        list.rename(twice, "Size ");
        list.change(twice, |row| row.kind = Kind::Free);
        let before = list.clone();
        assert_eq!(list.text("a, b"), "Brand, Size, Size");
        list.read(&list.text("a, b"));
        assert_eq!(list, before);
        assert_eq!(list.faults()[&blank], Fault::NoName);
        assert_eq!(list.faults()[&twice], Fault::Twice);
        assert_eq!(list.faults().len(), 2);
        assert_eq!(list.text("a\nb"), "Brand\nSize\nSize");
        assert!(!Fault::NoName.is_in_the_way() && Fault::Twice.is_in_the_way());
    }

    #[test]
    fn rows_are_added_moved_and_taken_out() {
        let mut list = list("A, B, C");
        let [a, b, c] = ["A", "B", "C"].map(|name| id(&list, name));
        assert_eq!(list.shift(a, true), None);
        assert_eq!(list.shift(c, false), None);
        assert_eq!(list.shift(c, true), Some(1));
        assert_eq!(list.text(""), "A, C, B");
        assert_eq!(list.remove(c), Some(b));
        assert_eq!(list.remove(b), Some(a));
        assert_eq!(list.remove(b), None);
        assert_eq!(list.remove(a), None);
        let first = list.add(None);
        assert_eq!(list.rename(first, "Size, "), list.rows().last().map(|row| row.id));
        assert_eq!(names(&list), ["Size", ""]);
    }

    #[test]
    fn a_comma_in_a_name_begins_another_row() {
        let mut list = list("Brand, Weight, End");
        set_number(&mut list, "Weight", "g");
        let weight = id(&list, "Weight");
        list.remove(weight);
        let brand = id(&list, "Brand");
        assert_eq!(list.rename(brand, "Brand name"), None);
        let last = list.rename(brand, " Maker,, Weight").unwrap();
        assert_eq!(names(&list), ["Maker", "Weight", "End"]);
        assert_eq!(list.row(last).unwrap().kind, Kind::Number);
        list.remove(last);
        list.rename(brand, "Weight");
        assert!(list.kinds().is_empty(), "a row shows what it is, whatever was remembered");
        list.rename(brand, "Maker");
        let last = list.rename(brand, "Maker, Weight").unwrap();
        assert_eq!(list.row(last).unwrap().kind, Kind::Number);
        assert_eq!(list.rename(last, ","), None);
        assert_eq!(names(&list), ["Maker", "", "End"]);
        let feature = Feature::new("Size, EU");
        assert_eq!(FeatureList::new(&[feature]).text(""), "Size EU");
    }

    #[test]
    fn choices_are_read_and_written() {
        let mut list = list("Fit");
        let fit = id(&list, "Fit");
        list.change(fit, |row| row.kind = Kind::Choice);
        assert_eq!(list.faults()[&fit], Fault::NoChoices);
        for (text, choices) in [
            ("slim,  regular ,", vec!["slim", "regular"]),
            ("S, M; L, XL", vec!["S, M", "L, XL"]),
            ("S, M;", vec!["S, M"]),
        ] {
            list.change(fit, |row| row.choices = text.to_owned());
            let features = list.features();
            assert_eq!(features[0].choices, choices);
            validate_features(&features).unwrap();
            assert_eq!(FeatureList::new(&features).features(), features);
        }
        list.change(fit, |row| row.choices = "slim, Slim".to_owned());
        assert_eq!(list.faults()[&fit], Fault::ChoiceTwice("Slim".to_owned()));
        // Of another kind it has no choices, and its own again when the kind changes back.
        list.change(fit, |row| row.kind = Kind::Boolean);
        assert!(list.features()[0].choices.is_empty() && list.faults().is_empty());
        list.change(fit, |row| (row.kind, row.choices) = (Kind::Choice, "a".to_owned()));
        assert_eq!(list.features()[0].choices, ["a"]);
    }

    #[test]
    fn long_names_are_named_and_kinds_have_values() {
        let long = list(&"x".repeat(MAX_NAME_CHARS + 1));
        assert!(long.faults().values().eq([&Fault::LongName]));
        for kind in KINDS {
            assert_eq!(kind_of_value(kind_value(kind)), Some(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("{:?}", kind_value(kind)));
        }
        assert_eq!(kind_of_value("colour"), None);
        let plain = parse_feature_list("A, B").unwrap();
        assert!(FeatureList::new(&plain).kinds().is_empty());
    }
}
