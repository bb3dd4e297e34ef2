//! The GPU's own limits, and the model's kernels as a share of them.

use anyhow::Result;
use hangtag_engine::measure::{self, ProductSize};
use hangtag_engine::{Engine, Gpu, ProductInfo};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::failure::failed;

/// Tokens of a decode step of one and of many rows, and of a prefill.
const TOKENS: [usize; 4] = [1, 8, 50, 512];
/// Tokens of the text that attention is measured behind.
const PREFIX_TOKENS: usize = 300;

/// What the GPU can do at most, by measuring it.
#[derive(Serialize)]
pub struct LimitsReport {
    copy_bytes_per_second: f64,
    multiply_adds_per_second: f64,
    dispatch_seconds: f64,
}

/// A kernel of the model: a product, or attention over a text of `columns` tokens.
#[derive(Serialize)]
pub struct KernelReport {
    pub name: &'static str,
    rows: usize,
    columns: usize,
    pub tokens: usize,
    seconds: f64,
    /// Of the rate of a plain copy, by the bytes of the weights, or of keys and values.
    pub share_of_copy: f64,
    /// Of the rate of plain multiply-adds.
    pub share_of_multiply_adds: f64,
}

impl KernelReport {
    /// Rows and columns of a product's matrix.
    pub fn shape(&self) -> String {
        format!("{} x {}", self.rows, self.columns)
    }
}

pub fn limits(gpu: &Gpu) -> Result<LimitsReport> {
    let limits = pollster::block_on(measure::limits(gpu)).map_err(failed)?;
    Ok(LimitsReport {
        copy_bytes_per_second: limits.copy_bytes_per_second,
        multiply_adds_per_second: limits.multiply_adds_per_second,
        dispatch_seconds: limits.dispatch_seconds,
    })
}

/// Steps of the progress bar that [`measure`] takes.
pub fn steps(engine: &Engine) -> usize {
    (engine.products().len() + 1) * TOKENS.len()
}

/// Measures every product of `engine`, and its attention.
pub fn measure(
    engine: &Engine,
    limits: &LimitsReport,
    bar: &ProgressBar,
) -> Result<Vec<KernelReport>> {
    let largest = engine.gpu().describe().max_binding_bytes;
    let mut kernels = Vec::new();
    for info in engine.products() {
        for tokens in TOKENS {
            bar.set_message(info.name);
            bar.inc(1);
            let size = size(info, tokens);
            // The engine takes such a matrix in parts.
            if size.weight_bytes() > largest {
                continue;
            }
            let product = measure::product(engine.gpu(), &size, engine.options().exact_products);
            let seconds = pollster::block_on(product).map_err(failed)?;
            let rate = |amount: u64, limit: f64| amount as f64 / seconds / limit;
            kernels.push(KernelReport {
                name: info.name,
                rows: info.rows,
                columns: info.columns,
                tokens,
                seconds,
                share_of_copy: rate(size.weight_bytes(), limits.copy_bytes_per_second),
                share_of_multiply_adds: rate(size.multiply_adds(), limits.multiply_adds_per_second),
            });
        }
    }
    let config = engine.config();
    for tokens in TOKENS {
        bar.set_message("attention");
        bar.inc(1);
        let slots = PREFIX_TOKENS + tokens * measure::SEGMENT_TOKENS;
        // Keys and values, two bytes each; a multiply-add for each of either.
        let bytes = 4 * slots * config.num_key_value_heads * config.head_dim;
        if bytes as u64 > largest {
            continue;
        }
        let attention = measure::attention(engine.gpu(), config, PREFIX_TOKENS, tokens);
        let seconds = pollster::block_on(attention).map_err(failed)?;
        let seen = PREFIX_TOKENS + measure::SEGMENT_TOKENS;
        let adds = 2 * seen * tokens * config.num_attention_heads * config.head_dim;
        kernels.push(KernelReport {
            name: "attention",
            rows: config.num_attention_heads * config.head_dim,
            columns: PREFIX_TOKENS,
            tokens,
            seconds,
            share_of_copy: bytes as f64 / seconds / limits.copy_bytes_per_second,
            share_of_multiply_adds: adds as f64 / seconds / limits.multiply_adds_per_second,
        });
    }
    Ok(kernels)
}

pub fn size(info: &ProductInfo, tokens: usize) -> ProductSize {
    ProductSize { format: info.format, rows: info.rows, columns: info.columns, tokens }
}

pub fn render(limits: &LimitsReport, kernels: &[KernelReport]) -> String {
    let mut text = format!(
        "Limits    copy {:.0} GB/s, {:.2} T multiply-adds/s, {:.1} µs a dispatch\n",
        limits.copy_bytes_per_second / 1e9,
        limits.multiply_adds_per_second / 1e12,
        limits.dispatch_seconds * 1e6,
    );
    for kernel in kernels {
        let shape = kernel.shape();
        text += &format!(
            "Kernel    {:<17} {shape:<13} {:>3} tokens {:>8.1} µs, {:>3.0}% of copying, {:>3.0}% of multiply-adds\n",
            kernel.name,
            kernel.tokens,
            kernel.seconds * 1e6,
            100.0 * kernel.share_of_copy,
            100.0 * kernel.share_of_multiply_adds,
        );
    }
    text
}
