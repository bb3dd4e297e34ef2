use std::ops::ControlFlow;

use hangtag_engine::{Engine, EngineOptions, Gpu, GpuInfo, LoadProgress, MemoryPlan};
use hangtag_task::{Feature, TaskError, TaskVersion, Tokenize};
use hangtag_weights::{
    ByteSource, ConfidenceMap, Gguf, ModelConfig, Position, Tokenizer, task_version,
};

use crate::{
    Decode, ExtractError, Extraction, Language, Progress, Vocabulary, extract_many_with,
    extract_with,
};

/// A loaded model that reads descriptions, on a GPU or by another decoder.
pub struct Extractor<D = Engine> {
    decoder: D,
    version: TaskVersion,
    tokenizer: TaskTokenizer,
    stop_tokens: Vec<u32>,
    vocabulary: Vocabulary,
    confidence: Option<ConfidenceMap>,
    answers: Answers,
}

/// What answers may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answers {
    /// Pieces of the text, or choices; nothing is invented.
    #[default]
    Spans,
    /// Whatever the model writes.
    Free,
}

/// What a GGUF file's headers say of a model that can be asked.
pub struct Described {
    /// Architecture.
    pub config: ModelConfig,
    /// Text to tokens and back.
    pub tokenizer: Tokenizer,
    /// What the probability of an answer says of its being right, where that was measured.
    pub confidence: Option<ConfidenceMap>,
    /// The form of the prompt that it was trained on.
    pub version: TaskVersion,
}

impl Described {
    /// Reads the headers.
    ///
    /// # Errors
    /// An unsupported or damaged model ([`ExtractError::Config`], [`ExtractError::Tokenizer`], [`ExtractError::Vocabulary`],
    /// [`ExtractError::Confidence`], [`ExtractError::Metadata`]), or one of a version that is not known
    /// ([`ExtractError::TaskVersion`]).
    pub fn read<S: ByteSource>(gguf: &Gguf<S>) -> Result<Self, ExtractError> {
        let config = ModelConfig::from_gguf(gguf)?;
        let tokenizer = Tokenizer::from_gguf(gguf.metadata())?;
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(ExtractError::Vocabulary {
                tokenizer: tokenizer.vocab_size(),
                model: config.vocab_size,
            });
        }
        let confidence = ConfidenceMap::from_metadata(gguf.metadata())?;
        let found = task_version::of_metadata(gguf.metadata())?;
        let version = TaskVersion::from_number(found).ok_or(ExtractError::TaskVersion { found })?;
        Ok(Self { config, tokenizer, confidence, version })
    }
}

impl Extractor<Engine> {
    /// Whether [`Extractor::load`] would take the model of `gguf`, by its headers alone: the largest sizes up to `options` that are within
    /// the limits, and the memory that it then takes.
    ///
    /// # Errors
    /// As [`Extractor::load`], but for how much of the GPU's memory is free.
    pub fn fit<S: ByteSource>(
        gguf: &Gguf<S>,
        gpu: &GpuInfo,
        options: &EngineOptions,
    ) -> Result<(EngineOptions, MemoryPlan), ExtractError> {
        let config = Described::read(gguf)?.config;
        Engine::fit(gguf, &config, options, gpu).map_err(ExtractError::Load)
    }

    /// As [`Extractor::fit`], with sizes for which the GPU has the memory now.
    ///
    /// # Errors
    /// As [`Extractor::load`].
    pub async fn fit_now<S: ByteSource>(
        gguf: &Gguf<S>,
        gpu: &Gpu,
        options: &EngineOptions,
    ) -> Result<(EngineOptions, MemoryPlan), ExtractError> {
        let config = Described::read(gguf)?.config;
        Engine::fit_now(gguf, &config, options, gpu).await.map_err(ExtractError::Load)
    }

    /// Loads the model of `gguf` onto `gpu`.
    ///
    /// # Errors
    /// As [`Described::read`], before any weight is read; [`ExtractError::Load`] when the model does not fit or a tensor is
    /// wrong.
    pub async fn load<S: ByteSource>(
        gguf: Gguf<S>,
        gpu: Gpu,
        options: EngineOptions,
        progress: impl FnMut(LoadProgress),
    ) -> Result<Self, ExtractError> {
        let described = Described::read(&gguf)?;
        let engine = Engine::load(gpu, &gguf, described.config.clone(), options, progress)
            .await
            .map_err(ExtractError::Load)?;
        Ok(Self::new(engine, described))
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.decoder
    }

    /// The engine, to run jobs of one's own or to empty its prefix cache.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.decoder
    }

    /// The model's dimensions.
    pub fn config(&self) -> &ModelConfig {
        self.decoder.config()
    }
}

impl<D: Decode> Extractor<D> {
    /// A decoder with the model's description that belongs to it.
    pub fn new(decoder: D, described: Described) -> Self {
        let Described { tokenizer, confidence, version, .. } = described;
        let stop_tokens = tokenizer.stop_tokens();
        let (tokenizer, answers) = (TaskTokenizer(tokenizer), Answers::default());
        let vocabulary = tokenizer.vocabulary();
        Self { decoder, version, tokenizer, stop_tokens, vocabulary, confidence, answers }
    }

    /// Finds a value or "none" for every feature. `observe` hears what happens and may stop it with `Break`.
    ///
    /// # Errors
    /// As [`extract_with`].
    pub async fn extract(
        &mut self,
        text: &str,
        features: &[Feature],
        observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Extraction, ExtractError> {
        let (decoder, language) = self.parts();
        extract_with(decoder, language, text, features, observe).await
    }

    /// Finds a value or "none" for every feature of several texts, several at once; as [`extract_many_with`].
    pub async fn extract_many(
        &mut self,
        texts: &[&str],
        features: &[Feature],
        observe: &mut dyn FnMut(usize, Progress) -> ControlFlow<()>,
    ) -> Vec<Result<Extraction, ExtractError>> {
        let (decoder, language) = self.parts();
        extract_many_with(decoder, language, texts, features, observe).await
    }

    fn parts(&mut self) -> (&mut D, Language<'_>) {
        let is_span = self.answers == Answers::Spans;
        let language = Language {
            version: self.version,
            tokenizer: &self.tokenizer,
            stop_tokens: &self.stop_tokens,
            vocabulary: is_span.then_some(&self.vocabulary),
            // It was measured with such answers.
            confidence: self.confidence.as_ref().filter(|_| is_span),
        };
        (&mut self.decoder, language)
    }

    /// Sets what answers may be.
    pub fn set_answers(&mut self, answers: Answers) {
        self.answers = answers;
    }

    /// Makes confidence the bare probability of the answer, as a map is fitted to it.
    pub fn forget_confidence_map(&mut self) {
        self.confidence = None;
    }

    /// The form of the prompt that the model was trained on.
    pub fn version(&self) -> TaskVersion {
        self.version
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer.0
    }

    /// The model's tokenizer as the task asks for it.
    pub fn task_tokenizer(&self) -> &TaskTokenizer {
        &self.tokenizer
    }

    /// What the model's tokens stand for.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// A model's tokenizer as the task asks for it.
pub struct TaskTokenizer(pub Tokenizer);

impl Tokenize for TaskTokenizer {
    fn encode_start(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        self.encode(text, Position::Start)
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        self.encode(text, Position::Continuation)
    }

    fn decode(&self, ids: &[u32]) -> String {
        self.0.decode(ids)
    }
}

impl TaskTokenizer {
    /// What its tokens stand for.
    pub fn vocabulary(&self) -> Vocabulary {
        let ids = 0..self.0.vocab_size() as u32;
        Vocabulary::new(ids.map(|id| self.0.token_bytes(id)))
    }

    fn encode(&self, text: &str, position: Position) -> Result<Vec<u32>, TaskError> {
        self.0.encode(text, position).map_err(|error| TaskError::Tokenizer(error.to_string()))
    }
}
