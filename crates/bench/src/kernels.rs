//! The GPU's own limits, and the model's kernels as a share of them.

use hangtag_engine::measure::{self, ProductSize};
use hangtag_engine::{Engine, Gpu, ProductInfo};

use crate::BenchError;
use crate::progress::Watch;
use crate::report::{KernelReport, LimitsReport};

/// Tokens of a decode step of one and of many rows, and of a prefill.
const TOKENS: [usize; 4] = [1, 8, 50, 512];
/// Tokens of the text that attention is measured behind.
const PREFIX_TOKENS: usize = 300;

pub async fn limits(gpu: &Gpu) -> Result<LimitsReport, BenchError> {
    let limits = measure::limits(gpu).await?;
    Ok(LimitsReport {
        copy_bytes_per_second: limits.copy_bytes_per_second,
        multiply_adds_per_second: limits.multiply_adds_per_second,
        dispatch_seconds: limits.dispatch_seconds,
    })
}

/// Steps that [`measure`] takes.
pub fn steps(engine: &Engine) -> usize {
    (engine.products().len() + 1) * TOKENS.len()
}

/// Measures every product of `engine`, and its attention.
pub async fn measure(
    engine: &Engine,
    limits: &LimitsReport,
    watch: &mut Watch<'_>,
) -> Result<Vec<KernelReport>, BenchError> {
    let mut kernels = Vec::new();
    for info in engine.products() {
        for tokens in TOKENS {
            watch.begin(info.name)?;
            kernels.extend(product(engine, info, tokens, limits).await?);
            watch.end()?;
        }
    }
    for tokens in TOKENS {
        watch.begin("attention")?;
        kernels.extend(attention(engine, tokens, limits).await?);
        watch.end()?;
    }
    Ok(kernels)
}

/// None of a matrix that the engine takes in parts.
async fn product(
    engine: &Engine,
    info: &ProductInfo,
    tokens: usize,
    limits: &LimitsReport,
) -> Result<Option<KernelReport>, BenchError> {
    let size = ProductSize::of(info, tokens);
    if size.weight_bytes() > engine.gpu().describe().max_binding_bytes {
        return Ok(None);
    }
    let seconds = measure::product(engine.gpu(), &size, engine.options().exact_products).await?;
    let rate = |amount: u64, limit: f64| amount as f64 / seconds / limit;
    Ok(Some(KernelReport {
        name: info.name,
        rows: info.rows,
        columns: info.columns,
        tokens,
        seconds,
        share_of_copy: rate(size.weight_bytes(), limits.copy_bytes_per_second),
        share_of_multiply_adds: rate(size.multiply_adds(), limits.multiply_adds_per_second),
    }))
}

/// None where keys and values are more than the GPU binds at once.
async fn attention(
    engine: &Engine,
    tokens: usize,
    limits: &LimitsReport,
) -> Result<Option<KernelReport>, BenchError> {
    let config = engine.config();
    let slots = PREFIX_TOKENS + tokens * measure::SEGMENT_TOKENS;
    // Keys and values, two bytes each; a multiply-add for each of either.
    let bytes = 4 * slots * config.num_key_value_heads * config.head_dim;
    if bytes as u64 > engine.gpu().describe().max_binding_bytes {
        return Ok(None);
    }
    let seconds = measure::attention(engine.gpu(), config, PREFIX_TOKENS, tokens).await?;
    let seen = PREFIX_TOKENS + measure::SEGMENT_TOKENS;
    let adds = 2 * seen * tokens * config.num_attention_heads * config.head_dim;
    Ok(Some(KernelReport {
        name: "attention",
        rows: config.num_attention_heads * config.head_dim,
        columns: PREFIX_TOKENS,
        tokens,
        seconds,
        share_of_copy: bytes as f64 / seconds / limits.copy_bytes_per_second,
        share_of_multiply_adds: adds as f64 / seconds / limits.multiply_adds_per_second,
    }))
}
