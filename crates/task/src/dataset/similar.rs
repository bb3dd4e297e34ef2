//! Texts that say the same or nearly the same.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Similarity from which texts count as nearly the same.
pub const NEAR: f64 = 0.5;

/// Words of a shingle.
const SHINGLE_WORDS: usize = 5;

/// Two texts that are nearly the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Index of the earlier text.
    pub first: usize,
    /// Index of the later text.
    pub second: usize,
    /// Jaccard similarity of the texts' shingles, from [`NEAR`] to 1.
    pub similarity: f64,
    /// Whether the texts are the same but for case, white space and punctuation.
    pub same: bool,
}

/// Pairs of `texts` whose sets of word 5-shingles have a Jaccard similarity of at least [`NEAR`]. A text of fewer words
/// is one shingle. Case, white space and punctuation do not count.
///
/// A text that is the same as an earlier one is paired with the first such text only, which stands for all of them in
/// other pairs: a description that thousands of variants share does not make millions of pairs.
///
/// Each text's rarest shingles alone are looked up, as many as two similar texts must share one of (prefix filtering,
/// Chaudhuri, Ganti and Kaushik 2006), so that boilerplate common to many texts costs little.
pub fn near_pairs(texts: &[&str]) -> Vec<Near> {
    let normal: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
    let sets = in_order_of_rarity(normal.iter().map(|words| shingles(words)).collect());

    let mut texts_of: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut first_with: HashMap<&[String], usize> = HashMap::new();
    let mut pairs = Vec::new();
    for (second, (set, words)) in sets.iter().zip(&normal).enumerate() {
        let first = *first_with.entry(words).or_insert(second);
        if first != second {
            pairs.push(Near { first, second, similarity: 1.0, same: true });
            continue;
        }
        let needed = (NEAR * set.len() as f64).ceil() as usize;
        let prefix = set.get(..=set.len() - needed).unwrap_or(set);
        let mut candidates: Vec<usize> = prefix
            .iter()
            .filter_map(|(_, shingle)| texts_of.get(shingle))
            .flatten()
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        for first in candidates {
            let Some(other) = sets.get(first) else { continue };
            let similarity = jaccard(other, set);
            if similarity >= NEAR {
                pairs.push(Near { first, second, similarity, same: false });
            }
        }
        for (_, shingle) in prefix {
            texts_of.entry(*shingle).or_default().push(second);
        }
    }
    pairs
}

/// The words of a text, in lower case. One without words is its own word.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<String> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    if words.is_empty() { vec![lower.trim().to_owned()] } else { words }
}

/// Hashes of the shingles, each once.
fn shingles(words: &[String]) -> Vec<u64> {
    let hash = |shingle: &[String]| {
        let mut hasher = DefaultHasher::new();
        shingle.hash(&mut hasher);
        hasher.finish()
    };
    let mut shingles: Vec<u64> = if words.len() < SHINGLE_WORDS {
        vec![hash(words)]
    } else {
        words.windows(SHINGLE_WORDS).map(hash).collect()
    };
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// Each set with the number of sets that hold the shingle, the rarest first; ties by the shingle.
fn in_order_of_rarity(sets: Vec<Vec<u64>>) -> Vec<Vec<(usize, u64)>> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for shingle in sets.iter().flatten() {
        *counts.entry(*shingle).or_default() += 1;
    }
    let ranked = |set: Vec<u64>| {
        let mut set: Vec<(usize, u64)> = set
            .into_iter()
            .map(|shingle| (counts.get(&shingle).copied().unwrap_or_default(), shingle))
            .collect();
        set.sort_unstable();
        set
    };
    sets.into_iter().map(ranked).collect()
}

/// Share of common members among all members of two sorted sets, neither empty.
fn jaccard(a: &[(usize, u64)], b: &[(usize, u64)]) -> f64 {
    let (mut i, mut j, mut common) = (0, 0, 0usize);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                common += 1;
                i += 1;
                j += 1;
            }
        }
    }
    common as f64 / (a.len() + b.len() - common) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_pairs(texts: &[&str]) -> Vec<(usize, usize)> {
        let sets = in_order_of_rarity(texts.iter().map(|text| shingles(&words(text))).collect());
        (0..texts.len())
            .flat_map(|second| (0..second).map(move |first| (first, second)))
            .filter(|&(first, second)| jaccard(&sets[first], &sets[second]) >= NEAR)
            .collect()
    }

    /// For each text the first that it is connected with.
    fn groups(count: usize, pairs: &[(usize, usize)]) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..count).collect();
        for _ in 0..count {
            for &(a, b) in pairs {
                let first = groups[a].min(groups[b]);
                (groups[a], groups[b]) = (first, first);
            }
        }
        groups
    }

    #[test]
    fn case_space_and_punctuation_do_not_count() {
        let pairs = near_pairs(&["Red shoe, size 42", "blue", " red  SHOE - size 42"]);
        assert_eq!(pairs, [Near { first: 0, second: 2, similarity: 1.0, same: true }]);
        assert_eq!(near_pairs(&["!!!", "???"]), []);
        assert_eq!(near_pairs(&["!!!", " !!!"]).len(), 1);
        assert_eq!(near_pairs(&["red"; 2000]).len(), 1999);
    }

    #[test]
    fn one_word_more_is_near_and_another_product_is_not() {
        let text = "Acme trail running shoe for men in navy blue with orange laces";
        let pairs = near_pairs(&[text, &format!("{text} new"), "Acme road running shoe for men"]);
        assert_eq!(pairs.len(), 1);
        // 12 words are 8 shingles, 13 are 9.
        assert_eq!((pairs[0].first, pairs[0].second, pairs[0].same), (0, 1, false));
        assert!((pairs[0].similarity - 8.0 / 9.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_filter_finds_what_comparing_all_finds(
            texts in prop::collection::vec(prop::collection::vec("[ab]", 1..14), 1..12),
        ) {
            let texts: Vec<String> = texts.into_iter().map(|words| words.join(" ")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let found: Vec<(usize, usize)> =
                near_pairs(&texts).iter().map(|pair| (pair.first, pair.second)).collect();
            let all = all_pairs(&texts);
            prop_assert!(found.iter().all(|pair| all.contains(pair)));
            prop_assert_eq!(groups(texts.len(), &found), groups(texts.len(), &all));
        }
    }
}
