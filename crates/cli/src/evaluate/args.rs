//! `hangtag evaluate` as it is typed.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, Args as ClapArgs, ValueEnum, value_parser};
use hangtag_task::TaskVersion;

/// Measure how good answers are, with a dataset of products with known features
#[derive(ClapArgs)]
#[command(
    long_about = "Measures how good answers are, with a dataset of products with known features.\n\n\
                  Who answers: a model on this computer's graphics card or, with --device cpu, its processor (--model), an \
                  inference server (--engine), a method without a language model (--baseline), or another program before \
                  (--predictions-in).\n\n\
                  F1 is the metric of the literature over the features that the dataset scores, strict F1 the same over \
                  all of them. A product that fails is reported and counts nowhere; the others are measured all the same.",
    after_long_help = "Examples:\n  \
                  hangtag evaluate --data test.jsonl --report report.html\n  \
                  hangtag evaluate --device cpu --data test.jsonl --limit 50\n  \
                  hangtag evaluate --baseline ner --train train.jsonl --data test.jsonl\n  \
                  hangtag evaluate --engine http://127.0.0.1:8000 --data test.jsonl --predictions answers.jsonl --resume\n  \
                  hangtag evaluate --predictions-in answers.jsonl --data test.jsonl --json\n\n\
                  Exit code: 0 done, 1 some products have no answers, 2 something in the input is wrong.",
    group(ArgGroup::new("answerer").args(["model", "engine", "baseline", "predictions_in"]))
)]
pub struct EvaluateArgs {
    /// The dataset to measure with
    #[arg(short, long, value_name = "FILE")]
    pub data: PathBuf,

    /// A GGUF file, a model package, a folder of Hugging Face transformers, hf:OWNER/NAME, or the name of a known model
    /// [default: smollm2-135m-products]
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,

    /// Where --model computes
    #[arg(long, value_enum, default_value_t = EvaluateDevice::Gpu,
        conflicts_with_all = ["engine", "baseline", "predictions_in"])]
    pub device: EvaluateDevice,

    /// An inference server that offers OpenAI's /v1/completions, such as vLLM or llama.cpp's
    #[arg(long, value_name = "URL")]
    pub engine: Option<String>,

    /// A method without a language model, learned from --train
    #[arg(long, value_enum, requires = "train")]
    pub baseline: Option<Baseline>,

    /// Answers made before, one {"id": "1", "answers": {"Color": "Red", "Size": null}} a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["predictions", "resume"])]
    pub predictions_in: Option<PathBuf>,

    /// Datasets that the baseline learns from; never give it the one to measure with
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "baseline")]
    pub train: Vec<PathBuf>,

    /// Measure with the first N products only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,

    /// Print exactly one JSON object
    #[arg(long)]
    pub json: bool,

    /// Also write a report to read, as one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Also fit how sure the model may be of its answers, and write it to this file: as confidence.json in the folder of an
    /// adapter 'hangtag export' takes it along. Use products that were not trained on
    #[arg(long, value_name = "FILE")]
    pub fit_confidence: Option<PathBuf>,

    /// Also write the answers to this file, each product's as soon as it is done
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,

    /// Go on with a run that was interrupted: products in the --predictions file are not asked again
    #[arg(long, requires = "predictions")]
    pub resume: bool,

    /// Model to ask the --engine for [default: the first that it has]
    #[arg(long, value_name = "NAME", requires = "engine")]
    pub engine_model: Option<String>,

    /// Features of a product that the --engine is asked for at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub concurrency: u16,

    /// How the model behind --engine is to be asked: 1 reads the text once, 2 twice [default: 2, as 'hangtag train' teaches]
    #[arg(long, value_name = "VERSION", requires = "engine", value_parser = value_parser!(u32).try_map(TaskVersion::try_from))]
    pub task_version: Option<TaskVersion>,

    /// For --model: tokens that it keeps in memory, text and answers together [default: 4096]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub context: Option<u32>,

    /// For --model on the graphics card: multiply in 32-bit floats throughout
    #[arg(long)]
    pub exact: bool,

    /// For --model on the graphics card: use only what every one can do (no subgroups, no products in bytes)
    #[arg(long)]
    pub baseline_tier: bool,

    /// Let answers be whatever the model writes, not only pieces of the product text
    #[arg(long)]
    pub free_answers: bool,

    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EvaluateDevice {
    /// On the graphics card, by the engine that the page has too
    Gpu,
    /// On the processor, by candle's decoders: needs no graphics card, and checks the engine
    Cpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// Named entity recognition with conditional random fields
    Ner,
    /// A dictionary of values seen in training
    Lookup,
}
