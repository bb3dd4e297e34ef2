//! What a model needs of the GPU, known from its headers before anything is loaded.

use std::fmt;

use hangtag_weights::ModelConfig;

use crate::error::EngineError;
use crate::gpu::GpuInfo;
use crate::source::{LinearSource, ModelSource};
use crate::speculation::Speculation;

/// Sizes that are fixed when a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Tokens that the KV cache holds: the prefix and all rows of a batch together.
    pub context_tokens: usize,
    /// Rows that are decoded at once.
    pub max_rows: usize,
    /// Tokens that one submission works on at most; longer prefills take several.
    pub step_tokens: usize,
    /// Refuse to load what needs more than this, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Multiply in f32 throughout. Otherwise products of many tokens with 4-bit and 8-bit weights round their input to 8 bits, with a
    /// scale for every 32 values, where the GPU multiplies bytes.
    pub exact_products: bool,
    /// Whether rows try the tokens that a constraint drafts.
    pub speculation: Speculation,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            context_tokens: 4096,
            max_rows: 64,
            step_tokens: 512,
            memory_limit_bytes: None,
            exact_products: false,
            speculation: Speculation::default(),
        }
    }
}

/// The smallest sizes that are worth a try when memory is short: a short text and a few features.
const SMALLEST_CONTEXT_TOKENS: usize = 512;
const SMALLEST_ROWS: usize = 8;

impl EngineOptions {
    /// The next smaller sizes when memory is short: the batch first, which costs only time, then the context. `None` when nothing smaller is
    /// of use.
    #[must_use]
    pub fn smaller(&self) -> Option<EngineOptions> {
        if self.max_rows > SMALLEST_ROWS {
            let max_rows = (self.max_rows / 4).max(SMALLEST_ROWS);
            let step_tokens = (self.step_tokens / 4).max(max_rows);
            return Some(EngineOptions { max_rows, step_tokens, ..*self });
        }
        let context_tokens = (self.context_tokens / 2).max(SMALLEST_CONTEXT_TOKENS);
        (context_tokens < self.context_tokens).then_some(EngineOptions { context_tokens, ..*self })
    }
}

/// GPU memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The weights.
    pub weights_bytes: u64,
    /// Keys and values of the whole context.
    pub kv_cache_bytes: u64,
    /// Activations, logits and tables.
    pub scratch_bytes: u64,
}

impl MemoryPlan {
    /// All of it.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.weights_bytes + self.kv_cache_bytes + self.scratch_bytes
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{:.0} MiB ({:.0} weights, {:.0} context, {:.0} working memory)",
            mib(self.total_bytes()),
            mib(self.weights_bytes),
            mib(self.kv_cache_bytes),
            mib(self.scratch_bytes)
        )
    }
}

/// What a model needs with these options.
pub(crate) fn plan(
    source: &ModelSource,
    config: &ModelConfig,
    options: &EngineOptions,
) -> MemoryPlan {
    let matrices: u64 = source.linears().map(LinearSource::bytes).sum();
    MemoryPlan {
        weights_bytes: matrices + source.vector_bytes().0,
        kv_cache_bytes: config.num_hidden_layers as u64 * kv_layer_bytes(config, options),
        scratch_bytes: Scratch::of(config, options).total(),
    }
}

/// Bytes of one layer's keys and values.
pub(crate) fn kv_layer_bytes(config: &ModelConfig, options: &EngineOptions) -> u64 {
    4 * (options.context_tokens * config.num_key_value_heads * config.head_dim) as u64
}

/// Logits that room is made for, so that drafted tokens have theirs; rows have theirs in any case.
const DRAFTED_LOGITS_BYTES: usize = 64 << 20;

/// Tokens of a step whose next ones are asked for at most: one a row, and three more that it drafts.
pub(crate) fn max_selected(config: &ModelConfig, options: &EngineOptions) -> usize {
    let rows = options.max_rows;
    if options.speculation == Speculation::Off {
        return rows;
    }
    let held = DRAFTED_LOGITS_BYTES / (4 * config.vocab_size.max(1));
    (4 * rows).min(held).min(options.step_tokens).max(rows)
}

/// Sizes of the working buffers in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scratch {
    pub hidden: u64,
    pub query: u64,
    pub mlp: u64,
    pub turns: u64,
    pub selected_hidden: u64,
    pub logits: u64,
    pub allowed: u64,
}

impl Scratch {
    pub fn of(config: &ModelConfig, options: &EngineOptions) -> Scratch {
        let f32s = |rows: usize, columns: usize| 4 * rows as u64 * columns as u64;
        let (tokens, selected) = (options.step_tokens, max_selected(config, options));
        Scratch {
            hidden: f32s(tokens, config.hidden_size),
            query: f32s(tokens, config.num_attention_heads * config.head_dim),
            mlp: f32s(tokens, config.intermediate_size),
            turns: f32s(options.context_tokens, config.rotary_dim),
            selected_hidden: f32s(selected, config.hidden_size),
            logits: f32s(selected, config.vocab_size),
            allowed: f32s(selected, config.vocab_size.div_ceil(32)),
        }
    }

    /// Residual stream and its norm; query and attention; MLP; selected rows and their norm; logits and masks; turns.
    fn total(&self) -> u64 {
        2 * self.hidden
            + 2 * self.query
            + self.mlp
            + self.turns
            + 2 * self.selected_hidden
            + self.logits
            + self.allowed
    }
}

/// The largest sizes up to `options` with which the model is within the limits, and what it then needs.
pub(crate) fn fit(
    source: &ModelSource,
    config: &ModelConfig,
    options: &EngineOptions,
    info: &GpuInfo,
) -> Result<(EngineOptions, MemoryPlan), EngineError> {
    let mut options = *options;
    loop {
        let plan = plan(source, config, &options);
        match (check_fit(&plan, config, &options, info), options.smaller()) {
            (Ok(()), _) => return Ok((options, plan)),
            (Err(_), Some(smaller)) => options = smaller,
            (Err(error), None) => return Err(error),
        }
    }
}

/// Refuses what is over the caller's limit or over what the GPU can bind.
pub(crate) fn check_fit(
    plan: &MemoryPlan,
    config: &ModelConfig,
    options: &EngineOptions,
    info: &GpuInfo,
) -> Result<(), EngineError> {
    if let Some(limit_bytes) = options.memory_limit_bytes.filter(|l| plan.total_bytes() > *l) {
        return Err(EngineError::OverMemoryLimit { plan: *plan, limit_bytes });
    }
    let scratch = Scratch::of(config, options);
    let buffers = [
        ("the KV cache of a layer", kv_layer_bytes(config, options)),
        ("the MLP's activations", scratch.mlp),
        ("the queries", scratch.query),
        ("the logits", scratch.logits),
        ("the table of rotary turns", scratch.turns),
    ];
    for (what, needed_bytes) in buffers {
        if needed_bytes > info.max_binding_bytes {
            let limit_bytes = info.max_binding_bytes;
            return Err(EngineError::BufferTooLarge { what, needed_bytes, limit_bytes });
        }
    }
    Ok(())
}

/// More than any model reads; products of sizes below it do not overflow.
const MAX_CONTEXT_TOKENS: usize = 1 << 24;

pub(crate) fn check_options(options: &EngineOptions) -> Result<(), EngineError> {
    let EngineOptions { context_tokens, max_rows, step_tokens, .. } = *options;
    if context_tokens == 0
        || context_tokens > MAX_CONTEXT_TOKENS
        || max_rows == 0
        || step_tokens < max_rows
        || step_tokens > 32_768
    {
        return Err(EngineError::Options(format!(
            "the context ({context_tokens} tokens) must be between 1 and {MAX_CONTEXT_TOKENS}, a batch \
             ({max_rows} rows) must not be empty, and a step ({step_tokens} tokens) must hold a token \
             of every row and 32768 at most"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_sizes_are_good_ones_and_end() {
        let mut options = EngineOptions { memory_limit_bytes: Some(7), ..Default::default() };
        let mut seen = vec![];
        while let Some(smaller) = options.smaller() {
            assert!(check_options(&smaller).is_ok(), "{smaller:?}");
            assert_eq!(smaller.memory_limit_bytes, Some(7));
            seen.push((smaller.context_tokens, smaller.max_rows, smaller.step_tokens));
            options = smaller;
        }
        let context = |tokens| (tokens, 8, 32);
        let expected = [(4096, 16, 128), context(4096), context(2048), context(1024), context(512)];
        assert_eq!(seen, expected);
        assert_eq!(EngineOptions { context_tokens: 100, max_rows: 3, ..options }.smaller(), None);
    }

    #[test]
    fn senseless_sizes_are_refused() {
        let refused = |options| check_options(&options).is_err();
        let good = EngineOptions::default();
        assert!(!refused(good));
        assert!(refused(EngineOptions { context_tokens: 0, ..good }));
        assert!(refused(EngineOptions { context_tokens: usize::MAX, ..good }));
        assert!(refused(EngineOptions { max_rows: 0, ..good }));
        assert!(refused(EngineOptions { step_tokens: good.max_rows - 1, ..good }));
    }
}
