//! `hangtag compare` as it is typed.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hangtag_weights::registry::DEFAULT_BASE;

/// Compare methods on one dataset: without a language model, trained, in 4 bits, and asked in several ways
#[derive(ClapArgs)]
#[command(
    long_about = "Trains an adapter for a base model (or takes --adapter), merges and rounds it, and puts the methods beside each \
                  other in one table: a dictionary, named entity recognition, the base with examples in the prompt, the \
                  trained model in 16 and in 4 bits, asked for one feature at a time, for several in turn, and for all together.\n\n\
                  The table goes to standard output and to comparison.md in the folder --out.",
    after_long_help = "Examples:\n  \
                  hangtag compare --train data/train.jsonl --val data/val.jsonl --data data/test.jsonl --out comparison\n  \
                  hangtag compare --base hf:microsoft/phi-2 --train train.jsonl --data test.jsonl --out comparison\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong."
)]
pub struct CompareArgs {
    /// The base model, as of 'hangtag train'
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_BASE)]
    pub base: String,

    /// Products to learn from; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub train: Vec<PathBuf>,

    /// Products to validate with while training
    #[arg(long, value_name = "FILE")]
    pub val: Vec<PathBuf>,

    /// Products to measure with
    #[arg(short, long, value_name = "FILE")]
    pub data: PathBuf,

    /// Folder for adapter, models and table
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,

    /// Take this adapter (a PEFT folder) in place of training one
    #[arg(long, value_name = "FOLDER")]
    pub adapter: Option<PathBuf>,

    /// Settings of the training, as TOML
    #[arg(long, value_name = "FILE", conflicts_with = "adapter")]
    pub config: Option<PathBuf>,

    /// One setting of the training, such as optimizer.epochs=3; may be given several times
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "adapter")]
    pub set: Vec<String>,

    /// Features asked in turn in one prompt
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=50))]
    pub in_turn: u16,

    /// Features of the one text that is timed
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub timed_features: u16,

    /// Leave out named entity recognition, which takes hours where there are thousands of feature names
    #[arg(long)]
    pub without_ner: bool,

    /// Measure with the first N products only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}
