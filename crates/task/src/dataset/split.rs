use std::collections::BTreeMap;

use super::random::Random;
use super::{Product, near_pairs};

/// Shares of the products that are set aside; the rest is for training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    validation: f64,
    test: f64,
}

/// Shares that leave nothing to train on, or are none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "validation {validation} and test {test}: both must be 0 or more, and together less than 1, e.g. 0.1 and 0.15"
)]
pub struct ShareError {
    /// Share for validation.
    pub validation: f64,
    /// Share for the test.
    pub test: f64,
}

impl Shares {
    /// Shares from 0 that sum up to less than 1.
    ///
    /// # Errors
    /// [`ShareError`].
    pub fn new(validation: f64, test: f64) -> Result<Self, ShareError> {
        if validation >= 0.0 && test >= 0.0 && validation + test < 1.0 {
            Ok(Self { validation, test })
        } else {
            Err(ShareError { validation, test })
        }
    }
}

/// Indices of products, each side in the order of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// To train on.
    pub train: Vec<usize>,
    /// To choose settings by.
    pub validation: Vec<usize>,
    /// To measure with, once.
    pub test: Vec<usize>,
}

/// Splits products at random so that every category is split in the same proportion and products with nearly the same
/// text ([`near_pairs`]) stay together. The same for the same list and seed.
pub fn split(products: &[Product], shares: Shares, seed: u64) -> Split {
    let mut split = Split::default();
    for group in in_random_order(groups(products), products, seed) {
        side(&mut split, shares, group.len()).extend(group);
    }
    for side in [&mut split.train, &mut split.validation, &mut split.test] {
        side.sort_unstable();
    }
    split
}

/// The side that would lack most once `more` products are added. Going through the categories one after the other, it
/// gives each category its shares, and what rounding leaves over goes to the next.
fn side(split: &mut Split, shares: Shares, more: usize) -> &mut Vec<usize> {
    let Split { train, validation, test } = split;
    let total = (train.len() + validation.len() + test.len() + more) as f64;
    let lack = |share: f64, side: &Vec<usize>| share * total - side.len() as f64;
    let lack_train = lack(1.0 - shares.validation - shares.test, train);
    let (lack_validation, lack_test) =
        (lack(shares.validation, validation), lack(shares.test, test));
    if lack_train >= lack_validation && lack_train >= lack_test {
        train
    } else if lack_test >= lack_validation {
        test
    } else {
        validation
    }
}

/// Groups of products that must stay together, each in ascending order.
fn groups(products: &[Product]) -> Vec<Vec<usize>> {
    let texts: Vec<&str> = products.iter().map(|product| product.text.as_str()).collect();
    let mut leaders: Vec<usize> = (0..products.len()).collect();
    for pair in near_pairs(&texts) {
        let (a, b) = (leader(&leaders, pair.first), leader(&leaders, pair.second));
        if let Some(of_later) = leaders.get_mut(a.max(b)) {
            *of_later = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..products.len() {
        groups.entry(leader(&leaders, index)).or_default().push(index);
    }
    groups.into_values().collect()
}

/// The first product of the group that `index` belongs to.
fn leader(leaders: &[usize], mut index: usize) -> usize {
    while let Some(&next) = leaders.get(index).filter(|&&next| next != index) {
        index = next;
    }
    index
}

/// The groups by category (that of their first product), in random order within each.
fn in_random_order(groups: Vec<Vec<usize>>, products: &[Product], seed: u64) -> Vec<Vec<usize>> {
    let mut categories: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for group in groups {
        let first = group.first().and_then(|&index| products.get(index));
        let category = first.map_or("", |product| product.category.as_str());
        categories.entry(category).or_default().push(group);
    }
    let mut random = Random::new(seed);
    categories
        .into_values()
        .flat_map(|mut groups| {
            random.shuffle(&mut groups);
            groups
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(rows: &[(&str, String)]) -> Vec<Product> {
        let product = |(index, (category, text)): (usize, &(&str, String))| {
            let json = format!(
                r#"{{"id":"{index}","category":"{category}","text":"{text}","features":{{"A":null}}}}"#
            );
            Product::from_json(&json).unwrap()
        };
        rows.iter().enumerate().map(product).collect()
    }

    fn shops() -> Vec<Product> {
        let rows: Vec<(&str, String)> =
            (0..300).map(|i| (["Shoes", "Lamps", "Hats"][i % 3], format!("product {i}"))).collect();
        products(&rows)
    }

    fn shares() -> Shares {
        Shares::new(0.1, 0.15).unwrap()
    }

    #[test]
    fn every_category_is_split_alike() {
        let products = shops();
        let split = split(&products, shares(), 7);
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (225, 30, 45));
        for category in ["Shoes", "Lamps", "Hats"] {
            let count =
                |side: &[usize]| side.iter().filter(|&&i| products[i].category == category).count();
            assert!(count(&split.test).abs_diff(15) <= 1, "{category}: {}", count(&split.test));
            assert!(count(&split.validation).abs_diff(10) <= 1, "{category}");
        }
        let mut all = [split.train, split.validation, split.test].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..300));
    }

    #[test]
    fn the_seed_decides() {
        let products = shops();
        assert_eq!(split(&products, shares(), 1), split(&products, shares(), 1));
        assert_ne!(split(&products, shares(), 1), split(&products, shares(), 2));
    }

    #[test]
    fn products_that_are_nearly_the_same_stay_together() {
        let row =
            |i: usize| ("Shoes", format!("Acme model {} running shoe for men in navy blue", i / 4));
        let rows: Vec<(&str, String)> = (0..80)
            .map(|i| {
                let (category, text) = row(i);
                (category, format!("{text} {i}"))
            })
            .collect();
        let products = products(&rows);
        let split = split(&products, Shares::new(0.2, 0.3).unwrap(), 3);
        let models = |side: &[usize]| {
            let mut models: Vec<usize> = side.iter().map(|i| i / 4).collect();
            models.dedup();
            models
        };
        let sides = [&split.train, &split.validation, &split.test];
        assert!(sides.iter().all(|side| !side.is_empty()));
        assert_eq!(sides.iter().map(|side| models(side).len()).sum::<usize>(), 20);
    }

    #[test]
    fn senseless_shares_are_refused() {
        for (validation, test) in [(-0.1, 0.1), (0.5, 0.5), (f64::NAN, 0.1), (0.0, 1.0)] {
            assert!(Shares::new(validation, test).is_err());
        }
        let all = split(&shops(), Shares::new(0.0, 0.0).unwrap(), 0);
        assert_eq!((all.train.len(), all.test.len()), (300, 0));
        assert_eq!(split(&[], shares(), 0), Split::default());
    }
}
