//! What a GPU can do at most, and what single kernels make of it.
//!
//! A kernel is timed as the difference between a long and a short run of dispatches that each wait for the one
//! before, as a model's do: what a submission costs drops out.

use std::rc::Rc;

use bytemuck::Pod;
use hangtag_weights::ModelConfig;

use crate::error::EngineError;
use crate::gpu::{Gpu, GpuInfo};
use crate::kernel::attention::{self, Attention};
use crate::kernel::elementwise::Elementwise;
use crate::kernel::limits::{CHAINS, Chains};
use crate::kernel::product::Matrix;
use crate::kernel::{self, Form, Inner, Kernel, PLAIN, Step, Token, Variant};
use crate::matrix::{MatrixFormat, TILE_ROWS};
use crate::source::ProductInfo;
use crate::tuning::{self, Choice};

/// The GPU's own limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes read and written a second by a plain copy.
    pub copy_bytes_per_second: f64,
    /// Multiply-adds a second in f32.
    pub multiply_adds_per_second: f64,
    /// Seconds of a dispatch that does next to nothing.
    pub dispatch_seconds: f64,
}

/// A product to measure: `tokens` inputs of `columns` values times a matrix of `rows` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductSize {
    /// How the weights are kept.
    pub format: MatrixFormat,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix; a multiple of 32.
    pub columns: usize,
    /// Rows of the input.
    pub tokens: usize,
}

impl ProductSize {
    /// A product of a step of so many tokens.
    #[must_use]
    pub fn of(info: &ProductInfo, tokens: usize) -> Self {
        Self { format: info.format, rows: info.rows, columns: info.columns, tokens }
    }

    /// Bytes of the weights.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.rows.div_ceil(TILE_ROWS) as u64 * self.format.tile_bytes(self.columns)
    }

    /// Multiply-adds of the product.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        (self.rows * self.columns * self.tokens) as u64
    }
}

/// Bytes of the buffer that is copied: more than caches hold, within the smallest limit of a binding.
const COPY_BYTES: u64 = 120 << 20;
/// Threads, rounds of multiply-adds.
const CHAIN_THREADS: u32 = 1 << 18;
const CHAIN_ROUNDS: u32 = 256;
/// A long run takes about this long.
const RUN_SECONDS: f64 = 1e-3;

/// Measures the GPU's limits.
///
/// # Errors
/// If the GPU fails.
pub async fn limits(gpu: &Gpu) -> Result<Limits, EngineError> {
    let vectors = (COPY_BYTES / 16) as u32;
    let row = 1 << 16;
    let [input, output] = ["copied", "copy"].map(|label| gpu.storage(label, COPY_BYTES));
    let params = Elementwise { size: row };
    let copy = Timed::new(gpu, &kernel::COPY, PLAIN, &params, 0, &[&input, &output]);
    let copy = copy.seconds((row / 64, vectors.div_ceil(row))).await?;

    let values = gpu.storage("chains", 16 * u64::from(CHAIN_THREADS));
    let params = Chains { rounds: CHAIN_ROUNDS, factor: 0.999, summand: 0.001 };
    let chains = Timed::new(gpu, &kernel::MULTIPLY_ADD, PLAIN, &params, 0, &[&values]);
    let multiply_add = chains.seconds((CHAIN_THREADS / 64, 1)).await?;
    let params = Chains { rounds: 1, ..params };
    let dispatch = Timed::new(gpu, &kernel::MULTIPLY_ADD, PLAIN, &params, 0, &[&values]);
    Ok(Limits {
        copy_bytes_per_second: 2.0 * COPY_BYTES as f64 / copy,
        multiply_adds_per_second: f64::from(CHAIN_THREADS * CHAIN_ROUNDS) * CHAINS as f64
            / multiply_add,
        dispatch_seconds: dispatch.seconds((1, 1)).await?,
    })
}

/// Seconds of a product in the form that the engine chooses; `exact`: among those that do not round their input.
///
/// # Errors
/// If the GPU fails.
pub async fn product(gpu: &Gpu, size: &ProductSize, exact: bool) -> Result<f64, EngineError> {
    let GpuInfo { tier, class, .. } = *gpu.describe();
    let integer = tuning::is_integer(tier, size.format, exact);
    let form = Choice::new(class, integer, (size.rows, size.columns)).form(size.tokens);
    Ok(product_form(gpu, form, &[*size]).await?[0])
}

/// Seconds of a layer's attention in a decode step: `tokens` rows behind a prefix of `prefix` tokens.
///
/// # Errors
/// If the GPU fails.
pub async fn attention(
    gpu: &Gpu,
    config: &ModelConfig,
    prefix: usize,
    tokens: usize,
) -> Result<f64, EngineError> {
    let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
    let slots = prefix + tokens * SEGMENT_TOKENS;
    let row = |row: usize| {
        let segment = prefix + row * SEGMENT_TOKENS;
        Token {
            position: (prefix + SEGMENT_TOKENS - 1) as u32,
            prefix: prefix as u32,
            segment: segment as u32,
            slot: (segment + SEGMENT_TOKENS - 1) as u32,
            first: 0,
        }
    };
    let rows: Vec<Token> = (0..tokens).map(row).collect();
    let placed = gpu.storage("tokens", size_of_val(&rows[..]) as u64);
    gpu.queue.write_buffer(&placed, 0, bytemuck::cast_slice(&rows));
    let floats = 4 * (tokens * heads * config.head_dim) as u64;
    let [query, output] = ["query", "attended"].map(|label| gpu.storage(label, floats));
    let cache = gpu.storage("kv cache", 4 * (slots * kv_heads * config.head_dim) as u64);
    let params = Attention {
        num_heads: heads as u32,
        num_kv_heads: kv_heads as u32,
        head_dim: config.head_dim as u32,
        sliding_window: 0,
        slots: slots as u32,
        scale: 1.0,
    };
    let variant = Variant { quads: params.head_dim / 4, ..PLAIN };
    let bound = [&placed, &query, &cache, &output];
    let timed = Timed::new(gpu, &kernel::ATTENTION, variant, &params, tokens, &bound);
    let blocks = (tokens * heads / kv_heads).div_ceil(attention::ROWS);
    timed.seconds((blocks as u32, kv_heads as u32)).await
}

/// Tokens of a row's own segment in [`attention`].
pub const SEGMENT_TOKENS: usize = 16;

/// Forms worth trying for a format on a device: those in use, and what lies around them.
#[must_use]
pub fn forms(gpu: &Gpu, format: MatrixFormat) -> Vec<Form> {
    let rounds = tuning::is_integer(gpu.describe().tier, format, false);
    let mut forms = tuning::FLOAT_FORMS.to_vec();
    if rounds {
        forms.extend(tuning::INTEGER_FORMS.iter().filter(|form| form.inner == Inner::Integer));
    }
    let around = |inner, tokens: &[u32], lanes: &[u32], threads: &[u32]| {
        let mut around = Vec::new();
        for (tokens, lanes) in tokens.iter().flat_map(|t| lanes.iter().map(move |l| (*t, *l))) {
            for (groups, threads) in
                [1, 2, 4, 8, 16].into_iter().flat_map(|g| threads.iter().map(move |t| (g, *t)))
            {
                let split = threads / lanes / groups;
                around.push(Form { lanes, split, groups, tokens, inner });
            }
        }
        around
    };
    let mut more = around(Inner::Float, &[1, 2], &[4, 8], &[128]);
    more.extend(around(Inner::Tiled, &[4, 8], &[8, 16], &[64, 128, 256]));
    if rounds {
        more.extend(around(Inner::Integer, &[1, 2, 8], &[4, 8, 16], &[128, 256]));
    }
    for form in more {
        if form.split > 0 && form.fits() && !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// Seconds of products of each of `sizes`, all of one format, in a form.
///
/// # Errors
/// If the GPU fails.
pub async fn product_form(
    gpu: &Gpu,
    form: Form,
    sizes: &[ProductSize],
) -> Result<Vec<f64>, EngineError> {
    let Some(format) = sizes.first().map(|size| size.format) else { return Ok(Vec::new()) };
    let pipeline = Rc::new(kernel::PRODUCT.compile(gpu, Variant { format, form, ..PLAIN }));
    let mut seconds = Vec::new();
    for &ProductSize { rows, columns, tokens, .. } in sizes {
        let tiles = rows.div_ceil(TILE_ROWS);
        let words = |count: usize| 4 * (tiles * count) as u64;
        let weights = gpu.storage("weights", words(format.tile_words(columns)));
        let scales = gpu.storage("scales", words(format.tile_scales(columns)));
        let input = gpu.storage("input", 4 * (tokens * columns) as u64);
        let output = gpu.storage("output", 4 * (tokens * rows) as u64);
        let params = Matrix {
            rows: rows as u32,
            columns: columns as u32,
            first_row: 0,
            all_rows: rows as u32,
            has_bias: 0,
            accumulate: 0,
        };
        let bound = [&weights, &scales, &input, &scales, &output];
        let timed = Timed::of(gpu, Rc::clone(&pipeline), &params, tokens, &bound);
        seconds.push(timed.seconds(form.grid(rows, tokens)).await?);
    }
    Ok(seconds)
}

/// A kernel with all that it is bound to.
struct Timed<'a> {
    gpu: &'a Gpu,
    pipeline: Rc<kernel::Pipeline>,
    group: wgpu::BindGroup,
    step: wgpu::BindGroup,
}

impl<'a> Timed<'a> {
    fn new<P: Pod>(
        gpu: &'a Gpu,
        kernel: &'static Kernel,
        variant: Variant,
        params: &P,
        count: usize,
        buffers: &[&wgpu::Buffer],
    ) -> Self {
        Timed::of(gpu, Rc::new(kernel.compile(gpu, variant)), params, count, buffers)
    }

    fn of<P: Pod>(
        gpu: &'a Gpu,
        pipeline: Rc<kernel::Pipeline>,
        params: &P,
        count: usize,
        buffers: &[&wgpu::Buffer],
    ) -> Self {
        let group = pipeline.bind(gpu, &gpu.uniform("params", params), buffers);
        let step = gpu.uniform("step", &Step { count: count as u32, constrained: 0 });
        let step = kernel::step_group(gpu, &step);
        Timed { gpu, pipeline, group, step }
    }

    /// Seconds of one dispatch.
    async fn seconds(&self, grid: (u32, u32)) -> Result<f64, EngineError> {
        self.run(grid, 1).await?;
        let first = self.run(grid, 4).await? / 4.0;
        let count = (RUN_SECONDS / first).clamp(2.0, 400.0) as u32;
        let mut differences = [0.0; 5];
        for difference in &mut differences {
            let short = self.run(grid, count).await?;
            let long = self.run(grid, 3 * count).await?;
            *difference = (long - short) / f64::from(2 * count);
        }
        // Of the differences the median: each is off to either side when something else runs.
        differences.sort_by(f64::total_cmp);
        // A clock too coarse for the difference gives the plain time of a dispatch.
        Ok(if differences[2] > 0.0 { differences[2] } else { first })
    }

    async fn run(&self, (x, y): (u32, u32), dispatches: u32) -> Result<f64, EngineError> {
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.set_bind_group(1, &self.step, &[]);
        for _ in 0..dispatches {
            pass.dispatch_workgroups(x, y, 1);
        }
        drop(pass);
        let commands = encoder.finish();
        let start = web_time::Instant::now();
        self.gpu.queue.submit([commands]);
        self.gpu.finish().await?;
        Ok(start.elapsed().as_secs_f64())
    }
}
