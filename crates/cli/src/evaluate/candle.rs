//! Jobs of the engine, run by candle's quantised decoders on the processor: the prefix once, then one row after the other.

use std::fs::File;
use std::future::{Future, ready};
use std::io::BufReader;
use std::ops::ControlFlow;
use std::rc::Rc;

use anyhow::{Result, ensure};
use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama as llama, quantized_phi as phi};
use hangtag_engine::{
    Constraint, EngineError, Event, Finish, GeneratedToken, Job, JobStats, RowRequest, TokenSet,
};
use hangtag_extract::{Decode, Limits};
use hangtag_weights::{Family, ModelConfig};

/// Rotary base that candle's phi computes with, whatever the file says.
const PHI_ROPE_THETA: f32 = 10_000.0;

/// A model in candle's memory.
pub struct CandleDecoder {
    /// Without keys and values. Copies share the weights.
    model: Model,
    limits: Limits,
}

#[derive(Clone)]
enum Model {
    Llama(llama::ModelWeights),
    Phi(phi::ModelWeights),
}

impl CandleDecoder {
    /// Reads the weights of the model `config` out of its GGUF `file`; `context_tokens` at most are read at once.
    pub fn load(file: File, config: &ModelConfig, context_tokens: usize) -> Result<Self> {
        check(config)?;
        let mut file = BufReader::new(file);
        let content = Content::read(&mut file)?;
        let (file, cpu) = (&mut file, &Device::Cpu);
        let (model, built_in) = match config.family {
            Family::Llama => {
                let model = llama::ModelWeights::from_gguf(content, file, cpu)?;
                (Model::Llama(model), llama::MAX_SEQ_LEN)
            }
            Family::Phi => {
                let model = phi::ModelWeights::from_gguf(content, file, cpu)?;
                (Model::Phi(model), phi::MAX_SEQ_LEN)
            }
        };
        // candle has no sliding window: what fits one is computed as with it.
        let window = config.sliding_window.unwrap_or(usize::MAX);
        let limits = Limits {
            context_tokens: context_tokens.min(built_in).min(window),
            max_position_embeddings: config.max_position_embeddings.min(built_in).min(window),
        };
        Ok(Self { model, limits })
    }

    fn run_rows(
        &self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<JobStats, EngineError> {
        self.check(job)?;
        let failed = |error: candle_core::Error| EngineError::Decoder(error.to_string());
        let total = job.prefix.len();
        let mut prefilled = self.model.clone();
        prefilled.logits(&job.prefix, 0).map_err(failed)?;
        let mut stats = JobStats { prefix_tokens: total, ..JobStats::default() };
        let mut event = Event::Prefill { done: total, total };
        for (index, row) in job.rows.iter().enumerate() {
            if on_event(event).is_break() {
                return Err(EngineError::Cancelled);
            }
            let allowed = |answer: &[u32]| constraint?.allowed(index, answer);
            let (tokens, finish) =
                answer(prefilled.clone(), total, row, &job.stop_tokens, &allowed)
                    .map_err(failed)?;
            if !tokens.iter().all(|token| token.probability.is_finite()) {
                return Err(EngineError::NotFinite { row: index });
            }
            stats.suffix_tokens += row.suffix.len();
            stats.generated_tokens += tokens.len();
            stats.decode_steps += tokens.len();
            event = Event::Row { index, tokens, finish };
        }
        match on_event(event) {
            ControlFlow::Continue(()) => Ok(stats),
            ControlFlow::Break(()) => Err(EngineError::Cancelled),
        }
    }

    fn check(&self, job: &Job) -> Result<(), EngineError> {
        let prefix = job.prefix.len();
        if prefix == 0 || job.rows.iter().any(|row| row.suffix.is_empty()) {
            return Err(EngineError::Job("a prefix or a row has no tokens".to_owned()));
        }
        let available = self.limits.context_tokens.min(self.limits.max_position_embeddings);
        for (row, asked) in job.rows.iter().enumerate() {
            let needed = prefix + asked.suffix.len() + asked.max_new_tokens;
            if needed > available {
                return Err(EngineError::Context { row, needed, available });
            }
        }
        Ok(())
    }
}

/// Refuses what candle's decoders would compute otherwise.
fn check(c: &ModelConfig) -> Result<()> {
    ensure!(
        c.num_attention_heads * c.head_dim == c.hidden_size,
        "on the processor head_dim must be hidden_size / num_attention_heads, and is {}",
        c.head_dim
    );
    ensure!(
        c.family != Family::Phi || c.rope_theta == PHI_ROPE_THETA,
        "on the processor rope_theta of phi must be {PHI_ROPE_THETA}, and is {}",
        c.rope_theta
    );
    Ok(())
}

impl Decode for CandleDecoder {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn run(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>> {
        ready(self.run_rows(job, constraint, on_event))
    }
}

impl Model {
    /// Logits (vocab_size) after the last of `tokens`, which follow the first `position` tokens.
    fn logits(&mut self, tokens: &[u32], position: usize) -> candle_core::Result<Vec<f32>> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Llama(model) => model.forward(&tokens, position)?,
            Self::Phi(model) => model.forward(&tokens, position)?,
        };
        logits.squeeze(0)?.to_vec1()
    }
}

/// The likeliest tokens that are `allowed` after the prefix, which `model` has read, and the row's suffix.
fn answer(
    mut model: Model,
    prefix_tokens: usize,
    row: &RowRequest,
    stop_tokens: &[u32],
    allowed: &dyn Fn(&[u32]) -> Option<Rc<TokenSet>>,
) -> candle_core::Result<(Vec<GeneratedToken>, Finish)> {
    let (mut input, mut position) = (row.suffix.clone(), prefix_tokens);
    let mut tokens = Vec::new();
    loop {
        let ids: Vec<u32> = tokens.iter().map(|token: &GeneratedToken| token.id).collect();
        let token = likeliest(&model.logits(&input, position)?, allowed(&ids).as_deref());
        tokens.push(token);
        if stop_tokens.contains(&token.id) {
            return Ok((tokens, Finish::Stop));
        }
        if tokens.len() >= row.max_new_tokens {
            return Ok((tokens, Finish::Length));
        }
        position += input.len();
        input = vec![token.id];
    }
}

/// The first of the likeliest tokens of `allowed` (`None` or empty: of all), with its softmax among all.
fn likeliest(logits: &[f32], allowed: Option<&TokenSet>) -> GeneratedToken {
    let allowed = allowed.filter(|set| !set.is_empty());
    let (mut id, mut chosen) = (0, f32::NEG_INFINITY);
    for (index, &logit) in (0..).zip(logits) {
        if logit > chosen && allowed.is_none_or(|set| set.contains(index)) {
            (id, chosen) = (index, logit);
        }
    }
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - chosen).exp()).sum();
    GeneratedToken { id, probability: (1.0 / sum) as f32 }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use candle_core::{DType, safetensors};
    use hangtag_weights::{FileSource, Gguf};

    use super::*;

    fn golden(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens").join(file)
    }

    fn config(name: &str) -> ModelConfig {
        let file = FileSource::open(golden(&format!("{name}.gguf"))).unwrap();
        ModelConfig::from_gguf(&pollster::block_on(Gguf::open(vec![file])).unwrap()).unwrap()
    }

    fn load(name: &str, config: &ModelConfig, context: usize) -> Result<CandleDecoder> {
        CandleDecoder::load(File::open(golden(&format!("{name}.gguf"))).unwrap(), config, context)
    }

    /// A prompt of transformers' recordings and the tokens that it answered.
    fn recorded(name: &str, prompt: usize) -> (Vec<u32>, Vec<u32>) {
        let file = golden(&format!("{name}.safetensors"));
        let tensors = safetensors::load(file, &Device::Cpu).unwrap();
        let ids = |kind: &str| {
            let tensor = tensors[&format!("{kind}.{prompt}")].to_dtype(DType::U32).unwrap();
            tensor.to_vec1().unwrap()
        };
        (ids("tokens"), ids("greedy"))
    }

    fn row(suffix: &[u32], max_new_tokens: usize) -> RowRequest {
        RowRequest { suffix: suffix.to_vec(), max_new_tokens }
    }

    fn run(decoder: &CandleDecoder, job: &Job) -> Result<Vec<(Vec<u32>, Finish)>, EngineError> {
        let mut rows = Vec::new();
        decoder.run_rows(job, None, &mut |event| {
            if let Event::Row { tokens, finish, .. } = event {
                rows.push((tokens.iter().map(|token| token.id).collect(), finish));
            }
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    #[test]
    fn rows_behind_a_prefix_answer_as_transformers() {
        for name in ["llama", "phi"] {
            let decoder = load(name, &config(name), usize::MAX).unwrap();
            for prompt in [1, 2] {
                let (tokens, greedy) = recorded(name, prompt);
                let (prefix, suffix) = tokens.split_at(tokens.len() / 2);
                let other = [suffix, &tokens[..1]].concat();
                let mut job = Job {
                    prefix: prefix.to_vec(),
                    rows: vec![row(suffix, 24), row(&other, 24), row(suffix, 5)],
                    stop_tokens: Vec::new(),
                };
                let rows = run(&decoder, &job).unwrap();
                assert_eq!(rows[0], (greedy.clone(), Finish::Length), "{name}");
                assert_ne!(rows[1].0, greedy, "another question has another answer");
                assert_eq!(rows[2].0, greedy[..5], "rows do not see each other");
                job.stop_tokens = vec![greedy[4]];
                let end = greedy.iter().position(|token| *token == greedy[4]).unwrap();
                assert_eq!(
                    run(&decoder, &job).unwrap()[0],
                    (greedy[..=end].to_vec(), Finish::Stop)
                );
            }
        }
    }

    #[test]
    fn probabilities_are_those_of_the_softmax() {
        let token = likeliest(&[0.0, 2.0_f32.ln(), 2.0_f32.ln()], None);
        assert_eq!(token.id, 1);
        assert!((token.probability - 0.4).abs() < 1e-6);
        let mut allowed = TokenSet::default();
        allowed.insert(0);
        let token = likeliest(&[0.0, 2.0_f32.ln(), 2.0_f32.ln()], Some(&allowed));
        assert_eq!(token.id, 0);
        assert!((token.probability - 0.2).abs() < 1e-6);
        assert!(likeliest(&[f32::NAN, 0.0], None).probability.is_nan());
    }

    #[test]
    fn what_candle_would_compute_otherwise_is_refused() {
        let error = load("mistral", &config("mistral"), 64).err().unwrap().to_string();
        assert!(error.contains("head_dim must be hidden_size / num_attention_heads"), "{error}");
        let other = ModelConfig { rope_theta: 5e5, ..config("phi") };
        let error = load("phi", &other, 64).err().unwrap().to_string();
        assert_eq!(error, "on the processor rope_theta of phi must be 10000, and is 500000");
        let window = ModelConfig { sliding_window: Some(48), ..config("llama") };
        let decoder = load("llama", &window, 64).unwrap();
        assert_eq!(decoder.limits.context_tokens, 48);
        let job = |prefix, suffix: &[u32]| Job {
            prefix: vec![5; prefix],
            rows: vec![row(suffix, 24)],
            stop_tokens: Vec::new(),
        };
        assert!(run(&decoder, &job(22, &[6, 7])).is_ok());
        let error = run(&decoder, &job(23, &[6, 7])).unwrap_err();
        assert!(matches!(error, EngineError::Context { row: 0, needed: 49, available: 48 }));
        assert!(run(&decoder, &job(0, &[6])).is_err() && run(&decoder, &job(3, &[])).is_err());
    }
}
