use std::future::{Future, ready};
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama as llama, quantized_phi as phi};
use hangtag_engine::{
    Constraint, EngineError, Event, Finish, GeneratedToken, Job, JobStats, RowRequest, TokenSet,
};
use hangtag_extract::{Decode, Limits};
use hangtag_weights::{Family, ModelConfig};

use crate::ProcessorError;

/// Rotary base that candle's phi computes with, whatever the file says.
const PHI_ROPE_THETA: f32 = 10_000.0;

/// Tokens of a text that are read between two events. On one thread of a browser that is about half a second of a small model, and
/// reading more of them at once is hardly quicker.
const READ_TOKENS: usize = 16;

/// Lets others have their turn between two steps, where all share one thread.
pub type Pause = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// A model in candle's memory.
pub struct ProcessorDecoder {
    /// Without keys and values. Copies share the weights.
    model: Model,
    limits: Limits,
    /// The last text: the next question may be about the same.
    read: Option<ReadText>,
    pause: Pause,
}

/// A text as far as it was read.
struct ReadText {
    tokens: Vec<u32>,
    /// With the keys and values of `tokens`.
    model: Model,
}

#[derive(Clone)]
enum Model {
    Llama(llama::ModelWeights),
    Phi(phi::ModelWeights),
}

impl ProcessorDecoder {
    /// Reads the weights of the model `config` out of the GGUF `file`; `context_tokens` at most are read at once.
    ///
    /// # Errors
    /// What candle's decoders would compute otherwise than the model asks, and what candle says of the file.
    pub fn load<R: Read + Seek>(
        file: &mut R,
        config: &ModelConfig,
        context_tokens: usize,
    ) -> Result<Self, ProcessorError> {
        check(config)?;
        let content = Content::read(file)?;
        let cpu = &Device::Cpu;
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
        Ok(Self { model, limits, read: None, pause: Rc::new(|| Box::pin(ready(()))) })
    }

    /// Has it wait for `pause` after every step.
    #[must_use]
    pub fn with_pause(self, pause: Pause) -> Self {
        Self { pause, ..self }
    }

    async fn run_rows(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<JobStats, EngineError> {
        self.check(job)?;
        let cached_prefix_tokens = self.read_text(&job.prefix, on_event).await?;
        let mut stats = JobStats {
            prefix_tokens: job.prefix.len(),
            cached_prefix_tokens,
            ..JobStats::default()
        };
        for (index, row) in job.rows.iter().enumerate() {
            let mut on_step =
                || heard(on_event(Event::Decode { active_rows: job.rows.len() - index }));
            let allowed = |answer: &[u32]| constraint?.allowed(index, answer);
            let (tokens, finish) = self
                .answer(job.prefix.len(), row, &job.stop_tokens, &allowed, &mut on_step)
                .await?;
            if !tokens.iter().all(|token| token.probability.is_finite()) {
                return Err(EngineError::NotFinite { row: index });
            }
            stats.suffix_tokens += row.suffix.len();
            stats.generated_tokens += tokens.len();
            stats.decode_steps += tokens.len();
            heard(on_event(Event::Row { index, tokens, finish }))?;
        }
        Ok(stats)
    }

    /// Reads a text, as far as it was not read for the job before. How many tokens were.
    async fn read_text(
        &mut self,
        prefix: &[u32],
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<usize, EngineError> {
        let total = prefix.len();
        let before = self.read.take().filter(|read| prefix.starts_with(&read.tokens));
        let read = self
            .read
            .insert(before.unwrap_or(ReadText { tokens: Vec::new(), model: self.model.clone() }));
        let cached = read.tokens.len();
        heard(on_event(Event::Prefill { done: cached, total }))?;
        for part in prefix[cached..].chunks(READ_TOKENS) {
            read.model.logits(part, read.tokens.len())?;
            read.tokens.extend(part);
            heard(on_event(Event::Prefill { done: read.tokens.len(), total }))?;
            (self.pause)().await;
        }
        Ok(cached)
    }

    /// The likeliest tokens that are `allowed` after the text that was read and the row's suffix.
    async fn answer(
        &self,
        prefix_tokens: usize,
        row: &RowRequest,
        stop_tokens: &[u32],
        allowed: &dyn Fn(&[u32]) -> Option<Rc<TokenSet>>,
        on_step: &mut dyn FnMut() -> Result<(), EngineError>,
    ) -> Result<(Vec<GeneratedToken>, Finish), EngineError> {
        let mut model = self.read.as_ref().map_or(&self.model, |read| &read.model).clone();
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
            on_step()?;
            (self.pause)().await;
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

fn heard(flow: ControlFlow<()>) -> Result<(), EngineError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EngineError::Cancelled),
    }
}

/// Refuses what candle's decoders would compute otherwise.
pub(crate) fn check(c: &ModelConfig) -> Result<(), ProcessorError> {
    if c.num_attention_heads * c.head_dim != c.hidden_size {
        return Err(ProcessorError::HeadDim(c.head_dim));
    }
    match c.family {
        Family::Phi if c.rope_theta != PHI_ROPE_THETA => Err(ProcessorError::RopeTheta {
            family: c.family,
            expected: PHI_ROPE_THETA,
            found: c.rope_theta,
        }),
        _ => Ok(()),
    }
}

impl Decode for ProcessorDecoder {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn run(
        &mut self,
        job: &Job,
        constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>> {
        self.run_rows(job, constraint, on_event)
    }
}

impl Model {
    /// Logits (vocab_size) after the last of `tokens`, which follow the first `position` tokens.
    fn logits(&mut self, tokens: &[u32], position: usize) -> Result<Vec<f32>, EngineError> {
        self.forward(tokens, position).map_err(|error| EngineError::Decoder(error.to_string()))
    }

    fn forward(&mut self, tokens: &[u32], position: usize) -> candle_core::Result<Vec<f32>> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Llama(model) => model.forward(&tokens, position)?,
            Self::Phi(model) => model.forward(&tokens, position)?,
        };
        logits.squeeze(0)?.to_vec1()
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
pub(crate) mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::path::{Path, PathBuf};

    use candle_core::{DType, safetensors};
    use hangtag_weights::{FileSource, Gguf};

    use super::*;

    fn golden(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens").join(file)
    }

    pub fn gguf(name: &str) -> Gguf<FileSource> {
        let file = FileSource::open(golden(&format!("{name}.gguf"))).unwrap();
        pollster::block_on(Gguf::open(vec![file])).unwrap()
    }

    pub fn config(name: &str) -> ModelConfig {
        ModelConfig::from_gguf(&gguf(name)).unwrap()
    }

    fn load(
        name: &str,
        config: &ModelConfig,
        context: usize,
    ) -> Result<ProcessorDecoder, ProcessorError> {
        let mut file = File::open(golden(&format!("{name}.gguf"))).unwrap();
        ProcessorDecoder::load(&mut file, config, context)
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

    fn run(
        decoder: &mut ProcessorDecoder,
        job: &Job,
    ) -> Result<Vec<(Vec<u32>, Finish)>, EngineError> {
        let mut rows = Vec::new();
        pollster::block_on(decoder.run(job, None, &mut |event| {
            if let Event::Row { tokens, finish, .. } = event {
                rows.push((tokens.iter().map(|token| token.id).collect(), finish));
            }
            ControlFlow::Continue(())
        }))?;
        Ok(rows)
    }

    #[test]
    fn rows_behind_a_prefix_answer_as_transformers() {
        for name in ["llama", "phi"] {
            let mut decoder = load(name, &config(name), usize::MAX).unwrap();
            for prompt in [1, 2] {
                let (tokens, greedy) = recorded(name, prompt);
                let (prefix, suffix) = tokens.split_at(tokens.len() / 2);
                let other = [suffix, &tokens[..1]].concat();
                let mut job = Job {
                    prefix: prefix.to_vec(),
                    rows: vec![row(suffix, 24), row(&other, 24), row(suffix, 5)],
                    stop_tokens: Vec::new(),
                };
                let rows = run(&mut decoder, &job).unwrap();
                assert_eq!(rows[0], (greedy.clone(), Finish::Length), "{name}");
                assert_ne!(rows[1].0, greedy, "another question has another answer");
                assert_eq!(rows[2].0, greedy[..5], "rows do not see each other");
                job.stop_tokens = vec![greedy[4]];
                let end = greedy.iter().position(|token| *token == greedy[4]).unwrap();
                assert_eq!(
                    run(&mut decoder, &job).unwrap()[0],
                    (greedy[..=end].to_vec(), Finish::Stop)
                );
            }
        }
    }

    #[test]
    fn a_text_is_read_once_and_goes_on_where_it_was_stopped() {
        let mut decoder = load("llama", &config("llama"), usize::MAX).unwrap();
        let (tokens, _) = recorded("llama", 2);
        let prefix: Vec<u32> = tokens.iter().cycle().take(2 * READ_TOKENS + 3).copied().collect();
        let job = |prefix: &[u32], suffix: &[u32]| Job {
            prefix: prefix.to_vec(),
            rows: vec![row(suffix, 4)],
            stop_tokens: Vec::new(),
        };
        let whole = job(&prefix, &[5]);
        let pauses = Rc::new(Cell::new(0));
        let counted = pauses.clone();
        decoder = decoder.with_pause(Rc::new(move || {
            counted.set(counted.get() + 1);
            Box::pin(ready(()))
        }));
        let mut stop_at = |done| {
            pollster::block_on(decoder.run(&whole, None, &mut |event| match event {
                Event::Prefill { done: now, .. } if now >= done => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }))
        };
        assert!(matches!(stop_at(READ_TOKENS), Err(EngineError::Cancelled)));
        let mut cached = |job: &Job| {
            let mut go_on = |_| ControlFlow::Continue(());
            let run = decoder.run(job, None, &mut go_on);
            pollster::block_on(run).unwrap().cached_prefix_tokens
        };
        assert_eq!(cached(&whole), READ_TOKENS);
        assert_eq!(cached(&whole), prefix.len());
        assert!(pauses.get() > 4, "{}", pauses.get());
        assert_eq!(cached(&job(&prefix[1..], &[5])), 0, "another text is none of it");
        let read_in_parts = run(&mut decoder, &whole).unwrap();
        let mut fresh = load("llama", &config("llama"), usize::MAX).unwrap();
        assert_eq!(run(&mut fresh, &whole).unwrap(), read_in_parts);
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
        assert_eq!(error, "on the processor rope_theta of Phi must be 10000, and is 500000");
        let window = ModelConfig { sliding_window: Some(48), ..config("llama") };
        let mut decoder = load("llama", &window, 64).unwrap();
        assert_eq!(decoder.limits.context_tokens, 48);
        let job = |prefix, suffix: &[u32]| Job {
            prefix: vec![5; prefix],
            rows: vec![row(suffix, 24)],
            stop_tokens: Vec::new(),
        };
        assert!(run(&mut decoder, &job(22, &[6, 7])).is_ok());
        let error = run(&mut decoder, &job(23, &[6, 7])).unwrap_err();
        assert!(matches!(error, EngineError::Context { row: 0, needed: 49, available: 48 }));
        assert!(
            run(&mut decoder, &job(0, &[6])).is_err() && run(&mut decoder, &job(3, &[])).is_err()
        );
    }
}
