//! The trainable decoder: forward, loss, and the gradients of the low-rank factors, written out by hand.
//!
//! No automatic differentiation is used: the base is frozen, so only the factors' gradients and those of the activations are
//! computed, and a block may be computed again in the backward pass instead of keeping its activations
//! (Chen et al. 2016).

use candle_core::{DType, Tensor};

use crate::TrainError;
use crate::base::{Base, Frozen, FrozenBlock};
use crate::kernel::{
    Addends, HeadShape, Mask, NormParams, Op, Rotation, add_norm, cross_entropy, diagonal_blocks,
    dropout, fake_quantize_q4_0, gather_rows, gelu, gelu_backward, gemm, gemm_add, likeliest,
    masked_softmax, merge_heads, merge_heads_backward, norm_backward, softmax_backward,
    split_heads, split_heads_backward, swiglu, swiglu_backward,
};
use crate::lora::{Factors, Group, Layout};
use crate::pack::Packed;
use crate::rng::mix;

/// Most rows of logits that exist at once.
const HEAD_ROWS: usize = 4096;

/// How a step computes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StepOptions {
    /// Compute each block again in the backward pass instead of keeping its activations.
    pub(crate) recompute: bool,
    /// Share of an adapted layer's inputs that its factors do not see.
    pub(crate) dropout: f32,
    /// Decides which.
    pub(crate) seed: u64,
}

/// Packed sequences on the device.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) batch: usize,
    pub(crate) length: usize,
    pub(crate) tokens: Tensor, // (batch · length) u32
    pub(crate) mask: Mask,
    /// The rows whose next token counts: (labels) u32.
    pub(crate) label_rows: Tensor,
    /// Of each row its place in `label_rows`: (batch · length) u32.
    pub(crate) row_labels: Tensor,
    pub(crate) targets: Tensor, // (labels) u32
    pub(crate) weights: Tensor, // (labels) f32
}

/// A group's matrices in one step.
#[derive(Debug)]
struct Linear<'a> {
    frozen: &'a Frozen,
    factors: Option<&'a Factors>,
    /// Frozen and factors together, rounded as the export rounds them; then the factors get their gradients straight through.
    rounded: Option<Tensor>,
}

/// What the backward pass of a linear layer needs.
#[derive(Debug)]
struct LinearTape {
    /// Input of the factors.
    x: Tensor,
    /// `x · aᵀ`.
    low: Tensor,
    seed: u64,
}

/// Gradients of a slot's factors: A (parts · rank · in), B (Σ out · rank), f32.
type SlotGradients = (Tensor, Tensor);

impl Linear<'_> {
    fn weight(&self, dtype: DType) -> Result<Tensor, TrainError> {
        match &self.rounded {
            Some(weight) => Ok(weight.clone()),
            None => Ok(self.frozen.dense(dtype)?),
        }
    }

    /// `x` (rows, in) to (rows, out).
    fn forward(
        &self,
        x: &Tensor,
        options: &StepOptions,
        seed: u64,
    ) -> Result<(Tensor, Option<LinearTape>), TrainError> {
        let y = gemm(x, Op::Plain, &self.weight(x.dtype())?, Op::Transposed)?;
        let Some(factors) = self.factors else {
            return Ok((y, None));
        };
        let x = dropout(x, seed, options.dropout)?;
        let low = gemm(&x, Op::Plain, &factors.a, Op::Transposed)?;
        let y = match self.rounded {
            Some(_) => y,
            None => gemm_add(y, &low, Op::Plain, &factors.b, Op::Transposed)?,
        };
        Ok((y, Some(LinearTape { x, low, seed })))
    }

    /// The gradient of `x`, given that of the result, and those of the factors.
    fn backward(
        &self,
        tape: Option<&LinearTape>,
        dy: &Tensor,
        scale: f32,
        options: &StepOptions,
    ) -> Result<(Tensor, Option<SlotGradients>), TrainError> {
        let dx = gemm(dy, Op::Plain, &self.weight(dy.dtype())?, Op::Plain)?;
        let (Some(factors), Some(tape)) = (self.factors, tape) else {
            return Ok((dx, None));
        };
        let d_low = gemm(dy, Op::Plain, &factors.b, Op::Plain)?;
        let db = gemm(dy, Op::Transposed, &tape.low, Op::Plain)?;
        let db = diagonal_blocks(&db, &factors.parts, scale)?;
        let da = gemm(&d_low, Op::Transposed, &tape.x, Op::Plain)?;
        let da = da.flatten_all()?.to_dtype(DType::F32)?;
        let dx = match (&self.rounded, options.dropout > 0.0) {
            (Some(_), _) => dx,
            (None, false) => gemm_add(dx, &d_low, Op::Plain, &factors.a, Op::Plain)?,
            (None, true) => {
                let through = gemm(&d_low, Op::Plain, &factors.a, Op::Plain)?;
                (dx + dropout(&through, tape.seed, options.dropout)?)?
            }
        };
        Ok((dx, Some((da, db))))
    }
}

/// The activations that a block's backward pass needs.
struct BlockTape {
    x: Tensor,
    qkv: Option<LinearTape>,
    heads: [Tensor; 3],
    p: Tensor,
    o: Option<LinearTape>,
    /// The residual stream between attention and MLP, where they follow each other.
    middle: Option<Tensor>,
    up: Option<LinearTape>,
    before_activation: Tensor,
    down: Option<LinearTape>,
}

/// One decoder block in one step.
struct Block<'a> {
    index: usize,
    frozen: &'a FrozenBlock,
    linears: [Linear<'a>; 4],
    options: StepOptions,
    scale: f32,
}

/// What all blocks of a step share.
struct Shared<'a> {
    mask: &'a Mask,
    rotation: &'a Rotation,
    heads: HeadShape,
}

impl Block<'_> {
    fn linear(&self, group: Group, x: &Tensor) -> Result<(Tensor, Option<LinearTape>), TrainError> {
        let purpose = (self.index * Group::ALL.len() + group as usize) as u64;
        let seed = mix(self.options.seed ^ mix(purpose.wrapping_add(1)));
        self.linears[group as usize].forward(x, &self.options, seed)
    }

    fn forward(&self, x: &Tensor, shared: &Shared<'_>) -> Result<(Tensor, BlockTape), TrainError> {
        let (_, normed) = add_norm(x, Addends::default(), &self.frozen.attn_norm)?;
        let (qkv, qkv_tape) = self.linear(Group::Qkv, &normed)?;
        let bias = self.frozen.qkv_bias.as_ref();
        let heads = split_heads(&qkv, bias, shared.rotation, &shared.mask.positions, shared.heads)?;
        let (attended, p) = attend(&heads, shared)?;
        let (attended, o_tape) = self.linear(Group::O, &attended)?;
        let (middle, normed) = match &self.frozen.mlp_norm {
            Some(norm) => {
                let addends = Addends {
                    first: Some(&attended),
                    bias: self.frozen.o_bias.as_ref(),
                    ..Addends::default()
                };
                let (middle, normed) = add_norm(x, addends, norm)?;
                (Some(middle), normed)
            }
            None => (None, normed),
        };
        let (before_activation, up_tape) = self.linear(Group::Up, &normed)?;
        let active = self.activate(&before_activation)?;
        let (mlp, down_tape) = self.linear(Group::Down, &active)?;
        let mut y = match &middle {
            Some(middle) => (middle + mlp)?,
            None => {
                let sum = ((x + attended)? + mlp)?;
                add_bias(sum, self.frozen.o_bias.as_ref())?
            }
        };
        y = add_bias(y, self.frozen.down_bias.as_ref())?;
        let tape = BlockTape {
            x: x.clone(),
            qkv: qkv_tape,
            heads,
            p,
            o: o_tape,
            middle,
            up: up_tape,
            before_activation,
            down: down_tape,
        };
        Ok((y, tape))
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self.is_gated() {
            true => swiglu(x)?,
            false => gelu(x, self.frozen.up_bias.as_ref())?,
        })
    }

    fn is_gated(&self) -> bool {
        self.frozen.up.rows() != self.frozen.down.columns()
    }

    /// The gradient of the block's input, given that of its output, and those of its factors by group.
    fn backward(
        &self,
        tape: &BlockTape,
        dy: &Tensor,
        shared: &Shared<'_>,
    ) -> Result<(Tensor, [Option<SlotGradients>; 4]), TrainError> {
        let (scale, options) = (self.scale, &self.options);
        let [qkv, o, up, down] = &self.linears;
        let (d_active, d_down) = down.backward(tape.down.as_ref(), dy, scale, options)?;
        let d_before = match self.is_gated() {
            true => swiglu_backward(&tape.before_activation, &d_active)?,
            false => {
                gelu_backward(&tape.before_activation, self.frozen.up_bias.as_ref(), &d_active)?
            }
        };
        let (d_normed, d_up) = up.backward(tape.up.as_ref(), &d_before, scale, options)?;
        let d_middle = match (&self.frozen.mlp_norm, &tape.middle) {
            (Some(norm), Some(middle)) => norm_backward(middle, norm, &d_normed, Some(dy))?,
            _ => dy.clone(),
        };
        let (d_attended, d_o) = o.backward(tape.o.as_ref(), &d_middle, scale, options)?;
        let d_heads = attend_backward(&d_attended, tape, shared)?;
        let positions = &shared.mask.positions;
        let d_qkv =
            split_heads_backward(d_heads.each_ref(), shared.rotation, positions, shared.heads)?;
        let (mut d_first, d_qkv) = qkv.backward(tape.qkv.as_ref(), &d_qkv, scale, options)?;
        if self.frozen.mlp_norm.is_none() {
            d_first = (d_first + d_normed)?;
        }
        let dx = norm_backward(&tape.x, &self.frozen.attn_norm, &d_first, Some(&d_middle))?;
        Ok((dx, [d_qkv, d_o, d_up, d_down]))
    }
}

fn add_bias(x: Tensor, bias: Option<&Tensor>) -> Result<Tensor, TrainError> {
    match bias {
        Some(bias) => Ok(x.broadcast_add(&bias.to_dtype(x.dtype())?)?),
        None => Ok(x),
    }
}

/// Heads that share keys and values stand below each other, so that one product serves a group:
/// (batch, heads, length, any) to (batch · kv_heads, group · length, any).
fn grouped(x: &Tensor, s: HeadShape) -> Result<Tensor, TrainError> {
    let last = x.dims4()?.3;
    let group = s.heads / s.kv_heads;
    Ok(x.reshape((s.batch * s.kv_heads, group * s.length, last))?)
}

/// (batch, kv_heads, length, dim) to (batch · kv_heads, length, dim).
fn flat(x: &Tensor) -> Result<Tensor, TrainError> {
    Ok(x.flatten(0, 1)?)
}

/// Attention: (batch · length, heads · dim) and its probabilities (batch, heads, length, length).
fn attend([q, k, v]: &[Tensor; 3], shared: &Shared<'_>) -> Result<(Tensor, Tensor), TrainError> {
    let s = shared.heads;
    let scores = gemm(&grouped(q, s)?, Op::Plain, &flat(k)?, Op::Transposed)?;
    let scores = scores.reshape((s.batch, s.heads, s.length, s.length))?;
    let p = masked_softmax(&scores, shared.mask, softmax_scale(s))?;
    let mixed = gemm(&grouped(&p, s)?, Op::Plain, &flat(v)?, Op::Plain)?;
    let mixed = merge_heads(&mixed.reshape((s.batch, s.heads, s.length, s.dim))?)?;
    Ok((mixed, p))
}

fn softmax_scale(s: HeadShape) -> f32 {
    1.0 / (s.dim as f32).sqrt()
}

/// The gradients of q, k and v, given that of the attention's result.
fn attend_backward(
    dy: &Tensor,
    tape: &BlockTape,
    shared: &Shared<'_>,
) -> Result<[Tensor; 3], TrainError> {
    let (s, [q, k, v]) = (shared.heads, &tape.heads);
    let dy = grouped(&merge_heads_backward(dy, s)?, s)?;
    let p = grouped(&tape.p, s)?;
    let dv = gemm(&p, Op::Transposed, &dy, Op::Plain)?.reshape(v.shape())?;
    let dp = gemm(&dy, Op::Plain, &flat(v)?, Op::Transposed)?.reshape(tape.p.shape())?;
    let ds = grouped(&softmax_backward(&tape.p, &dp, softmax_scale(s))?, s)?;
    let dq = gemm(&ds, Op::Plain, &flat(k)?, Op::Plain)?.reshape(q.shape())?;
    let dk = gemm(&ds, Op::Transposed, &grouped(q, s)?, Op::Plain)?.reshape(k.shape())?;
    Ok([dq, dk, dv])
}

/// The base with factors at the values of one step.
pub(crate) struct Model<'a> {
    base: &'a Base,
    layout: &'a Layout,
    rotation: &'a Rotation,
    factors: Vec<Factors>,
    /// By slot, when the factors are trained through the export's rounding.
    rounded: Vec<Option<Tensor>>,
    /// Slot of each layer's groups.
    slots: Vec<[Option<usize>; 4]>,
}

/// Whether training sees the rounding of the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// The factors are added to the frozen weights as they are.
    #[default]
    Exact,
    /// Frozen weights and factors together are rounded to Q4_0 as the export does, and gradients pass straight through
    /// (Bengio et al. 2013): quantisation-aware training.
    #[serde(rename = "q4_0")]
    Q4_0,
}

/// What one batch gives.
pub(crate) struct Outcome {
    /// Sum of the weighted losses: (1) f32 on the device.
    pub(crate) loss: Tensor,
    /// Gradients of the sum, in the layout: (len) f32.
    pub(crate) gradient: Tensor,
}

impl<'a> Model<'a> {
    pub(crate) fn new(
        base: &'a Base,
        layout: &'a Layout,
        rotation: &'a Rotation,
        parameters: &Tensor,
        rounding: Rounding,
    ) -> Result<Self, TrainError> {
        let factors = layout.factors(parameters, base.dtype)?;
        let mut slots = vec![[None; 4]; base.layers.len()];
        for (index, slot) in layout.slots.iter().enumerate() {
            slots[slot.layer][slot.group as usize] = Some(index);
        }
        let mut model = Self { base, layout, rotation, factors, rounded: Vec::new(), slots };
        if rounding == Rounding::Q4_0 {
            model.round(parameters)?;
        }
        Ok(model)
    }

    fn round(&mut self, parameters: &Tensor) -> Result<(), TrainError> {
        let exact = self.layout.factors(parameters, DType::F32)?;
        for (slot, factors) in self.layout.slots.iter().zip(exact) {
            let frozen = frozen_of(&self.base.layers[slot.layer], slot.group);
            let delta = gemm(&factors.b, Op::Plain, &factors.a, Op::Plain)?;
            let weight = frozen.dense(DType::F32)?;
            self.rounded.push(Some(fake_quantize_q4_0(&weight, &delta, self.base.dtype)?));
        }
        Ok(())
    }

    fn block(&self, index: usize, options: StepOptions) -> Block<'_> {
        let frozen = &self.base.layers[index];
        let linears = Group::ALL.map(|group| {
            let slot = self.slots[index][group as usize];
            Linear {
                frozen: frozen_of(frozen, group),
                factors: slot.and_then(|slot| self.factors.get(slot)),
                rounded: slot.and_then(|slot| self.rounded.get(slot).cloned().flatten()),
            }
        });
        Block { index, frozen, linears, options, scale: self.layout.scale }
    }

    /// Moves packed sequences to the model's device.
    pub(crate) fn on_device(&self, packed: &Packed) -> Result<Batch, TrainError> {
        packed.to_device(self.base.config.sliding_window, &self.base.device)
    }

    fn shared<'b>(&'b self, batch: &'b Batch) -> Shared<'b> {
        let c = &self.base.config;
        let heads = HeadShape {
            batch: batch.batch,
            length: batch.length,
            heads: c.num_attention_heads,
            kv_heads: c.num_key_value_heads,
            dim: c.head_dim,
        };
        Shared { mask: &batch.mask, rotation: self.rotation, heads }
    }

    /// The residual stream after all blocks, (batch · length, hidden).
    fn hidden(&self, batch: &Batch) -> Result<Tensor, TrainError> {
        let shared = self.shared(batch);
        let mut x = gather_rows(&self.base.embedding, &batch.tokens)?;
        for index in 0..self.base.layers.len() {
            x = self.block(index, StepOptions::default()).forward(&x, &shared)?.0;
        }
        Ok(x)
    }

    /// The likeliest next token at the batch's label rows, and the logarithm of its probability.
    pub(crate) fn next_tokens(&self, batch: &Batch) -> Result<(Vec<u32>, Vec<f32>), TrainError> {
        let x = gather_rows(&self.hidden(batch)?, &batch.label_rows)?;
        let (_, normed) = add_norm(&x, Addends::default(), &self.base.output_norm)?;
        let (mut words, mut logs) = (Vec::new(), Vec::new());
        for (first, count) in chunks(normed.dims2()?.0) {
            let rows = normed.narrow(0, first, count)?;
            let logits = gemm(&rows, Op::Plain, &self.base.output, Op::Transposed)?;
            let (word, log) = likeliest(&logits, self.base.output_bias.as_ref())?;
            words.extend(word);
            logs.extend(log);
        }
        Ok((words, logs))
    }

    /// Loss and gradients of a batch.
    pub(crate) fn step(&self, batch: &Batch, options: &StepOptions) -> Result<Outcome, TrainError> {
        let shared = self.shared(batch);
        let mut tapes = Vec::with_capacity(self.base.layers.len());
        let mut x = gather_rows(&self.base.embedding, &batch.tokens)?;
        for index in 0..self.base.layers.len() {
            let (y, tape) = self.block(index, *options).forward(&x, &shared)?;
            tapes.push(if options.recompute { Kept::Input(x) } else { Kept::Tape(Box::new(tape)) });
            x = y;
        }
        let (loss, mut dx) = self.head(&x, batch)?;
        let mut gradients: Vec<Option<SlotGradients>> =
            self.layout.slots.iter().map(|_| None).collect();
        // The first adapted block is the last whose gradients are wanted.
        let first = self.layout.slots.first().map_or(0, |slot| slot.layer);
        while let Some(kept) = tapes.pop() {
            let index = tapes.len();
            if index < first {
                break;
            }
            let block = self.block(index, *options);
            let tape = match kept {
                Kept::Tape(tape) => *tape,
                Kept::Input(x) => block.forward(&x, &shared)?.1,
            };
            let (d, by_group) = block.backward(&tape, &dx, &shared)?;
            for (slot, gradient) in self.slots[index].iter().zip(by_group) {
                if let Some(slot) = slot {
                    gradients[*slot] = gradient;
                }
            }
            dx = d;
        }
        let (a, b): (Vec<Tensor>, Vec<Tensor>) = gradients.into_iter().flatten().unzip();
        Ok(Outcome { loss, gradient: Tensor::cat(&[a, b].concat(), 0)? })
    }

    /// The loss, and the gradient of the residual stream after all blocks. Logits exist only where there is a label.
    fn head(&self, x: &Tensor, batch: &Batch) -> Result<(Tensor, Tensor), TrainError> {
        let base = self.base;
        let rows = gather_rows(x, &batch.label_rows)?;
        let norm: &NormParams = &base.output_norm;
        let (_, normed) = add_norm(&rows, Addends::default(), norm)?;
        let (mut losses, mut d_normed) = (Vec::new(), Vec::new());
        for (first, count) in chunks(normed.dims2()?.0) {
            let part = normed.narrow(0, first, count)?;
            let logits = gemm(&part, Op::Plain, &base.output, Op::Transposed)?;
            let targets = batch.targets.narrow(0, first, count)?;
            let weights = batch.weights.narrow(0, first, count)?;
            let (loss, d_logits) =
                cross_entropy(&logits, base.output_bias.as_ref(), &targets, &weights)?;
            losses.push(loss.sum_all()?);
            d_normed.push(gemm(&d_logits, Op::Plain, &base.output, Op::Plain)?);
        }
        let d_rows = norm_backward(&rows, norm, &Tensor::cat(&d_normed, 0)?, None)?;
        let loss = Tensor::stack(&losses, 0)?.sum_all()?.reshape(1)?;
        Ok((loss, gather_rows(&d_rows, &batch.row_labels)?))
    }
}

/// What the forward pass leaves of a block for the backward pass.
enum Kept {
    Tape(Box<BlockTape>),
    Input(Tensor),
}

fn frozen_of(block: &FrozenBlock, group: Group) -> &Frozen {
    match group {
        Group::Qkv => &block.qkv,
        Group::O => &block.o,
        Group::Up => &block.up,
        Group::Down => &block.down,
    }
}

/// `count` rows in pieces of at most [`HEAD_ROWS`]: first row and number of rows.
fn chunks(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).step_by(HEAD_ROWS).map(move |first| (first, HEAD_ROWS.min(count - first)))
}
