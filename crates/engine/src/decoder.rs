//! The decoder on the GPU: its buffers and the fixed list of dispatches of a step.
//!
//! One description serves both families (see `ModelConfig`). Everything is bound when the model is
//! loaded; a step only writes its tokens and runs the list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytemuck::Pod;
use hangtag_weights::{ByteSource, Gguf, Mlp, ModelConfig};

use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::kernel::attention::{self, Attention};
use crate::kernel::elementwise::Elementwise;
use crate::kernel::norm::Norm;
use crate::kernel::product::{Matrix, Rotary, turns};
use crate::kernel::{self, Kernel, PLAIN, Pipeline, Step, Token, Variant};
use crate::load::{Linear, LoadProgress, Loader, NormWeights};
use crate::plan::{EngineOptions, Scratch, kv_layer_bytes, max_selected};
use crate::source::{BlockSource, ModelSource};
use crate::tuning::{self, Choice};

/// The tokens of one step, of any rows and positions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub ids: Vec<u32>,
    pub tokens: Vec<Token>,
    /// Indices of the tokens whose next token is asked for.
    pub selected: Vec<u32>,
    /// Of each selected token the tokens that may come next, (selected, vocab_size / 32) words of bits; empty: any.
    pub allowed: Vec<u32>,
}

impl Batch {
    /// Adds tokens for whose next ones nobody asks.
    pub fn append(&mut self, other: Batch) {
        self.ids.extend(other.ids);
        self.tokens.extend(other.tokens);
    }

    /// The tokens in batches of at most `step_tokens`.
    pub fn split(&self, step_tokens: usize) -> impl Iterator<Item = Batch> {
        let chunks = self.ids.chunks(step_tokens).zip(self.tokens.chunks(step_tokens));
        chunks.map(|(ids, tokens)| Batch {
            ids: ids.to_vec(),
            tokens: tokens.to_vec(),
            ..Batch::default()
        })
    }
}

/// A next token and its probability.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Chosen {
    pub id: u32,
    pub probability: f32,
}

#[derive(Debug)]
pub(crate) struct Decoder {
    io: Io,
    body: Vec<Dispatch>,
    head: Vec<Dispatch>,
    vocab_size: usize,
    /// Of different sizes, since a step of drafted tokens and one of what is left after it follow each other.
    prepared: RefCell<Vec<Prepared>>,
}

/// Decode steps that are kept encoded; of more the oldest goes.
const MAX_PREPARED: usize = 8;

/// A decode step of `tokens` tokens, encoded while the GPU was busy with another step. It serves fewer tokens too: what it
/// computes for those that are not there is not read.
#[derive(Debug)]
struct Prepared {
    tokens: usize,
    commands: wgpu::CommandBuffer,
}

impl Prepared {
    /// Whether it serves a step of so many tokens without much more work than they need.
    fn serves(&self, tokens: usize) -> bool {
        (3 * self.tokens / 4..=self.tokens).contains(&tokens)
    }
}

/// What a step reads and leaves.
#[derive(Debug)]
struct Io {
    ids: wgpu::Buffer,
    tokens: wgpu::Buffer,
    selected: wgpu::Buffer,
    logits: wgpu::Buffer,
    allowed: wgpu::Buffer,
    chosen: wgpu::Buffer,
    chosen_readback: wgpu::Buffer,
    token_step: wgpu::Buffer,
    token_group: wgpu::BindGroup,
    selected_step: wgpu::Buffer,
    selected_group: wgpu::BindGroup,
}

#[derive(Debug)]
struct Dispatch {
    /// One, or of a product one of each form in use.
    pipelines: Vec<Rc<Pipeline>>,
    group: wgpu::BindGroup,
    grid: Grid,
}

/// Workgroups of a dispatch for `count` tokens.
#[derive(Debug)]
enum Grid {
    /// (count, 1)
    Tokens,
    /// (n, count)
    PerToken(u32),
    /// (blocks of query rows, n)
    Attention { heads: usize, kv_heads: usize },
    /// As the form for a matrix of so many rows has it; there is a pipeline for each form of the choice.
    Product { rows: usize, choice: Choice },
}

/// The working buffers of a step.
struct Buffers {
    hidden: wgpu::Buffer,
    normed: wgpu::Buffer,
    query: wgpu::Buffer,
    attended: wgpu::Buffer,
    inner: wgpu::Buffer,
    turns: wgpu::Buffer,
    selected_hidden: wgpu::Buffer,
    selected_normed: wgpu::Buffer,
}

impl Decoder {
    pub async fn load<S: ByteSource>(
        gpu: &Gpu,
        gguf: &Gguf<S>,
        source: &ModelSource,
        config: &ModelConfig,
        options: &EngineOptions,
        progress: impl FnMut(LoadProgress),
    ) -> Result<Decoder, EngineError> {
        let scratch = Scratch::of(config, options);
        let buffers = Buffers::new(gpu, config, options, &scratch);
        let io = Io::new(gpu, options, max_selected(config, options), &scratch);
        let mut loader = Loader::new(gpu, gguf, source.file_bytes(), progress);
        let (pipelines, dispatches) = (HashMap::new(), Vec::new());
        let mut list = Builder { gpu, config, options, pipelines, dispatches };

        let embedding = loader.linear(&source.embedding).await?;
        list.embed(&embedding, &io, &buffers);
        for block in &source.blocks {
            let cache = gpu.storage("kv cache", kv_layer_bytes(config, options));
            list.block(&mut loader, block, &io, &buffers, &cache).await?;
        }
        let body = std::mem::take(&mut list.dispatches);

        let norm = loader.norm(&source.output_norm).await?;
        let output = match &source.output {
            Some(output) => loader.linear(output).await?,
            None => embedding,
        };
        list.head(&norm, &output, &io, &buffers);
        let (head, vocab_size) = (list.dispatches, config.vocab_size);
        Ok(Decoder { io, body, head, vocab_size, prepared: RefCell::default() })
    }

    /// Runs a step; the chosen tokens of `batch.selected`, in that order. A decode step of about `next` tokens is likely to
    /// follow, now or after another text.
    pub async fn step(
        &self,
        gpu: &Gpu,
        batch: &Batch,
        next: usize,
    ) -> Result<Vec<Chosen>, EngineError> {
        self.write(gpu, batch);
        let (tokens, selected) = (batch.ids.len(), batch.selected.len());
        let prepared = if tokens == selected { self.take_prepared(tokens) } else { None };
        let commands = prepared.unwrap_or_else(|| self.encode(gpu, tokens, selected));
        gpu.queue.submit([commands]);
        if selected == 0 {
            gpu.finish().await?;
            return Ok(Vec::new());
        }
        self.prepare(gpu, next);
        gpu.read(&self.io.chosen_readback, selected).await
    }

    /// The smallest step encoded already that serves so many tokens.
    fn take_prepared(&self, tokens: usize) -> Option<wgpu::CommandBuffer> {
        let mut prepared = self.prepared.borrow_mut();
        let serving = prepared.iter().enumerate().filter(|(_, step)| step.serves(tokens));
        let (place, _) = serving.min_by_key(|(_, step)| step.tokens)?;
        Some(prepared.remove(place).commands)
    }

    /// Encodes a decode step, unless one is there that serves as many tokens.
    fn prepare(&self, gpu: &Gpu, tokens: usize) {
        let mut prepared = self.prepared.borrow_mut();
        if prepared.iter().any(|step| step.serves(tokens)) {
            return;
        }
        if prepared.len() == MAX_PREPARED {
            prepared.remove(0);
        }
        prepared.push(Prepared { tokens, commands: self.encode(gpu, tokens, tokens) });
    }

    /// Runs a step; the logits (selected, vocab_size).
    pub async fn logits(&self, gpu: &Gpu, batch: &Batch) -> Result<Vec<f32>, EngineError> {
        self.write(gpu, batch);
        let count = batch.selected.len() * self.vocab_size;
        let readback = gpu.readback("logits", 4 * count as u64);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.io.logits, 0, &readback, 0, 4 * count as u64);
        let step = self.encode(gpu, batch.ids.len(), batch.selected.len());
        gpu.queue.submit([step, encoder.finish()]);
        gpu.read(&readback, count).await
    }

    /// Queues what a step reads.
    fn write(&self, gpu: &Gpu, batch: &Batch) {
        let io = &self.io;
        let write = |buffer, bytes: &[u8]| gpu.queue.write_buffer(buffer, 0, bytes);
        write(&io.ids, bytemuck::cast_slice(&batch.ids));
        write(&io.tokens, bytemuck::cast_slice(&batch.tokens));
        write(&io.selected, bytemuck::cast_slice(&batch.selected));
        write(&io.allowed, bytemuck::cast_slice(&batch.allowed));
        let constrained = u32::from(!batch.allowed.is_empty());
        let step = |count: usize| Step { count: count as u32, constrained };
        write(&io.token_step, bytemuck::bytes_of(&step(batch.ids.len())));
        write(&io.selected_step, bytemuck::bytes_of(&step(batch.selected.len())));
    }

    /// A step of so many tokens, of which so many are selected.
    fn encode(&self, gpu: &Gpu, tokens: usize, selected: usize) -> wgpu::CommandBuffer {
        let io = &self.io;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_bind_group(1, &io.token_group, &[]);
        for dispatch in &self.body {
            dispatch.encode(&mut pass, tokens);
        }
        if selected > 0 {
            pass.set_bind_group(1, &io.selected_group, &[]);
            for dispatch in &self.head {
                dispatch.encode(&mut pass, selected);
            }
        }
        drop(pass);
        if selected > 0 {
            let bytes = (selected * size_of::<Chosen>()) as u64;
            encoder.copy_buffer_to_buffer(&io.chosen, 0, &io.chosen_readback, 0, bytes);
        }
        encoder.finish()
    }
}

impl Dispatch {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>, count: usize) {
        let tokens = count as u32;
        let (pipeline, (x, y)) = match &self.grid {
            Grid::Tokens => (0, (tokens, 1)),
            Grid::PerToken(n) => (0, (*n, tokens)),
            Grid::Attention { heads, kv_heads } => {
                let rows = count * heads / kv_heads;
                (0, (rows.div_ceil(attention::ROWS) as u32, *kv_heads as u32))
            }
            Grid::Product { rows, choice } => {
                (choice.place(count), choice.form(count).grid(*rows, count))
            }
        };
        pass.set_pipeline(&self.pipelines[pipeline].pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }
}

impl Io {
    fn new(gpu: &Gpu, options: &EngineOptions, max_selected: usize, scratch: &Scratch) -> Io {
        let words = |count: usize| 4 * count as u64;
        let step = |label| {
            let buffer = gpu.uniform(label, &Step { count: 0, constrained: 0 });
            let group = kernel::step_group(gpu, &buffer);
            (buffer, group)
        };
        let (token_step, token_group) = step("tokens of the step");
        let (selected_step, selected_group) = step("selected rows of the step");
        let chosen = max_selected as u64 * size_of::<Chosen>() as u64;
        Io {
            ids: gpu.storage("token ids", words(options.step_tokens)),
            tokens: gpu.storage("tokens", (size_of::<Token>() * options.step_tokens) as u64),
            selected: gpu.storage("selected", words(max_selected)),
            logits: gpu.storage("logits", scratch.logits),
            allowed: gpu.storage("allowed", scratch.allowed),
            chosen: gpu.storage("chosen", chosen),
            chosen_readback: gpu.readback("chosen", chosen),
            token_step,
            token_group,
            selected_step,
            selected_group,
        }
    }
}

impl Buffers {
    fn new(gpu: &Gpu, config: &ModelConfig, options: &EngineOptions, scratch: &Scratch) -> Self {
        let table = turns(options.context_tokens, config.rotary_dim, config.rope_theta);
        let turns = gpu.storage("turns", scratch.turns);
        gpu.queue.write_buffer(&turns, 0, bytemuck::cast_slice(&table));
        Buffers {
            hidden: gpu.storage("hidden", scratch.hidden),
            normed: gpu.storage("normed", scratch.hidden),
            query: gpu.storage("query", scratch.query),
            attended: gpu.storage("attended", scratch.query),
            inner: gpu.storage("inner", scratch.mlp),
            turns,
            selected_hidden: gpu.storage("selected hidden", scratch.selected_hidden),
            selected_normed: gpu.storage("selected normed", scratch.selected_hidden),
        }
    }
}

/// Makes the list of dispatches, compiling each kernel once.
struct Builder<'a> {
    gpu: &'a Gpu,
    config: &'a ModelConfig,
    options: &'a EngineOptions,
    pipelines: HashMap<(&'static str, Variant), Rc<Pipeline>>,
    dispatches: Vec<Dispatch>,
}

impl Builder<'_> {
    fn pipeline(&mut self, kernel: &'static Kernel, variant: Variant) -> Rc<Pipeline> {
        let gpu = self.gpu;
        let make = || Rc::new(kernel.compile(gpu, variant));
        Rc::clone(self.pipelines.entry((kernel.name, variant)).or_insert_with(make))
    }

    fn push<P: Pod>(
        &mut self,
        kernel: &'static Kernel,
        params: &P,
        buffers: &[&wgpu::Buffer],
        grid: Grid,
    ) {
        self.push_variant(kernel, PLAIN, params, buffers, grid);
    }

    fn push_variant<P: Pod>(
        &mut self,
        kernel: &'static Kernel,
        variant: Variant,
        params: &P,
        buffers: &[&wgpu::Buffer],
        grid: Grid,
    ) {
        let pipeline = self.pipeline(kernel, variant);
        let params = self.gpu.uniform(kernel.name, params);
        let group = pipeline.bind(self.gpu, &params, buffers);
        self.dispatches.push(Dispatch { pipelines: vec![pipeline], group, grid });
    }

    fn embed(&mut self, embedding: &Linear, io: &Io, buffers: &Buffers) {
        let pipeline = self.pipeline(&kernel::EMBED, Variant { format: embedding.format, ..PLAIN });
        for (params, part) in matrix_params(embedding, false) {
            let params = self.gpu.uniform("embed", &params);
            let bound = [&part.words, &part.scales, &io.ids, &buffers.hidden];
            let group = pipeline.bind(self.gpu, &params, &bound);
            let grid = Grid::PerToken((embedding.columns / 8).div_ceil(64) as u32);
            let pipelines = vec![Rc::clone(&pipeline)];
            self.dispatches.push(Dispatch { pipelines, group, grid });
        }
    }

    /// `kernel` is one of the products; `rest` are its bindings after the bias.
    fn product(
        &mut self,
        kernel: &'static Kernel,
        linear: &Linear,
        accumulate: bool,
        input: &wgpu::Buffer,
        rest: &[&wgpu::Buffer],
    ) {
        self.product_of(self.options.step_tokens, kernel, linear, accumulate, input, rest);
    }

    /// [`Self::product`] of at most `most` tokens. Only the forms that these can need are compiled.
    fn product_of(
        &mut self,
        most: usize,
        kernel: &'static Kernel,
        linear: &Linear,
        accumulate: bool,
        input: &wgpu::Buffer,
        rest: &[&wgpu::Buffer],
    ) {
        let (tier, class) = (self.gpu.describe().tier, self.gpu.describe().class);
        let integer = tuning::is_integer(tier, linear.format, self.options.exact_products);
        let variant = |form| Variant { format: linear.format, form, ..PLAIN };
        for (params, part) in matrix_params(linear, accumulate) {
            let size = (part.rows.len(), linear.columns);
            let choice = Choice::new(class, integer, size).up_to(most);
            let pipelines: Vec<_> =
                choice.forms().map(|form| self.pipeline(kernel, variant(form))).collect();
            let params = self.gpu.uniform(kernel.name, &params);
            // Without a bias something must be bound all the same, and it is not read.
            let bias = linear.bias.as_ref().unwrap_or(&part.scales);
            let bound = [&[&part.words, &part.scales, input, bias], rest].concat();
            // Forms differ in their text only: any of them makes the binding for all.
            let group = pipelines[0].bind(self.gpu, &params, &bound);
            let grid = Grid::Product { rows: size.0, choice };
            self.dispatches.push(Dispatch { pipelines, group, grid });
        }
    }

    fn norm(&mut self, norm: &NormWeights, input: &wgpu::Buffer, output: &wgpu::Buffer) {
        let size = self.config.hidden_size as u32;
        let params = Norm { size, epsilon: self.config.norm_eps };
        match &norm.bias {
            None => {
                let bound = [input, &norm.weight, output];
                self.push(&kernel::RMS_NORM, &params, &bound, Grid::Tokens);
            }
            Some(bias) => {
                let bound = [input, &norm.weight, bias, output];
                self.push(&kernel::LAYER_NORM, &params, &bound, Grid::Tokens);
            }
        }
    }

    async fn block<S: ByteSource, F: FnMut(LoadProgress)>(
        &mut self,
        loader: &mut Loader<'_, S, F>,
        source: &BlockSource,
        io: &Io,
        buffers: &Buffers,
        cache: &wgpu::Buffer,
    ) -> Result<(), EngineError> {
        let Buffers { hidden, normed, query, attended, inner, .. } = buffers;
        // 1. norm, then queries, keys and values
        self.norm(&loader.norm(&source.attention_norm).await?, hidden, normed);
        let linear = loader.linear(&source.query_key_value).await?;
        self.query_key_value(&linear, io, buffers, cache);
        // 2. attention, added to the residual stream
        self.attention(io, query, cache, attended);
        let output = loader.linear(&source.attention_output).await?;
        self.product(&kernel::PRODUCT, &output, true, attended, &[hidden]);
        // 3. MLP on its own norm, or on the attention's in a parallel block
        if let Some(norm) = &source.mlp_norm {
            self.norm(&loader.norm(norm).await?, hidden, normed);
        }
        let activated = match self.config.mlp {
            Mlp::SwiGlu => &kernel::PRODUCT_SWIGLU,
            Mlp::GeluTanh => &kernel::PRODUCT_GELU,
        };
        self.product(activated, &loader.linear(&source.up).await?, false, normed, &[inner]);
        let down = loader.linear(&source.down).await?;
        self.product(&kernel::PRODUCT, &down, true, inner, &[hidden]);
        Ok(())
    }

    fn query_key_value(
        &mut self,
        linear: &Linear,
        io: &Io,
        buffers: &Buffers,
        cache: &wgpu::Buffer,
    ) {
        let config = self.config;
        let rotary = Rotary {
            num_heads: config.num_attention_heads as u32,
            num_kv_heads: config.num_key_value_heads as u32,
            head_dim: config.head_dim as u32,
            rotary_dim: config.rotary_dim as u32,
            slots: self.options.context_tokens as u32,
        };
        let rotary = self.gpu.uniform("rotary", &rotary);
        let Buffers { normed, query, turns, .. } = buffers;
        let rest = [&io.tokens, turns, query, cache, &rotary];
        self.product(&kernel::PRODUCT_ROTARY, linear, false, normed, &rest);
    }

    fn attention(
        &mut self,
        io: &Io,
        query: &wgpu::Buffer,
        cache: &wgpu::Buffer,
        attended: &wgpu::Buffer,
    ) {
        let config = self.config;
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let attention = Attention {
            num_heads: heads as u32,
            num_kv_heads: kv_heads as u32,
            head_dim: config.head_dim as u32,
            sliding_window: config.sliding_window.unwrap_or(0) as u32,
            slots: self.options.context_tokens as u32,
            scale: 1.0 / (config.head_dim as f32).sqrt(),
        };
        let bound = [&io.tokens, query, cache, attended];
        let variant = Variant { quads: attention.head_dim / 4, ..PLAIN };
        let grid = Grid::Attention { heads, kv_heads };
        self.push_variant(&kernel::ATTENTION, variant, &attention, &bound, grid);
    }

    fn head(&mut self, norm: &NormWeights, output: &Linear, io: &Io, buffers: &Buffers) {
        let size = Elementwise { size: self.config.hidden_size as u32 };
        let grid = Grid::PerToken(size.size.div_ceil(64));
        let bound = [&buffers.hidden, &io.selected, &buffers.selected_hidden];
        self.push(&kernel::GATHER_ROWS, &size, &bound, grid);
        self.norm(norm, &buffers.selected_hidden, &buffers.selected_normed);
        let most = max_selected(self.config, self.options);
        let (normed, logits) = (&buffers.selected_normed, [&io.logits]);
        self.product_of(most, &kernel::PRODUCT, output, false, normed, &logits);
        let vocab = Elementwise { size: self.config.vocab_size as u32 };
        let bound = [&io.logits, &io.allowed, &io.chosen];
        self.push(&kernel::SAMPLE, &vocab, &bound, Grid::Tokens);
    }
}

/// The parameters of each part of a matrix.
fn matrix_params(
    linear: &Linear,
    accumulate: bool,
) -> impl Iterator<Item = (Matrix, &crate::load::Part)> {
    linear.parts.iter().map(move |part| {
        let params = Matrix {
            rows: part.rows.len() as u32,
            columns: linear.columns as u32,
            first_row: part.rows.start as u32,
            all_rows: linear.rows as u32,
            has_bias: u32::from(linear.bias.is_some()),
            accumulate: u32::from(accumulate),
        };
        (params, part)
    })
}
