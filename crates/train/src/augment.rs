//! Changes to products that make an adapter fit shops it never saw: other names for features, names that the text does not
//! answer, lines lost or moved. Drawn anew for each epoch.

use hangtag_task::Product;
use indexmap::IndexMap;

use crate::config::{AugmentSettings, DataSettings};
use crate::rng::Rng;

/// Names for the same thing; any of a line may stand for another of it.
const SYNONYMS: &[&[&str]] = &[
    &["Brand", "Brand name", "Manufacturer", "Make", "Vendor", "Label"],
    &["Color", "Colour", "Color name", "Colourway", "Shade"],
    &["Material", "Made of", "Main material", "Materials"],
    &["Weight", "Item weight", "Product weight", "Mass"],
    &["Model", "Model name", "Model no.", "Product model"],
    &["Size", "Item size", "Product size"],
    &["Gender", "Target gender", "For whom", "Department"],
    &["Type", "Product type", "Item type", "Kind"],
    &["Flavor", "Flavour", "Taste"],
    &["Scent", "Fragrance", "Smell"],
    &["Pack size", "Pack quantity", "Count", "Number of items", "Quantity per pack"],
    &["Net content", "Net contents", "Net quantity", "Contents"],
    &["Age", "Age group", "Age range", "Suitable age"],
    &["Form", "Item form", "Dosage form"],
    &["Screen size", "Display size", "Screen diagonal"],
    &["Resolution", "Display resolution", "Image resolution"],
    &["Voltage", "Supply voltage", "Input voltage", "Operating voltage"],
    &["Power", "Wattage", "Power consumption", "Rated power"],
    &["Length", "Total length", "Overall length"],
    &["Country of origin", "Made in", "Origin"],
    &["Warranty", "Guarantee", "Warranty period"],
    &["Dimensions", "Measurements", "Product dimensions"],
    &["Pattern", "Design", "Print"],
    &["Closure", "Closure type", "Fastening"],
    &["Style", "Fashion style"],
    &["Season", "Suitable season"],
    &["Sport", "Sport type", "Activity"],
    &["Special feature", "Special features", "Feature"],
];

/// Names of features with the categories that use them.
pub(crate) type ForeignNames = Vec<(String, Vec<String>)>;

/// Every feature name of `products` with its categories.
pub(crate) fn foreign_names(products: &[Product]) -> ForeignNames {
    let mut names: IndexMap<String, Vec<String>> = IndexMap::new();
    for product in products {
        for name in product.features.keys() {
            let categories = names.entry(name.clone()).or_default();
            if !categories.contains(&product.category) {
                categories.push(product.category.clone());
            }
        }
    }
    names.into_iter().collect()
}

/// A product as one epoch trains on it.
pub(crate) fn augmented(
    product: &Product,
    settings: &AugmentSettings,
    data: &DataSettings,
    foreign: &ForeignNames,
    rng: &mut Rng,
) -> Product {
    let mut product = product.clone();
    if data.verbatim_only {
        let text = product.text.clone();
        product
            .features
            .retain(|_, value| value.as_ref().is_none_or(|value| text.contains(value.as_str())));
    }
    if rng.uniform() < settings.shuffle_lines {
        product.text = shuffled(&product.text, rng);
    }
    if rng.uniform() < settings.drop_lines {
        drop_line(&mut product, rng);
    }
    add_foreign(&mut product, settings.foreign_features, foreign, rng);
    balance(&mut product, data.none_share, rng);
    let features = std::mem::take(&mut product.features);
    for (name, value) in features {
        let name = renamed(&name, settings, rng);
        product.features.entry(name).or_insert(value);
    }
    product
}

/// The parts of a text that may move: its lines, or its sentences when it is one line.
fn parts(text: &str) -> (Vec<&str>, &'static str) {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() > 1 { (lines, "\n") } else { (text.split_inclusive(". ").collect(), "") }
}

/// The first part is the title and stays.
fn shuffled(text: &str, rng: &mut Rng) -> String {
    let (mut parts, between) = parts(text);
    if let Some(rest) = parts.get_mut(1..) {
        rng.shuffle(rest);
    }
    parts.join(between)
}

/// Takes one part out; values that stood only there become none.
fn drop_line(product: &mut Product, rng: &mut Rng) {
    let (mut parts, between) = parts(&product.text);
    if parts.len() < 3 {
        return;
    }
    parts.remove(1 + rng.below(parts.len() - 1));
    let text = parts.join(between);
    for value in product.features.values_mut() {
        let lost = value.as_ref().is_some_and(|value| {
            product.text.contains(value.as_str()) && !text.contains(value.as_str())
        });
        if lost {
            *value = None;
        }
    }
    product.text = text;
}

/// Adds features that other categories use and this product's does not, with the answer none.
fn add_foreign(product: &mut Product, mean: f32, foreign: &ForeignNames, rng: &mut Rng) {
    if foreign.is_empty() || mean == 0.0 {
        return;
    }
    let count = (mean * 2.0 * rng.uniform()).round() as usize;
    let text = product.text.to_lowercase();
    for _ in 0..count {
        let (name, categories) = &foreign[rng.below(foreign.len())];
        // A name whose words stand in the text may well be answered there.
        let mentioned = name
            .to_lowercase()
            .split_whitespace()
            .any(|word| word.len() > 3 && text.contains(word));
        let common = categories.len() > 2 || categories.contains(&product.category);
        if !common && !mentioned {
            product.features.entry(name.clone()).or_insert(None);
        }
    }
}

/// Leaves out features without a value, by chance, until they are at most `share` of all.
fn balance(product: &mut Product, share: f32, rng: &mut Rng) {
    let none: Vec<String> = product
        .features
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let valued = product.features.len() - none.len();
    if share >= 1.0 || valued == 0 {
        return;
    }
    let keep = (valued as f32 * share / (1.0 - share)).round() as usize;
    let mut drop = none;
    rng.shuffle(&mut drop);
    for name in drop.iter().skip(keep) {
        product.features.shift_remove(name);
    }
}

fn renamed(name: &str, settings: &AugmentSettings, rng: &mut Rng) -> String {
    let mut name = name.to_owned();
    if rng.uniform() < settings.synonyms
        && let Some(line) =
            SYNONYMS.iter().find(|line| line.iter().any(|other| other.eq_ignore_ascii_case(&name)))
    {
        name = line[rng.below(line.len())].to_owned();
    }
    if rng.uniform() < settings.name_style {
        name = match rng.below(4) {
            0 => name.to_lowercase(),
            1 => name.to_uppercase(),
            2 => name.to_lowercase().replace([' ', '-'], "_"),
            _ => title_case(&name),
        };
    }
    name
}

fn title_case(name: &str) -> String {
    let words = name.split(' ').map(|word| {
        let mut characters = word.chars();
        characters
            .next()
            .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
    });
    words.collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrainConfig;

    fn product() -> Product {
        Product::from_json(
            r#"{"id":"1","category":"Shoes","text":"Red shoe\nSize 42\nMade of leather\nBy Acme","features":{"Color":"Red","Size":"42","Brand":"Acme","Weight":null,"Sole":null,"Width":null}}"#,
        )
        .unwrap()
    }

    fn changed(change: impl Fn(&mut AugmentSettings, &mut DataSettings), seed: u64) -> Product {
        let config = TrainConfig::default();
        let (mut settings, mut data) = (config.augment, config.data);
        change(&mut settings, &mut data);
        let foreign = vec![
            ("Pile height".to_owned(), vec!["Rugs".to_owned()]),
            ("Leather care".to_owned(), vec!["Rugs".to_owned()]),
        ];
        augmented(&product(), &settings, &data, &foreign, &mut Rng::new(seed))
    }

    #[test]
    fn without_settings_nothing_changes() {
        assert_eq!(changed(|_, _| (), 1), product());
    }

    #[test]
    fn lines_move_behind_the_title_and_no_value_is_lost() {
        let shuffled: Vec<Product> =
            (0..8).map(|seed| changed(|a, _| a.shuffle_lines = 1.0, seed)).collect();
        assert!(shuffled.iter().any(|p| p.text != product().text));
        for p in &shuffled {
            assert!(p.text.starts_with("Red shoe\n"));
            assert_eq!(p.features, product().features);
        }
    }

    #[test]
    fn a_lost_line_takes_its_values_along() {
        for seed in 0..12 {
            let p = changed(|a, _| a.drop_lines = 1.0, seed);
            assert_eq!(p.text.lines().count(), 3);
            for (name, value) in &p.features {
                let held = product().features[name]
                    .clone()
                    .filter(|value| p.text.contains(value.as_str()));
                assert_eq!(*value, held, "{name}");
            }
        }
    }

    #[test]
    fn foreign_names_are_asked_unless_the_text_mentions_them() {
        let names: Vec<String> = (0..20)
            .flat_map(|seed| changed(|a, _| a.foreign_features = 4.0, seed).features.into_iter())
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name)
            .collect();
        assert!(names.iter().any(|name| name == "Pile height"));
        assert!(!names.iter().any(|name| name == "Leather care"));
    }

    #[test]
    fn the_share_without_value_is_as_set() {
        let p = changed(|_, d| d.none_share = 0.25, 3);
        assert_eq!(p.features.values().filter(|value| value.is_none()).count(), 1);
        assert_eq!(p.features.values().filter(|value| value.is_some()).count(), 3);
    }

    #[test]
    fn names_change_and_values_stay() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let p = changed(|a, _| (a.synonyms, a.name_style) = (1.0, 0.5), seed);
            let (name, value) = p.features.get_index(0).unwrap();
            assert_eq!(value.as_deref(), Some("Red"));
            seen.insert(name.clone());
        }
        assert!(seen.contains("Colour") && seen.len() > 4, "{seen:?}");
    }
}
