//! The command line as it is typed. Each verb's file makes of it what it works with.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, value_parser};
use hangtag_task::TaskVersion;
use hangtag_weights::registry::{DEFAULT_BASE, DEFAULT_MODEL};

use crate::compare::args::CompareArgs;
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
    Train(TrainArgs),
    Average(AverageArgs),
    Export(ExportArgs),
    Bench(BenchArgs),
    Dataset(DatasetArgs),
    Evaluate(EvaluateArgs),
    Compare(CompareArgs),
    Completions(CompletionsArgs),
}

/// Fill in the features of one product text, or of a whole list of products
#[derive(ClapArgs)]
#[command(
    long_about = "Fills in the features of one product text, or of a whole list of products.\n\n\
                  A list is a .csv or .xlsx file (with a column 'text') or a .jsonl file (one JSON object with \"text\" a line). \
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

    /// Column of the CSV, XLSX or JSONL input that holds the product text
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
    /// A GGUF file, a model package (a folder with manifest.json), a folder of Hugging Face transformers, hf:OWNER/NAME, or
    /// the name of a known model
    #[arg(short, long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub model: String,

    /// Tokens that the model keeps in memory, text and answers together [default: 4096]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub context: Option<u32>,

    /// Let answers be whatever the model writes, not only pieces of the product text (or choices of a template)
    #[arg(long)]
    pub free_answers: bool,

    /// Multiply in 32-bit floats throughout: a little more exact with 4-bit and 8-bit weights, and slower
    #[arg(long)]
    pub exact: bool,

    /// Use only what every graphics card can do (no subgroups, no products in bytes)
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
    after_help = "smollm2-135m is a base as it was published, one file. smollm2-135m-products is that base with our adapter for \
                  product features merged in, a package folder. It is kept in your cache folder (or in $HANGTAG_CACHE), checked \
                  against its SHA-256, and its path is printed.\n\nExample:\n  hangtag fetch smollm2-135m-products"
)]
pub struct FetchArgs {
    /// Name of a known model: smollm2-135m-products or smollm2-135m
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Train an adapter for a base model on your own products
#[derive(ClapArgs)]
#[command(
    long_about = "Trains a LoRA adapter for a base model on products with known features (JSON Lines), on an NVIDIA GPU or, \
                  slowly, on the processor.\n\n\
                  The folder --out gets the adapter in PEFT's form (adapter_model.safetensors, adapter_config.json), \
                  metrics.jsonl, the learning curve as curve.svg, and a checkpoint. Ctrl-C stops after the step at hand; \
                  --resume goes on exactly where the run stopped.",
    after_long_help = "Examples:\n  \
                  hangtag train --data train.jsonl --val val.jsonl --out my-adapter\n  \
                  hangtag train --data train.jsonl --out my-adapter --set lora.rank=8 --set optimizer.epochs=3\n  \
                  hangtag train --print-config > train.toml\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong."
)]
pub struct TrainArgs {
    /// The base model: a GGUF file, a model package, a folder of Hugging Face transformers, hf:OWNER/NAME, or the name of a
    /// known model
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_BASE)]
    pub base: String,

    /// Products to train on, one JSON object a line; may be given several times
    #[arg(long, value_name = "FILE", required_unless_present = "print_config")]
    pub data: Vec<PathBuf>,

    /// Products to validate with after each epoch; the adapter that does best on them is kept
    #[arg(long, value_name = "FILE")]
    pub val: Vec<PathBuf>,

    /// Folder for the adapter and all that belongs to the run
    #[arg(long, value_name = "FOLDER", default_value = "adapter")]
    pub out: PathBuf,

    /// Settings, as TOML; --print-config shows all of them
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One setting, over those of the file, such as optimizer.epochs=3; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Go on where the run in --out stopped
    #[arg(long)]
    pub resume: bool,

    /// Begin with this adapter (a PEFT folder) and not with a fresh one
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    pub init_adapter: Option<PathBuf>,

    /// Where to compute
    #[arg(long, value_enum, default_value_t = TrainDevice::Auto)]
    pub device: TrainDevice,

    /// Print every setting with its default and what it means, and stop
    #[arg(long)]
    pub print_config: bool,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Make one adapter of several that were trained on from the same one
#[derive(ClapArgs)]
#[command(
    long_about = "Writes the mean of several LoRA adapters, factor by factor, into a new folder, in f16.\n\n\
                  Adapters that were trained on from the same one with other seeds make other mistakes; the mean of ours made \
                  fewer than each of them, and it costs no more to run than one.",
    after_long_help = "Example:\n  \
                  for seed in 11 12 13; do\n    \
                  hangtag train --data train.jsonl --init-adapter first --set seed=$seed --set optimizer.epochs=3 --out more-$seed\n  \
                  done\n  \
                  hangtag average more-11 more-12 more-13 --out my-adapter\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong."
)]
pub struct AverageArgs {
    /// Adapters: folders with adapter_config.json and adapter_model.safetensors
    #[arg(value_name = "ADAPTER", num_args = 2.., required = true)]
    pub adapters: Vec<PathBuf>,

    /// The model that they were trained for
    #[arg(short, long, value_name = "MODEL", default_value = DEFAULT_BASE)]
    pub base: String,

    /// The folder to make
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Write a model, with an adapter merged in, for this program, the page or another engine
#[derive(ClapArgs)]
#[command(
    long_about = "Writes a model, with an adapter merged in if one is given, into a new folder.\n\n\
                  The GGUF formats make a package (GGUF and manifest.json) for this program, the page, and llama.cpp. \
                  'safetensors' and 'gptq' make a folder for transformers and vLLM. Every export holds \
                  export-report.json: how far each tensor is from the merged 32-bit weights.",
    after_long_help = "Examples:\n  \
                  For this program and the page:\n    \
                  hangtag export --base smollm2-135m --adapter my-adapter --out my-model --format q4_0\n  \
                  For the page, in files that a web server likes:\n    \
                  hangtag export --base phi-2.gguf --adapter my-adapter --out my-model --format q4_0 --shard-size 64MiB\n  \
                  For vLLM:\n    \
                  hangtag export --base smollm2-135m --adapter my-adapter --out served --format gptq\n\n\
                  Exit code: 0 done, 1 failed, 2 something in the input is wrong. Unless it is done, nothing is left at --out."
)]
pub struct ExportArgs {
    /// The model: a GGUF file, a model package, a folder of Hugging Face transformers, hf:OWNER/NAME, or the name of a known
    /// model
    #[arg(short, long, value_name = "MODEL")]
    pub base: String,

    /// A LoRA adapter made for the model: a folder with adapter_config.json and adapter_model.safetensors
    #[arg(short, long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,

    /// The folder to make
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,

    /// What to write
    #[arg(short, long, value_enum)]
    pub format: ExportFormat,

    /// Split the weights into files of at most this size, such as 64MiB or 2GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub shard_size: Option<u64>,

    /// Name of the model [default: that of the folder to make]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Licence of the weights, as an SPDX expression [default: what is known of the model]
    #[arg(long, value_name = "SPDX")]
    pub licence: Option<String>,

    /// How the model is to be asked: 1 reads the text once, 2 twice [default: as the adapter says; 1 for one of PEFT]
    #[arg(long, value_name = "VERSION", value_parser = value_parser!(u32).try_map(TaskVersion::try_from))]
    pub task_version: Option<TaskVersion>,

    /// Print exactly one JSON object, the report
    #[arg(long)]
    pub json: bool,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainDevice {
    /// The NVIDIA GPU where there is one that this program can use
    Auto,
    /// The NVIDIA GPU
    Cuda,
    /// The processor
    Cpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// GGUF in 4 bits, with the scales of least error (embedding and output in 8 bits)
    #[value(name = "q4_0")]
    Q4_0,
    /// GGUF in 8 bits
    #[value(name = "q8_0")]
    Q8_0,
    /// GGUF in 16-bit floats
    F16,
    /// GGUF in 32-bit floats
    F32,
    /// Hugging Face folder in 16-bit floats
    Safetensors,
    /// Hugging Face folder in 4 bits, the very numbers of q4_0
    Gptq,
}

/// Smallest part of a split model.
const MIN_SHARD_BYTES: u64 = 1 << 20;

/// A size in bytes with its unit: 64MiB, 1.5GB, 1000000.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        other => return Err(format!("the unit \"{other}\" is none of KiB, MiB, GiB, KB, MB, GB")),
    };
    let bytes = digits.parse::<f64>().map_err(|_| "it is no number with a unit, as 64MiB")? * unit;
    if !(bytes >= MIN_SHARD_BYTES as f64 && bytes < 1e15) {
        return Err("it is not in 1MiB to 1000TB".to_owned());
    }
    Ok(bytes as u64)
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

    /// Print JSON: exactly one object, or with --tune one a line
    #[arg(long)]
    pub json: bool,

    /// Also draw the result into this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["train", "tune"])]
    pub svg: Option<PathBuf>,

    /// Measure a model of this shape with random weights, such as phi-2, in place of --model
    #[arg(long, value_name = "SHAPE", conflicts_with = "train")]
    pub shape: Option<String>,

    /// Measure every form of the matrix products for every size, the fastest first
    #[arg(long, conflicts_with = "train")]
    pub tune: bool,

    /// With --tune: also write the fastest of the engine's forms into this table, crates/engine/src/tuning/table.tsv of the
    /// sources, in place of what it has of the same sizes on the same make of GPU. The next build takes them
    #[arg(long, value_name = "FILE", requires = "tune")]
    pub write: Option<PathBuf>,

    /// Measure training: a model of this shape with random weights, such as phi-2, on an NVIDIA GPU
    #[arg(long, value_name = "SHAPE")]
    pub train: Option<String>,

    /// Training: sequences of a batch, and tokens of a sequence
    #[arg(long, value_name = "SEQUENCESxTOKENS", default_value = "4x512", requires = "train")]
    pub batch: String,

    /// Training: compute each block again in the backward pass
    #[arg(long, requires = "train")]
    pub recompute: bool,

    /// Training: hold the base in 16 bits, not in 4
    #[arg(long, requires = "train")]
    pub sixteen_bit: bool,

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
