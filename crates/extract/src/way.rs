use std::ops::{ControlFlow, Range};

use hangtag_engine::{Constraint, EngineError, Event, Job, RowRequest};
use hangtag_task::{
    Answer, Feature, FeatureValue, Tokenize, prefix_text, suffix, validate_features, windows,
};

use crate::answers::{FeatureAnswers, read_answer};
use crate::budget::max_prefix_tokens;
use crate::spans::Spans;
use crate::{Decode, ExtractError, Extraction, MAX_ANSWER_TOKENS, Progress, Stats, Vocabulary};

/// What a model's tokens stand for.
#[derive(Clone, Copy)]
pub struct Language<'a> {
    /// Text to ids and back.
    pub tokenizer: &'a dyn Tokenize,
    /// The tokens that end an answer.
    pub stop_tokens: &'a [u32],
    /// Answers are pieces of the text or choices, in these tokens; `None`: they may be anything.
    pub vocabulary: Option<&'a Vocabulary>,
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
    let Language { tokenizer, stop_tokens, vocabulary } = language;
    validate_features(features)?;
    let suffixes =
        features.iter().map(|feature| suffix(feature, tokenizer)).collect::<Result<Vec<_>, _>>()?;
    let windows = windows(text, max_prefix_tokens(decoder.limits(), &suffixes)?, tokenizer)?;
    let count = windows.len();
    let mut job = Job {
        prefix: Vec::new(),
        rows: suffixes.into_iter().map(row).collect(),
        stop_tokens: stop_tokens.to_vec(),
    };

    let mut way = Way::new(text, features, tokenizer);
    for (index, window) in windows.into_iter().enumerate() {
        if observe(Progress::Window { index, count }).is_break() {
            return Err(way.stopped(EngineError::Cancelled));
        }
        job.prefix = window.prefix;
        let spans = vocabulary.map(|vocabulary| {
            let part: String =
                text.chars().skip(window.chars.start).take(window.chars.len()).collect();
            Spans::new(vocabulary, &prefix_text(&part), features)
        });
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

fn row(suffix: Vec<u32>) -> RowRequest {
    RowRequest { suffix, max_new_tokens: MAX_ANSWER_TOKENS }
}

/// What is known on the way through one text.
struct Way<'a> {
    text: &'a str,
    features: &'a [Feature],
    tokenizer: &'a dyn Tokenize,
    answers: Vec<FeatureAnswers>, // (features)
    /// Of the window being read: its place in the text in characters, and whether it is the last.
    window: Range<usize>,
    is_last: bool,
    stats: Stats,
}

impl<'a> Way<'a> {
    fn new(text: &'a str, features: &'a [Feature], tokenizer: &'a dyn Tokenize) -> Self {
        Self {
            text,
            features,
            tokenizer,
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
                match answers.merged(feature, self.text) {
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
        let features: Vec<FeatureValue> =
            values.filter_map(|(feature, answers)| answers.merged(feature, self.text)).collect();
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
