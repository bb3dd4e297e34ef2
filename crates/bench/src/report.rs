//! What was measured. Seconds are medians.

use serde::Serialize;

/// All that is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was asked for: a model's name or path, or a shape.
    pub model: String,
    /// The GPU's name, which browsers may hide.
    pub adapter: String,
    /// Vulkan, Metal, Dx12 or BrowserWebGpu.
    pub backend: String,
    /// The driver and its version, where known.
    pub driver: String,
    /// Whether reductions use subgroups.
    pub subgroups: bool,
    /// Whether products of many tokens round their input to bytes.
    pub integer_products: bool,
    /// Bytes of GPU memory that the model takes.
    pub memory_bytes: u64,
    /// Times that each figure was measured.
    pub repeat: usize,
    /// The GPU's own limits.
    pub limits: LimitsReport,
    /// The model's kernels, for several numbers of tokens.
    pub kernels: Vec<KernelReport>,
    /// Reading a text.
    pub prefill: Prefill,
    /// Writing answers, in batches of growing size.
    pub decode: Vec<Decode>,
    /// All features of a text.
    pub features: Features,
    /// Several texts.
    pub catalogue: Catalogue,
}

/// What a person wants to know of the own GPU, in far less time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShortReport {
    /// Reading a text.
    pub prefill: Prefill,
    /// Writing answers, in a few sizes of a batch.
    pub decode: Vec<Decode>,
    /// Features of one text.
    pub features: usize,
    /// Tokens of that text, read once.
    pub text_tokens: usize,
    /// Seconds to ask for one feature at a time, as a dialogue with a model would.
    pub seconds_one_by_one: f64,
    /// Seconds to ask for all of them as an extraction does.
    pub seconds_together: f64,
}

/// What the GPU can do at most, by measuring it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitsReport {
    /// Bytes read and written a second by a plain copy.
    pub copy_bytes_per_second: f64,
    /// Multiply-adds a second in f32.
    pub multiply_adds_per_second: f64,
    /// Seconds of a dispatch that does next to nothing.
    pub dispatch_seconds: f64,
}

/// A kernel of the model: a product, or attention over a text of `columns` tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelReport {
    /// Which product it is, or "attention".
    pub name: &'static str,
    /// Rows of the product's matrix.
    pub rows: usize,
    /// Columns of the product's matrix.
    pub columns: usize,
    /// Rows of the input.
    pub tokens: usize,
    /// Seconds of one dispatch.
    pub seconds: f64,
    /// Of the rate of a plain copy, by the bytes of the weights, or of keys and values.
    pub share_of_copy: f64,
    /// Of the rate of plain multiply-adds.
    pub share_of_multiply_adds: f64,
}

impl KernelReport {
    /// Rows and columns of a product's matrix.
    #[must_use]
    pub fn shape(&self) -> String {
        format!("{} x {}", self.rows, self.columns)
    }
}

/// Reading a text up to the first token of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prefill {
    /// Tokens of text and question.
    pub tokens: usize,
    /// Seconds.
    pub seconds: f64,
    /// Tokens a second.
    pub tokens_per_second: f64,
}

/// Writing `rows` answers together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decode {
    /// Answers written together.
    pub rows: usize,
    /// Seconds of a step, which writes a token of each.
    pub step_seconds: f64,
    /// Tokens a second of all rows.
    pub tokens_per_second: f64,
}

/// The same features of the same text, in ways that build on each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Features {
    /// Features asked for.
    pub count: usize,
    /// Tokens of the text, read once.
    pub text_tokens: usize,
    /// Times that the model reads it.
    pub readings: usize,
    /// Tokens of all answers.
    pub generated_tokens: usize,
    /// The ways, the slowest first.
    pub ladder: Vec<Rung>,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    /// What it has more than the way before.
    pub name: &'static str,
    /// Seconds of all features.
    pub seconds: f64,
    /// The first way's seconds over this one's.
    pub times_faster: f64,
    /// Answers that are those of the first way.
    pub same_answers: usize,
    /// Answers that are those of the way before.
    pub same_as_before: usize,
    /// Steps of decoding.
    pub decode_steps: usize,
    /// Tokens that were tried ahead of their turn.
    pub drafted_tokens: usize,
    /// Those of them that were right.
    pub accepted_tokens: usize,
}

/// A list of short texts with few features each, one text after another and several at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Catalogue {
    /// Texts.
    pub texts: usize,
    /// Tokens of each, read once.
    pub text_tokens: usize,
    /// Features of each.
    pub features: usize,
    /// Seconds of all texts, one after another.
    pub seconds_one_by_one: f64,
    /// Seconds of all texts, several at once.
    pub seconds_together: f64,
}
