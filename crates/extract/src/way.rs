use std::ops::{ControlFlow, Range};

use hangtag_engine::{Constraint, EngineError, Event, Job, RowRequest};
use hangtag_task::{
    Answer, Feature, FeatureValue, TaskVersion, Tokenize, suffix, validate_features, windows,
};
use hangtag_weights::ConfidenceMap;

use crate::answers::{FeatureAnswers, read_answer};
use crate::budget::max_prefix_tokens;
use crate::spans::Spans;
use crate::{
    Decode, ExtractError, Extraction, Limits, MAX_ANSWER_TOKENS, Progress, Stats, Vocabulary,
};

/// What a model's tokens stand for.
#[derive(Clone, Copy)]
pub struct Language<'a> {
    /// The form of the prompt that it was trained on.
    pub version: TaskVersion,
    /// Text to ids and back.
    pub tokenizer: &'a dyn Tokenize,
    /// The tokens that end an answer.
    pub stop_tokens: &'a [u32],
    /// Answers are pieces of the text or choices, in these tokens; `None`: they may be anything.
    pub vocabulary: Option<&'a Vocabulary>,
    /// What the probability of an answer says of its being right; `None`: confidence is that probability.
    pub confidence: Option<&'a ConfidenceMap>,
}

/// Asks for all `features` of `text`, window by window, and merges the windows' answers.
///
/// Every window is one job: its tokens as the shared prefix and one row a feature. `observe` may return `Break` at any
/// report to stop.
///
/// # Errors
/// [`ExtractError::Task`] and [`ExtractError::ContextTooSmall`] before anything runs; after that errors that carry what
/// was answered before ([`ExtractError::finished`]).
pub async fn extract_with<D: Decode>(
    decoder: &mut D,
    language: Language<'_>,
    text: &str,
    features: &[Feature],
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Extraction, ExtractError> {
    let Asked { mut job, max_prefix_tokens } = asked(decoder.limits(), language, features)?;
    let Language { version, tokenizer, vocabulary, .. } = language;
    let windows = windows(version, text, max_prefix_tokens, tokenizer)?;
    let count = windows.len();
    let mut way = Way::new(text, features, language);
    for (index, window) in windows.into_iter().enumerate() {
        if observe(Progress::Window { index, count }).is_break() {
            return Err(way.stopped(EngineError::Cancelled));
        }
        let spans = vocabulary.map(|vocabulary| {
            let part: String =
                text.chars().skip(window.chars.start).take(window.chars.len()).collect();
            Spans::new(vocabulary, &part, features).with_tokens(&window.prefix)
        });
        job.prefix = window.prefix;
        way.begin_window(window.chars, index + 1 == count);
        let constraint = spans.as_ref().map(|spans| spans as &dyn Constraint);
        let ran = decoder.run(&job, constraint, &mut |event| way.take(event, observe)).await;
        match ran {
            Ok(stats) => way.stats.add_job(&stats),
            Err(error) => return Err(way.stopped(error)),
        }
        way.end_window()?;
    }
    Ok(way.finished())
}

/// What the features ask of any text.
struct Asked {
    /// Without a prefix.
    job: Job,
    /// Tokens that a window of the text may have.
    max_prefix_tokens: usize,
}

fn asked(
    limits: Limits,
    language: Language<'_>,
    features: &[Feature],
) -> Result<Asked, ExtractError> {
    validate_features(features)?;
    let suffixes = features
        .iter()
        .map(|feature| suffix(feature, language.tokenizer))
        .collect::<Result<Vec<_>, _>>()?;
    let max_prefix_tokens = max_prefix_tokens(limits, language.version, &suffixes)?;
    let rows = suffixes.into_iter().map(row).collect();
    let stop_tokens = language.stop_tokens.to_vec();
    Ok(Asked { job: Job { prefix: Vec::new(), rows, stop_tokens }, max_prefix_tokens })
}

/// A text that is one window, and what is known on the way through it.
struct Short<'a> {
    number: usize,
    job: Job,
    spans: Option<Spans<'a>>,
    way: Way<'a>,
}

/// Asks for all `features` of several texts, of which as many run at once as the decoder has room for; a text of several
/// windows runs by itself. The results are in the order of `texts`. What stops one text stops no other, except `observe`:
/// it hears which text each report is of, and after a `Break` all texts without an answer are [`ExtractError::Cancelled`].
pub async fn extract_many_with<D: Decode>(
    decoder: &mut D,
    language: Language<'_>,
    texts: &[&str],
    features: &[Feature],
    observe: &mut dyn FnMut(usize, Progress) -> ControlFlow<()>,
) -> Vec<Result<Extraction, ExtractError>> {
    // An error of the features or of a text is met again below, and told.
    let mut short: Vec<Short<'_>> = match asked(decoder.limits(), language, features) {
        Err(_) => Vec::new(),
        Ok(asked) => texts
            .iter()
            .enumerate()
            .filter_map(|(number, text)| only_window(&asked, language, (number, text), features))
            .collect(),
    };
    let ran = {
        let (mut ways, jobs): (Vec<(usize, &mut Way<'_>)>, Vec<_>) = short
            .iter_mut()
            .map(|Short { number, job, spans, way }| {
                let constraint = spans.as_ref().map(|spans| spans as &dyn Constraint);
                ((*number, way), (&*job, constraint))
            })
            .unzip();
        let mut on_event = |job: usize, event| {
            let (number, way) = &mut ways[job];
            way.take(event, &mut |progress| observe(*number, progress))
        };
        decoder.run_many(&jobs, &mut on_event).await
    };
    if matches!(ran, Err(EngineError::Cancelled)) {
        let mut stopped: Vec<_> = texts.iter().map(|_| Err(cancelled())).collect();
        for Short { number, mut way, .. } in short {
            stopped[number] = Err(way.stopped(EngineError::Cancelled));
        }
        return stopped;
    }
    let mut results: Vec<Option<Result<Extraction, ExtractError>>> =
        texts.iter().map(|_| None).collect();
    // After an error nobody knows whose it was: each text is asked by itself.
    for (mut short, stats) in short.into_iter().zip(ran.unwrap_or_default()) {
        short.way.stats.add_job(&stats);
        let finished = short.way.end_window().map(|()| short.way.finished());
        results[short.number] = Some(finished);
    }
    let (mut all, mut is_stopped) = (Vec::new(), false);
    for (number, (text, result)) in texts.iter().zip(results).enumerate() {
        let observe = &mut |progress| observe(number, progress);
        let result = match result {
            Some(result) => result,
            None if is_stopped => Err(cancelled()),
            None => extract_with(decoder, language, text, features, observe).await,
        };
        is_stopped |= matches!(result, Err(ExtractError::Cancelled { .. }));
        all.push(result);
    }
    all
}

/// Of a text that was not begun.
fn cancelled() -> ExtractError {
    ExtractError::Cancelled { finished: Box::default() }
}

/// The job of a text that is one window; `None` for a longer one, or one that cannot be read.
fn only_window<'a>(
    asked: &Asked,
    language: Language<'a>,
    (number, text): (usize, &'a str),
    features: &'a [Feature],
) -> Option<Short<'a>> {
    let Language { version, tokenizer, vocabulary, .. } = language;
    let mut windows = windows(version, text, asked.max_prefix_tokens, tokenizer).ok()?;
    let window = windows.pop().filter(|_| windows.is_empty())?;
    let spans =
        vocabulary.map(|words| Spans::new(words, text, features).with_tokens(&window.prefix));
    let job = Job { prefix: window.prefix, ..asked.job.clone() };
    let mut way = Way::new(text, features, language);
    way.begin_window(window.chars, true);
    Some(Short { number, job, spans, way })
}

fn row(suffix: Vec<u32>) -> RowRequest {
    RowRequest { suffix, max_new_tokens: MAX_ANSWER_TOKENS }
}

/// What is known on the way through one text.
struct Way<'a> {
    text: &'a str,
    features: &'a [Feature],
    tokenizer: &'a dyn Tokenize,
    confidence: Option<&'a ConfidenceMap>,
    answers: Vec<FeatureAnswers>, // (features)
    /// Of the window being read: its place in the text in characters, and whether it is the last.
    window: Range<usize>,
    is_last: bool,
    stats: Stats,
}

impl<'a> Way<'a> {
    fn new(text: &'a str, features: &'a [Feature], language: Language<'a>) -> Self {
        Self {
            text,
            features,
            tokenizer: language.tokenizer,
            confidence: language.confidence,
            answers: features.iter().map(|_| FeatureAnswers::default()).collect(),
            window: 0..0,
            is_last: false,
            stats: Stats::default(),
        }
    }

    fn begin_window(&mut self, window: Range<usize>, is_last: bool) {
        self.window = window;
        self.is_last = is_last;
        self.stats.windows += 1;
    }

    /// Takes one event of the engine and passes on what it means.
    fn take(
        &mut self,
        event: Event,
        observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match event {
            Event::Prefill { done, total } => observe(Progress::Prefill { done, total }),
            Event::Decode { active_rows } => observe(Progress::Decode { active_rows }),
            Event::Row { index, tokens, finish } => {
                let (Some(feature), Some(answers)) =
                    (self.features.get(index), self.answers.get_mut(index))
                else {
                    return ControlFlow::Continue(());
                };
                let (answer, confidence) = read_answer(&tokens, finish, self.tokenizer);
                let is_news = self.is_last || matches!(answer, Answer::Value(_));
                answers.push(answer, confidence, self.window.clone());
                self.stats.rows += 1;
                if !is_news {
                    return ControlFlow::Continue(());
                }
                match answers.merged(feature, self.text, self.confidence) {
                    Some(value) => observe(Progress::Feature { index, value }),
                    None => ControlFlow::Continue(()),
                }
            }
        }
    }

    /// Checks that the window answered every feature.
    fn end_window(&mut self) -> Result<(), ExtractError> {
        let expected = self.stats.windows;
        let missing = self.answers.iter().position(|a| a.len() != expected);
        let features = self.features;
        match missing.and_then(|index| features.get(index)) {
            None => Ok(()),
            Some(feature) => Err(ExtractError::NoAnswer {
                feature: feature.name.clone(),
                finished: Box::new(self.finished()),
            }),
        }
    }

    /// Every feature answered so far.
    fn finished(&mut self) -> Extraction {
        let values = self.features.iter().zip(&mut self.answers);
        let features: Vec<FeatureValue> = values
            .filter_map(|(feature, answers)| answers.merged(feature, self.text, self.confidence))
            .collect();
        Extraction { features, stats: self.stats }
    }

    fn stopped(&mut self, error: EngineError) -> ExtractError {
        let finished = Box::new(self.finished());
        match error {
            EngineError::Cancelled => ExtractError::Cancelled { finished },
            source => ExtractError::Engine { source, finished },
        }
    }
}
