use indexmap::IndexMap;
use serde::Serialize;

use super::Product;

/// Figures of a list of products.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Products.
    pub rows: usize,
    /// Pairs of product and feature.
    pub pairs: usize,
    /// Share of the pairs without a value.
    pub none_share: f64,
    /// Lengths of the texts in Unicode characters.
    pub text_chars: Lengths,
    /// Lengths of the texts in words.
    pub text_words: Lengths,
    /// Lengths of the values in Unicode characters.
    pub value_chars: Lengths,
    /// Per category, the largest first.
    pub categories: Vec<CategoryStats>,
    /// Per feature's name, the most common first.
    pub features: Vec<FeatureStats>,
}

/// Figures of one category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryStats {
    /// Its name.
    pub name: String,
    /// Products.
    pub rows: usize,
    /// Different names of features.
    pub features: usize,
    /// Pairs of product and feature.
    pub pairs: usize,
    /// Share of the pairs without a value.
    pub none_share: f64,
    /// Median length of a text in Unicode characters.
    pub median_text_chars: usize,
}

/// Figures of the features of one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureStats {
    /// The name.
    pub name: String,
    /// Products that have it.
    pub rows: usize,
    /// Share of them without a value.
    pub none_share: f64,
    /// Different values.
    pub values: usize,
}

/// How long things are. All 0 where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub min: usize,
    /// Half are not longer.
    pub median: usize,
    /// 95 of 100 are not longer.
    pub p95: usize,
    /// The longest.
    pub max: usize,
}

impl FromIterator<usize> for Lengths {
    fn from_iter<I: IntoIterator<Item = usize>>(lengths: I) -> Self {
        let mut sorted: Vec<usize> = lengths.into_iter().collect();
        sorted.sort_unstable();
        // The smallest that a share of all does not exceed (nearest rank).
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or_default()
        };
        Self { min: at(0), median: at(50), p95: at(95), max: at(100) }
    }
}

/// Counts what a list of products holds.
pub fn stats(products: &[Product]) -> Stats {
    let all: Vec<&Product> = products.iter().collect();
    let mut by_category: IndexMap<&str, Vec<&Product>> = IndexMap::new();
    for product in products {
        by_category.entry(&product.category).or_default().push(product);
    }
    let mut categories: Vec<CategoryStats> =
        by_category.iter().map(|(name, products)| category_stats(name, products)).collect();
    categories.sort_by_key(|category| std::cmp::Reverse(category.rows));
    let values = || products.iter().flat_map(|product| product.features.values().flatten());
    Stats {
        rows: products.len(),
        pairs: pairs(&all),
        none_share: none_share(&all),
        text_chars: products.iter().map(|product| product.text.chars().count()).collect(),
        text_words: products
            .iter()
            .map(|product| product.text.split_whitespace().count())
            .collect(),
        value_chars: values().map(|value| value.chars().count()).collect(),
        categories,
        features: feature_stats(products),
    }
}

fn category_stats(name: &str, products: &[&Product]) -> CategoryStats {
    let mut names: Vec<&String> =
        products.iter().flat_map(|product| product.features.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let lengths: Lengths = products.iter().map(|product| product.text.chars().count()).collect();
    CategoryStats {
        name: name.to_owned(),
        rows: products.len(),
        features: names.len(),
        pairs: pairs(products),
        none_share: none_share(products),
        median_text_chars: lengths.median,
    }
}

fn feature_stats(products: &[Product]) -> Vec<FeatureStats> {
    let mut by_name: IndexMap<&str, Vec<Option<&str>>> = IndexMap::new();
    for (name, value) in products.iter().flat_map(|product| &product.features) {
        by_name.entry(name).or_default().push(value.as_deref());
    }
    let mut features: Vec<FeatureStats> = by_name
        .into_iter()
        .map(|(name, all)| {
            let mut values: Vec<&str> = all.iter().copied().flatten().collect();
            let none_share = share(all.len() - values.len(), all.len());
            values.sort_unstable();
            values.dedup();
            FeatureStats {
                name: name.to_owned(),
                rows: all.len(),
                none_share,
                values: values.len(),
            }
        })
        .collect();
    features.sort_by_key(|feature| std::cmp::Reverse(feature.rows));
    features
}

fn pairs(products: &[&Product]) -> usize {
    products.iter().map(|product| product.features.len()).sum()
}

fn none_share(products: &[&Product]) -> f64 {
    let values = products.iter().flat_map(|product| product.features.values());
    share(values.filter(|value| value.is_none()).count(), pairs(products))
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_counted_by_hand() {
        let product = |id: &str, category: &str, text: &str, features: &str| {
            let json = format!(
                r#"{{"id":"{id}","category":"{category}","text":"{text}","features":{features}}}"#
            );
            Product::from_json(&json).unwrap()
        };
        let products = [
            product("1", "Lamps", "LED lamp", r#"{"Bulb":"LED"}"#),
            product("2", "Shoes", "Red shoe 42", r#"{"Color":"Red","Size":"42","Brand":null}"#),
            product("3", "Shoes", "Red", r#"{"Color":"Red","Brand":null}"#),
        ];
        let stats = stats(&products);
        assert_eq!((stats.rows, stats.pairs, stats.none_share), (3, 6, 2.0 / 6.0));
        assert_eq!(stats.text_chars, Lengths { min: 3, median: 8, p95: 11, max: 11 });
        assert_eq!(stats.text_words.max, 3);
        assert_eq!(stats.categories[0].name, "Shoes");
        assert_eq!((stats.categories[0].features, stats.categories[0].none_share), (3, 0.4));
        let color = &stats.features[0];
        assert_eq!(
            (color.name.as_str(), color.rows, color.values, color.none_share),
            ("Color", 2, 1, 0.0)
        );
        assert_eq!(stats.features[1].none_share, 1.0);
    }

    #[test]
    fn nothing_is_zero() {
        assert_eq!((stats(&[]).none_share, stats(&[]).text_chars), (0.0, Lengths::default()));
        let hundred: Lengths = (1..=100).collect();
        assert_eq!(hundred, Lengths { min: 1, median: 50, p95: 95, max: 100 });
    }
}
