//! `hangtag dataset stats`: figures of a dataset.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_task::dataset::{Lengths, Stats, stats};

use super::args::StatsArgs;
use super::files::read;
use crate::table::columns;

/// Feature names that are listed; `--json` gives all.
const NAMES_SHOWN: usize = 30;

pub fn run(args: &StatsArgs) -> Result<()> {
    let (products, bad) = read(&args.file)?;
    let stats = stats(&products);
    let text = if args.json { serde_json::to_string(&stats)? + "\n" } else { render(&stats) };
    stdout().write_all(text.as_bytes())?;
    bad.outcome()
}

fn render(stats: &Stats) -> String {
    let lengths = |what: &str, Lengths { min, median, p95, max }: Lengths| {
        format!("{what:<12}{min} to {max}, median {median}, 95% up to {p95}\n")
    };
    let mut text = format!(
        "Rows        {}\nCategories  {}\nFeatures    {} names, {} in all, {} without a value\n",
        stats.rows,
        stats.categories.len(),
        stats.features.len(),
        stats.pairs,
        percent(stats.none_share),
    );
    text += &lengths("Text", stats.text_words).replace('\n', " words\n");
    text += &lengths("", stats.text_chars).replace('\n', " characters\n");
    text += &lengths("Values", stats.value_chars).replace('\n', " characters\n");

    let categories = stats.categories.iter().map(|category| {
        vec![
            category.name.clone(),
            category.rows.to_string(),
            category.features.to_string(),
            percent(category.none_share),
            category.median_text_chars.to_string(),
        ]
    });
    text.push('\n');
    text += &columns(&["CATEGORY", "ROWS", "NAMES", "NONE", "CHARACTERS"], categories);

    let features = stats.features.iter().take(NAMES_SHOWN).map(|feature| {
        vec![
            feature.name.clone(),
            feature.rows.to_string(),
            feature.values.to_string(),
            percent(feature.none_share),
        ]
    });
    text.push('\n');
    text += &columns(&["FEATURE", "ROWS", "VALUES", "NONE"], features);
    match stats.features.len().saturating_sub(NAMES_SHOWN) {
        0 => text,
        more => text + &format!("... and {more} more names; --json gives all\n"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
