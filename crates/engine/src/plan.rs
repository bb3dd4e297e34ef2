//! What a model needs of the GPU, known from its headers before anything is loaded.

use std::fmt;
use std::ops::Range;

use hangtag_weights::{ByteSource, Gguf, Mlp, ModelConfig, Norm, TensorInfo};

use crate::error::EngineError;
use crate::gpu::GpuInfo;
use crate::matrix::{MatrixFormat, TILE_ROWS};

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
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { context_tokens: 4096, max_rows: 64, step_tokens: 512, memory_limit_bytes: None }
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

/// Where a linear layer, or a part of a fused one, stands in the file.
#[derive(Debug, Clone)]
pub(crate) struct LinearSource {
    pub weight: TensorInfo,
    pub bias: Option<TensorInfo>,
    /// Rows of the tensor that are this layer's.
    pub rows: Range<usize>,
}

impl LinearSource {
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn columns(&self) -> usize {
        self.weight.columns()
    }

    pub fn format(&self) -> MatrixFormat {
        MatrixFormat::of(self.weight.dtype)
    }

    fn bytes(&self) -> u64 {
        self.num_rows().div_ceil(TILE_ROWS) as u64 * self.format().tile_bytes(self.columns())
    }
}

/// A norm's weight and, for LayerNorm, bias.
#[derive(Debug, Clone)]
pub(crate) struct NormSource {
    pub weight: TensorInfo,
    pub bias: Option<TensorInfo>,
}

/// The tensors of one decoder block.
#[derive(Debug, Clone)]
pub(crate) struct BlockSource {
    pub attention_norm: NormSource,
    pub query: LinearSource,
    pub key: LinearSource,
    pub value: LinearSource,
    pub attention_output: LinearSource,
    /// None in parallel blocks, whose MLP reads the attention's norm.
    pub mlp_norm: Option<NormSource>,
    pub gate: Option<LinearSource>,
    pub up: LinearSource,
    pub down: LinearSource,
}

/// The tensors of a model, found and of the right shape.
#[derive(Debug, Clone)]
pub(crate) struct ModelSource {
    pub embedding: LinearSource,
    pub blocks: Vec<BlockSource>,
    pub output_norm: NormSource,
    /// None if the embedding is the output layer too.
    pub output: Option<LinearSource>,
}

impl ModelSource {
    /// Finds every tensor that the configuration asks for.
    pub fn find<S: ByteSource>(
        gguf: &Gguf<S>,
        config: &ModelConfig,
    ) -> Result<ModelSource, EngineError> {
        check_config(config)?;
        let finder = Finder { gguf, config };
        let blocks = (0..config.num_hidden_layers).map(|layer| finder.block(layer));
        Ok(ModelSource {
            embedding: finder.linear("token_embd", config.vocab_size, config.hidden_size)?,
            blocks: blocks.collect::<Result<_, _>>()?,
            output_norm: finder.norm("output_norm")?,
            output: if config.tie_word_embeddings {
                None
            } else {
                Some(finder.linear("output", config.vocab_size, config.hidden_size)?)
            },
        })
    }

    /// Every matrix.
    pub fn linears(&self) -> impl Iterator<Item = &LinearSource> {
        let blocks = self.blocks.iter().flat_map(|b| {
            [&b.query, &b.key, &b.value, &b.attention_output, &b.up, &b.down]
                .into_iter()
                .chain(b.gate.as_ref())
        });
        std::iter::once(&self.embedding).chain(blocks).chain(self.output.as_ref())
    }

    fn vectors(&self) -> impl Iterator<Item = &TensorInfo> {
        let norms = self
            .blocks
            .iter()
            .flat_map(|b| std::iter::once(&b.attention_norm).chain(b.mlp_norm.as_ref()))
            .chain(std::iter::once(&self.output_norm));
        let norms = norms.flat_map(|n| std::iter::once(&n.weight).chain(n.bias.as_ref()));
        norms.chain(self.linears().filter_map(|l| l.bias.as_ref()))
    }

    /// Bytes that loading reads from the file.
    pub fn file_bytes(&self) -> u64 {
        let matrices = self.linears().map(|l| (l.num_rows() * l.weight.row_bytes()) as u64);
        matrices.sum::<u64>() + self.vectors().map(|v| v.num_bytes() as u64).sum::<u64>()
    }

    /// What the model needs with these options.
    pub fn plan(&self, config: &ModelConfig, options: &EngineOptions) -> MemoryPlan {
        let vectors = self.vectors().map(|v| 4 * v.num_elements() as u64);
        MemoryPlan {
            weights_bytes: self.linears().map(LinearSource::bytes).sum::<u64>()
                + vectors.sum::<u64>(),
            kv_cache_bytes: 2 * config.num_hidden_layers as u64 * kv_layer_bytes(config, options),
            scratch_bytes: Scratch::of(config, options).total(),
        }
    }
}

/// Bytes of one layer's keys (or values).
pub(crate) fn kv_layer_bytes(config: &ModelConfig, options: &EngineOptions) -> u64 {
    2 * (options.context_tokens * config.num_key_value_heads * config.head_dim) as u64
}

/// Sizes of the working buffers in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scratch {
    pub hidden: u64,
    pub query: u64,
    pub key_value: u64,
    pub mlp: u64,
    pub turns: u64,
    pub selected_hidden: u64,
    pub logits: u64,
}

impl Scratch {
    pub fn of(config: &ModelConfig, options: &EngineOptions) -> Scratch {
        let f32s = |rows: usize, columns: usize| 4 * rows as u64 * columns as u64;
        let tokens = options.step_tokens;
        Scratch {
            hidden: f32s(tokens, config.hidden_size),
            query: f32s(tokens, config.num_attention_heads * config.head_dim),
            key_value: f32s(tokens, config.num_key_value_heads * config.head_dim),
            mlp: f32s(tokens, config.intermediate_size),
            turns: f32s(options.context_tokens, config.rotary_dim),
            selected_hidden: f32s(options.max_rows, config.hidden_size),
            logits: f32s(options.max_rows, config.vocab_size),
        }
    }

    /// Residual stream and its norm; query, rotated query and attention; key and value; gate and up;
    /// selected rows and their norm.
    fn total(&self) -> u64 {
        2 * self.hidden
            + 3 * self.query
            + 2 * self.key_value
            + 2 * self.mlp
            + self.turns
            + 2 * self.selected_hidden
            + self.logits
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

fn check_config(config: &ModelConfig) -> Result<(), EngineError> {
    let unsupported = |what, found, rule| Err(EngineError::Unsupported { what, found, rule });
    if !config.head_dim.is_multiple_of(4) || config.head_dim > 256 {
        return unsupported("head_dim", config.head_dim, "a multiple of 4 and at most 256");
    }
    if !config.hidden_size.is_multiple_of(8) {
        return unsupported("hidden_size", config.hidden_size, "a multiple of 8");
    }
    if !config.intermediate_size.is_multiple_of(8) {
        return unsupported("intermediate_size", config.intermediate_size, "a multiple of 8");
    }
    if config.rotary_dim == 0 || config.rotary_dim > config.head_dim || config.rotary_dim % 2 == 1 {
        return unsupported("rotary_dim", config.rotary_dim, "even, positive and within head_dim");
    }
    Ok(())
}

struct Finder<'a, S> {
    gguf: &'a Gguf<S>,
    config: &'a ModelConfig,
}

impl<S: ByteSource> Finder<'_, S> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<TensorInfo, EngineError> {
        let tensor = self.gguf.tensor(name)?;
        if tensor.shape != shape {
            return Err(EngineError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(tensor.clone())
    }

    fn bias(&self, name: &str, size: usize) -> Result<Option<TensorInfo>, EngineError> {
        let name = format!("{name}.bias");
        self.gguf.has_tensor(&name).then(|| self.tensor(&name, &[size])).transpose()
    }

    fn linear(&self, name: &str, rows: usize, columns: usize) -> Result<LinearSource, EngineError> {
        self.linear_part(name, rows, columns, 0..rows)
    }

    fn linear_part(
        &self,
        name: &str,
        all_rows: usize,
        columns: usize,
        rows: Range<usize>,
    ) -> Result<LinearSource, EngineError> {
        let weight = self.tensor(&format!("{name}.weight"), &[all_rows, columns])?;
        let bias = self.bias(name, all_rows)?;
        if !columns.is_multiple_of(MatrixFormat::of(weight.dtype).column_multiple()) {
            let rule = "a multiple of 32 for quantised weights, of 8 for others";
            let what = "the number of a matrix's columns";
            return Err(EngineError::Unsupported { what, found: columns, rule });
        }
        Ok(LinearSource { weight, bias, rows })
    }

    fn norm(&self, name: &str) -> Result<NormSource, EngineError> {
        let size = self.config.hidden_size;
        let weight = self.tensor(&format!("{name}.weight"), &[size])?;
        let bias = match self.config.norm {
            Norm::RmsNorm => None,
            Norm::LayerNorm => Some(self.tensor(&format!("{name}.bias"), &[size])?),
        };
        Ok(NormSource { weight, bias })
    }

    /// Query, key and value, from one tensor or from three.
    fn query_key_value(&self, prefix: &str) -> Result<[LinearSource; 3], EngineError> {
        let config = self.config;
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let (all, columns) = (query + 2 * kv, config.hidden_size);
        let fused = format!("{prefix}.attn_qkv");
        if self.gguf.has_tensor(&format!("{fused}.weight")) {
            return Ok([
                self.linear_part(&fused, all, columns, 0..query)?,
                self.linear_part(&fused, all, columns, query..query + kv)?,
                self.linear_part(&fused, all, columns, query + kv..all)?,
            ]);
        }
        Ok([
            self.linear(&format!("{prefix}.attn_q"), query, columns)?,
            self.linear(&format!("{prefix}.attn_k"), kv, columns)?,
            self.linear(&format!("{prefix}.attn_v"), kv, columns)?,
        ])
    }

    fn block(&self, layer: usize) -> Result<BlockSource, EngineError> {
        let config = self.config;
        let prefix = format!("blk.{layer}");
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let heads = config.num_attention_heads * config.head_dim;
        let [query, key, value] = self.query_key_value(&prefix)?;
        let gated = config.mlp == Mlp::SwiGlu;
        let gate = gated.then(|| self.linear(&format!("{prefix}.ffn_gate"), inner, hidden));
        let sequential = !config.parallel_block;
        let mlp_norm = sequential.then(|| self.norm(&format!("{prefix}.ffn_norm")));
        Ok(BlockSource {
            attention_norm: self.norm(&format!("{prefix}.attn_norm"))?,
            query,
            key,
            value,
            attention_output: self.linear(&format!("{prefix}.attn_output"), hidden, heads)?,
            mlp_norm: mlp_norm.transpose()?,
            gate: gate.transpose()?,
            up: self.linear(&format!("{prefix}.ffn_up"), inner, hidden)?,
            down: self.linear(&format!("{prefix}.ffn_down"), hidden, inner)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
