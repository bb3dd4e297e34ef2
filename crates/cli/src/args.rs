//! The command line as it is typed. Each verb's file makes of it what it works with.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::dataset::args::DatasetArgs;
use crate::evaluate::args::EvaluateArgs;

/// Reads product descriptions and fills in their features, on your own computer
#[derive(Parser)]
#[command(
    name = "hangtag",
    version,
    long_about = "Reads product descriptions and fills in their features (brand, colour, size ...): one value or \"none\" \
                  for each.\nEverything runs on this computer's graphics card; no text leaves it.",
    after_help = "Examples:\n  \
                  hangtag extract --features \"Brand, Color\" \"Nike Air Max 90, white, leather\"\n  \
                  hangtag extract --template footwear products.csv --output filled.csv\n  \
                  hangtag bench\n\n\
                  'hangtag COMMAND --help' says more about each command."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    Extract(ExtractArgs),
    Fetch(FetchArgs),
    Bench(BenchArgs),
    Dataset(DatasetArgs),
    Evaluate(EvaluateArgs),
    Completions(CompletionsArgs),
}

/// Fill in the features of one product text, or of a whole list of products
#[derive(ClapArgs)]
#[command(
    long_about = "Fills in the features of one product text, or of a whole list of products.\n\n\
                  A list is a .csv file (with a column 'text') or a .jsonl file (one JSON object with \"text\" a line). \
                  Its rows come back with a column for each feature. A row that cannot be read is reported with its \
                  line number and stays in the output, empty and with the reason in the column 'error'; the other rows \
                  are done all the same.",
    after_long_help = "Examples:\n  \
                  One text:\n    \
                  hangtag extract --features \"Brand, Color, Size\" \"Nike Air Max 90, white, EU 42\"\n  \
                  A text from a file, as JSON:\n    \
                  hangtag extract --features \"Brand, Color\" lamp.txt --json\n  \
                  A list of products, with a ready-made list of features:\n    \
                  hangtag extract --template footwear products.csv --output filled.csv\n  \
                  From another program:\n    \
                  some-program | hangtag extract --features Brand -\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong."
)]
pub struct ExtractArgs {
    /// The product text; or the name of a file that holds it; or '-' to read it from standard input
    #[arg(value_name = "TEXT|FILE|-")]
    pub input: String,

    /// What to look for: names with commas between them, such as "Brand, Color"
    #[arg(
        short,
        long,
        value_name = "NAMES",
        required_unless_present = "template",
        conflicts_with = "template"
    )]
    pub features: Option<String>,

    /// A list of features: a JSON file, or the name of a ready-made list such as 'footwear'
    #[arg(short, long, value_name = "FILE|NAME")]
    pub template: Option<String>,

    /// How to print the result [default: table for a text, otherwise the input's own format]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Same as --format json: exactly one JSON object on standard output
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Write to this file and not to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What the input is, where its name does not say it (as with '-')
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub input_format: Option<InputFormat>,

    /// Column of the CSV or JSONL input that holds the product text
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub text_column: String,

    /// For a list of products: also give how sure the model is of each value, from 0 to 1
    #[arg(long)]
    pub confidence: bool,

    /// Ask for one feature at a time and reuse nothing (slow; to measure what asking together gains)
    #[arg(long)]
    pub one_by_one: bool,

    #[command(flatten)]
    pub model: ModelArgs,
}

/// Which model runs, and how.
#[derive(ClapArgs)]
pub struct ModelArgs {
    /// A GGUF file, a model package (a folder with manifest.json), or the name of a known model
    #[arg(short, long, value_name = "MODEL", default_value = "smollm2-135m")]
    pub model: String,

    /// Tokens that the model keeps in memory, text and answers together [default: 4096]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub context: Option<u32>,

    /// Use only what every graphics card can do (no 16-bit floats, no subgroups)
    #[arg(long)]
    pub baseline_tier: bool,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns to read
    Table,
    /// One JSON object
    Json,
    /// One JSON object a product, one a line
    Jsonl,
    /// Comma-separated values for spreadsheets
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// One product text
    Text,
    /// A list of products with a header line
    Csv,
    /// A list of products, one JSON object a line
    Jsonl,
}

/// Get a model by name and keep it, so that later runs need no network
#[derive(ClapArgs)]
#[command(
    after_help = "The file is checked against its known SHA-256, kept in your cache folder (or in $HANGTAG_CACHE), and its \
                  path is printed.\n\nExample:\n  hangtag fetch smollm2-135m"
)]
pub struct FetchArgs {
    /// Name of a known model, such as smollm2-135m
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Measure how fast this computer is
#[derive(ClapArgs)]
#[command(
    long_about = "Measures how fast this computer reads texts and writes answers, and how long many features of one text \
                  take: asked together (the text is read once), against one at a time with nothing reused. All figures \
                  come from the same run.",
    after_long_help = "Examples:\n  hangtag bench\n  hangtag bench --features 10 --text-tokens 60 --repeat 1 --json"
)]
pub struct BenchArgs {
    /// Features to ask for
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub features: u16,

    /// Length of the text in tokens (a token is about three quarters of a word)
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(16..=100_000))]
    pub text_tokens: u32,

    /// Measure each figure this many times and give the median
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeat: u16,

    /// Print exactly one JSON object
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub model: ModelArgs,
}

/// Print a script that lets your shell complete hangtag's options
#[derive(ClapArgs)]
#[command(
    after_help = "Example for bash:\n  hangtag completions bash > ~/.local/share/bash-completion/completions/hangtag"
)]
pub struct CompletionsArgs {
    /// Your shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
