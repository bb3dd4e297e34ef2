use super::Product;
use super::random::Random;

/// What [`balance`] made of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Balanced {
    /// The products that have features left, in their order.
    pub products: Vec<Product>,
    /// Features without a value that were taken out.
    pub dropped_none: usize,
    /// Features with a value that were taken out.
    pub dropped_values: usize,
    /// Products that lost all their features.
    pub dropped_products: usize,
}

/// Why a list cannot be balanced.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BalanceError {
    /// A share that is none.
    #[error("a share of {0} is none: give a number from 0 to less than 1, e.g. 0.5")]
    Share(f64),
    /// Nothing could be kept.
    #[error(
        "there are {with_none} features without a value and {with_value} with one: \
         taking features out cannot give the share asked for without taking all"
    )]
    Impossible {
        /// Features without a value.
        with_none: usize,
        /// Features with a value.
        with_value: usize,
    },
}

/// Takes features out at random until `none_share` of all that are left have no value: of those without a value where
/// they are too many, else of those with one. The same for the same list and seed.
///
/// # Errors
/// [`BalanceError`].
pub fn balance(products: &[Product], none_share: f64, seed: u64) -> Result<Balanced, BalanceError> {
    if !(0.0..1.0).contains(&none_share) {
        return Err(BalanceError::Share(none_share));
    }
    let places = |with_value: bool| -> Vec<(usize, usize)> {
        let features = products.iter().enumerate().flat_map(|(product, row)| {
            row.features.values().enumerate().map(move |(feature, value)| (product, feature, value))
        });
        features
            .filter(|(_, _, value)| value.is_some() == with_value)
            .map(|(product, feature, _)| (product, feature))
            .collect()
    };
    let (mut none, mut some) = (places(false), places(true));
    let odds = none_share / (1.0 - none_share);
    let keep_none = (some.len() as f64 * odds).round() as usize;
    let too_many_none = none.len() > keep_none;
    let keep_some = match too_many_none || odds == 0.0 {
        true => some.len(),
        false => ((none.len() as f64 / odds).round() as usize).min(some.len()),
    };
    if keep_none.min(none.len()) + keep_some == 0 {
        return Err(BalanceError::Impossible { with_none: none.len(), with_value: some.len() });
    }

    let mut random = Random::new(seed);
    random.shuffle(&mut none);
    random.shuffle(&mut some);
    let dropped_none = none.split_off(keep_none.min(none.len()));
    let dropped_values = some.split_off(keep_some);
    let mut dropped: Vec<(usize, usize)> = [dropped_none.as_slice(), &dropped_values].concat();
    dropped.sort_unstable();
    let left = without(products, &dropped);
    Ok(Balanced {
        dropped_products: products.len() - left.len(),
        products: left,
        dropped_none: dropped_none.len(),
        dropped_values: dropped_values.len(),
    })
}

/// The products without the features at `dropped`, sorted places (product, feature).
fn without(products: &[Product], dropped: &[(usize, usize)]) -> Vec<Product> {
    let mut left = Vec::with_capacity(products.len());
    for (index, product) in products.iter().enumerate() {
        let mut product = product.clone();
        let mut feature = 0;
        product.features.retain(|_, _| {
            feature += 1;
            dropped.binary_search(&(index, feature - 1)).is_err()
        });
        let features = &product.features;
        product.alternatives.retain(|name, _| features.contains_key(name));
        if let Some(scored) = &mut product.scored {
            scored.retain(|name| features.contains_key(name));
        }
        if !product.features.is_empty() {
            left.push(product);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(count: usize) -> Vec<Product> {
        let row = |i: usize| {
            format!(
                r#"{{"id":"{i}","category":"Shoes","text":"Red shoe","scored":["Color","Size"],
                    "features":{{"Color":"Red","Size":null,"Sole":null,"Brand":null}},"alternatives":{{"Color":["red"]}}}}"#
            )
        };
        (0..count).map(|i| Product::from_json(&row(i)).unwrap()).collect()
    }

    fn none_and_some(products: &[Product]) -> (usize, usize) {
        let values = || products.iter().flat_map(|p| p.features.values());
        (values().filter(|v| v.is_none()).count(), values().filter(|v| v.is_some()).count())
    }

    #[test]
    fn too_many_without_a_value_are_taken_out() {
        let balanced = balance(&products(100), 0.5, 1).unwrap();
        assert_eq!(none_and_some(&balanced.products), (100, 100));
        assert_eq!((balanced.dropped_none, balanced.dropped_values), (200, 0));
        // Scored names and features stay in step, or the rows could not be read again.
        for product in &balanced.products {
            Product::from_json(&serde_json::to_string(product).unwrap()).unwrap();
        }
        assert_eq!(balanced, balance(&products(100), 0.5, 1).unwrap());
        assert_ne!(balanced, balance(&products(100), 0.5, 2).unwrap());
    }

    #[test]
    fn too_few_without_a_value_cost_values() {
        let balanced = balance(&products(100), 0.9, 1).unwrap();
        assert_eq!(none_and_some(&balanced.products), (300, 33));
        assert_eq!((balanced.dropped_none, balanced.dropped_values), (0, 67));
        assert!(
            balanced
                .products
                .iter()
                .all(|p| p.features.contains_key("Color") || p.alternatives.is_empty())
        );
    }

    #[test]
    fn no_nones_at_all_can_be_asked_for() {
        let balanced = balance(&products(10), 0.0, 1).unwrap();
        assert_eq!(none_and_some(&balanced.products), (0, 10));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(balance(&products(1), 1.0, 1), Err(BalanceError::Share(1.0)));
        assert!(balance(&products(1), f64::NAN, 1).is_err());
        let mut all_valued = products(2);
        all_valued.iter_mut().for_each(|p| p.features.retain(|_, value| value.is_some()));
        let error = balance(&all_valued, 0.5, 1).unwrap_err();
        assert_eq!(error, BalanceError::Impossible { with_none: 0, with_value: 2 });
    }
}
