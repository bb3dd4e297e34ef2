//! `hangtag dataset` as it is typed.

use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs, Subcommand, ValueEnum};

/// Check, count, split, balance and make datasets of products with known features
#[derive(ClapArgs)]
#[command(
    long_about = "Works on datasets of products with known features, to train on or to measure with.\n\n\
                  A dataset is a .jsonl file with one product a line:\n  \
                  {\"id\": \"1\", \"category\": \"Shoes\", \"text\": \"Red shoe\", \"features\": {\"Color\": \"Red\", \"Size\": null}}\n\
                  null says that the text gives no value. Rows that cannot be read are reported with their line; the \
                  others are used all the same.",
    after_help = "Examples:\n  \
                  hangtag dataset from-csv shop.csv --text title,description --features brand,color --out products.jsonl\n  \
                  hangtag dataset check products.jsonl\n  \
                  hangtag dataset split products.jsonl --out data\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong."
)]
pub struct DatasetArgs {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    Check(CheckArgs),
    Stats(StatsArgs),
    Split(SplitArgs),
    Balance(BalanceArgs),
    FromCsv(FromCsvArgs),
}

/// Find rows that cannot be read, values that the text does not hold, duplicates, and leaks between files
#[derive(ClapArgs)]
#[command(
    after_help = "Texts are nearly the same where half of their runs of five words are the same.\n\n\
                  Example:\n  hangtag dataset check train.jsonl test.jsonl\n\n\
                  Exit code: 0 nothing found, 2 faults found."
)]
pub struct CheckArgs {
    /// Datasets; give those that must have nothing in common together
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Print exactly one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Count rows, categories, features and values
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  hangtag dataset stats train.jsonl")]
pub struct StatsArgs {
    /// A dataset
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Print exactly one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Split a dataset into train.jsonl, val.jsonl and test.jsonl
#[derive(ClapArgs)]
#[command(
    long_about = "Splits a dataset into train.jsonl, val.jsonl and test.jsonl.\n\n\
                  Every category is split in the same proportion, and products with nearly the same text stay \
                  together. The same seed gives the same split.",
    after_help = "Example:\n  hangtag dataset split products.jsonl --out data --val 0.1 --test 0.15"
)]
pub struct SplitArgs {
    /// A dataset
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Folder for the three files; made if it is missing
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,

    /// Share of the products to choose settings by
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub val: f64,

    /// Share of the products to measure with
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    pub test: f64,

    /// Another number gives another split
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Take features out until as many as asked for have no value
#[derive(ClapArgs)]
#[command(
    long_about = "Takes features out of a dataset at random until the share asked for has no value: a model that is \
                  trained on too many of them finds too little, on too few it invents.",
    after_help = "Example:\n  hangtag dataset balance train.jsonl --out balanced.jsonl --none-share 0.4"
)]
pub struct BalanceArgs {
    /// A dataset
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// File for the result
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,

    /// Share of all features that have no value afterwards
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub none_share: f64,

    /// Another number takes others out
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Make a dataset of a table, such as a shop's export
#[derive(ClapArgs)]
#[command(
    long_about = "Makes a dataset of a table with a heading line, such as a shop's export. Commas, semicolons or tabs \
                  separate its columns.\n\n\
                  An empty cell says that the text gives no value. A cell whose value is not in the text as it is \
                  written is reported, and --missing says what becomes of it.",
    after_help = "Example:\n  \
                  hangtag dataset from-csv shop.csv --text title,description --id sku --features color,size \\\n      \
                  --rename color=Color --out products.jsonl",
    group(ArgGroup::new("which").required(true).args(["features", "all"]))
)]
pub struct FromCsvArgs {
    /// The table
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Columns of the product text, joined in this order
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    pub text: Vec<String>,

    /// Column of the products' names [default: the line]
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,

    /// Column of the category
    #[arg(long, value_name = "COLUMN")]
    pub category: Option<String>,

    /// Columns that hold features
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub features: Option<Vec<String>>,

    /// All other columns hold features
    #[arg(long)]
    pub all: bool,

    /// Call the feature of a column otherwise; can be given several times
    #[arg(long, value_name = "COLUMN=NAME", value_parser = rename)]
    pub rename: Vec<(String, String)>,

    /// What becomes of a value that is not in the text
    #[arg(long, value_enum, default_value_t = MissingArg::Drop)]
    pub missing: MissingArg,

    /// File for the dataset
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MissingArg {
    /// The feature is left out of that row
    Drop,
    /// The text is said to give no value
    Null,
}

fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.trim().is_empty() && !new.trim().is_empty() => {
            Ok((old.trim().to_owned(), new.trim().to_owned()))
        }
        _ => Err("write it as COLUMN=NAME, such as \"colour_1=Color\"".to_owned()),
    }
}
