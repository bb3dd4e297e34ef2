//! A decoder in plain loops on the CPU, for what transformers was not asked about: quantised weights, other windows.
//!
//! It follows the models' papers and nothing of the engine. `golden.rs` holds it to the recorded logits first.

use anyhow::{Context, Result};
use hangtag_weights::{ByteSource, Gguf, Mlp, ModelConfig, Norm, RopeStyle, blocks};
use std::collections::BTreeMap;

/// All weights of a model as f32, and its description.
#[derive(Debug, Clone)]
pub struct Reference {
    /// What the model is; a test may change it.
    pub config: ModelConfig,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Reference {
    /// Reads and dequantises every tensor.
    ///
    /// # Errors
    /// When the file is damaged or of no supported family.
    pub fn load<S: ByteSource>(gguf: &Gguf<S>) -> Result<Self> {
        let config = ModelConfig::from_gguf(gguf)?;
        let mut tensors = BTreeMap::new();
        for tensor in gguf.tensors() {
            let bytes = pollster::block_on(gguf.read(tensor))?;
            tensors.insert(tensor.name.clone(), blocks::dequantize(tensor.dtype, &bytes)?);
        }
        Ok(Self { config, tensors })
    }

    /// Logits at every position, (tokens, vocab_size) row-major.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let embedding = self.get("token_embd.weight")?;
        let mut x: Vec<Vec<f32>> = tokens // (tokens, hidden)
            .iter()
            .map(|&id| embedding[id as usize * hidden..][..hidden].to_vec())
            .collect();
        for layer in 0..self.config.num_hidden_layers {
            self.block(&format!("blk.{layer}."), &mut x)?;
        }
        let output = match self.config.tie_word_embeddings {
            true => "token_embd",
            false => "output",
        };
        let mut logits = Vec::new();
        for row in &x {
            logits.extend(self.linear(output, &self.norm("output_norm", row)?)?);
        }
        Ok(logits)
    }

    /// The next `count` tokens when the likeliest is taken each time.
    ///
    /// # Errors
    /// When a tensor is missing.
    pub fn greedy(&self, prompt: &[u32], count: usize) -> Result<Vec<u32>> {
        let mut tokens = prompt.to_vec();
        for _ in 0..count {
            let logits = self.logits(&tokens)?;
            let last = &logits[logits.len() - self.config.vocab_size..];
            tokens.push(crate::compare::argmax(last));
        }
        Ok(tokens.split_off(prompt.len()))
    }

    fn get(&self, name: &str) -> Result<&[f32]> {
        let tensor = self.tensors.get(name);
        Ok(tensor.with_context(|| format!("no tensor {name}"))?)
    }

    /// One decoder block: attention, then MLP, or both beside each other on the same input.
    fn block(&self, block: &str, x: &mut [Vec<f32>]) -> Result<()> {
        let mut normed = Vec::new();
        for row in x.iter() {
            normed.push(self.norm(&format!("{block}attn_norm"), row)?);
        }
        let attended = self.attention(block, &normed)?;
        for (position, row) in x.iter_mut().enumerate() {
            if self.config.parallel_block {
                let mlp = self.mlp(block, &normed[position])?;
                add(row, &attended[position]);
                add(row, &mlp);
            } else {
                add(row, &attended[position]);
                let normed = self.norm(&format!("{block}ffn_norm"), row)?;
                add(row, &self.mlp(block, &normed)?);
            }
        }
        Ok(())
    }

    /// Causal attention within the sliding window, if there is one: (tokens, hidden) to (tokens, hidden).
    fn attention(&self, block: &str, x: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let c = &self.config;
        let (d, group) = (c.head_dim, c.num_attention_heads / c.num_key_value_heads);
        let (mut q, mut k, mut v) = (Vec::new(), Vec::new(), Vec::new());
        for (position, row) in x.iter().enumerate() {
            let [mut q_row, mut k_row, v_row] = self.qkv(block, row)?;
            q_row.chunks_mut(d).for_each(|head| self.rope(head, position));
            k_row.chunks_mut(d).for_each(|head| self.rope(head, position));
            q.push(q_row);
            k.push(k_row);
            v.push(v_row);
        }
        let mut out = Vec::new();
        for (position, q_row) in q.iter().enumerate() {
            let first = c.sliding_window.map_or(0, |window| (position + 1).saturating_sub(window));
            let mut heads = Vec::new(); // (num_attention_heads * head_dim)
            for (head, query) in q_row.chunks(d).enumerate() {
                let range = head / group * d..(head / group + 1) * d;
                let keys = k[first..=position].iter().map(|key| &key[range.clone()]);
                let scale = (d as f64).sqrt();
                let weights = softmax(&keys.map(|key| dot(query, key) / scale).collect::<Vec<_>>());
                for i in range {
                    let values = v[first..=position].iter().map(|value| f64::from(value[i]));
                    heads.push(
                        values.zip(&weights).map(|(value, weight)| value * weight).sum::<f64>()
                            as f32,
                    );
                }
            }
            out.push(self.linear(&format!("{block}attn_output"), &heads)?);
        }
        Ok(out)
    }

    /// Queries, keys and values of one position, from one fused tensor or three.
    fn qkv(&self, block: &str, x: &[f32]) -> Result<[Vec<f32>; 3]> {
        if !self.tensors.contains_key(&format!("{block}attn_qkv.weight")) {
            let part = |name: &str| self.linear(&format!("{block}attn_{name}"), x);
            return Ok([part("q")?, part("k")?, part("v")?]);
        }
        let mut q = self.linear(&format!("{block}attn_qkv"), x)?;
        let kv_size = self.config.num_key_value_heads * self.config.head_dim;
        let v = q.split_off(q.len() - kv_size);
        let k = q.split_off(q.len() - kv_size);
        Ok([q, k, v])
    }

    /// Rotary position embedding (Su et al. 2021) of the first `rotary_dim` numbers of one head.
    fn rope(&self, head: &mut [f32], position: usize) {
        let n = self.config.rotary_dim;
        for i in 0..n / 2 {
            let theta = f64::from(self.config.rope_theta).powf(-2.0 * i as f64 / n as f64);
            let (sin, cos) = (position as f64 * theta).sin_cos();
            let (a, b) = match self.config.rope_style {
                RopeStyle::Interleaved => (2 * i, 2 * i + 1),
                RopeStyle::Halves => (i, i + n / 2),
            };
            let (x, y) = (f64::from(head[a]), f64::from(head[b]));
            head[a] = (x * cos - y * sin) as f32;
            head[b] = (x * sin + y * cos) as f32;
        }
    }

    fn mlp(&self, block: &str, x: &[f32]) -> Result<Vec<f32>> {
        let mut up = self.linear(&format!("{block}ffn_up"), x)?;
        match self.config.mlp {
            Mlp::SwiGlu => {
                let gate = self.linear(&format!("{block}ffn_gate"), x)?;
                for (u, g) in up.iter_mut().zip(gate) {
                    *u *= g / (1.0 + (-g).exp());
                }
            }
            Mlp::GeluTanh => up.iter_mut().for_each(|u| {
                let inner = (2.0 / std::f32::consts::PI).sqrt() * (*u + 0.044715 * u.powi(3));
                *u *= 0.5 * (1.0 + inner.tanh());
            }),
        }
        self.linear(&format!("{block}ffn_down"), &up)
    }

    fn norm(&self, name: &str, x: &[f32]) -> Result<Vec<f32>> {
        let weight = self.get(&format!("{name}.weight"))?;
        let mean_of = |values: &dyn Fn(f64) -> f64| {
            x.iter().map(|&value| values(f64::from(value))).sum::<f64>() / x.len() as f64
        };
        let mean = match self.config.norm {
            Norm::RmsNorm => 0.0,
            Norm::LayerNorm => mean_of(&|value| value),
        };
        let variance = mean_of(&|value| (value - mean).powi(2));
        let scale = 1.0 / (variance + f64::from(self.config.norm_eps)).sqrt();
        let normed = x.iter().map(|&value| ((f64::from(value) - mean) * scale) as f32);
        let mut out: Vec<f32> = normed.zip(weight).map(|(value, weight)| value * weight).collect();
        if let Some(bias) = self.tensors.get(&format!("{name}.bias")) {
            add(&mut out, bias);
        }
        Ok(out)
    }

    /// `weight (rows, columns) · x (columns) + bias (rows)`; the bias only where the model has one.
    fn linear(&self, name: &str, x: &[f32]) -> Result<Vec<f32>> {
        let weight = self.get(&format!("{name}.weight"))?;
        let mut out: Vec<f32> = weight.chunks(x.len()).map(|row| dot(row, x) as f32).collect();
        if let Some(bias) = self.tensors.get(&format!("{name}.bias")) {
            add(&mut out, bias);
        }
        Ok(out)
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|exp| exp / sum).collect()
}
