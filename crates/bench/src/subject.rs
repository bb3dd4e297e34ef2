//! What is measured: a model with its tokenizer, or a shape with random weights.

use hangtag_engine::{Engine, Job, RowRequest};
use hangtag_extract::{Extractor, MAX_ANSWER_TOKENS, Spans, Vocabulary};
use hangtag_task::{Feature, TaskError, parse_feature_list, prefix, suffix};
use hangtag_weights::{Position, Tokenizer, TokenizerError};

use crate::BenchError;

/// A description to read, repeated to the length asked for.
pub const TEXT: &str = "Trail running shoe for men, upper of recycled polyester mesh in navy blue with orange laces, \
                    rubber sole with 4 mm lugs, 8 mm drop, 285 g in size EU 42, made in Portugal, machine washable \
                    at 30 degrees, delivered in a cardboard box with a spare pair of insoles. ";

/// Names to ask for; more are numbered.
const FEATURES: &str =
    "Brand, Color, Size, Material, Gender, Weight, Country, Sole, Drop, Washing, Packaging, Sport";

/// Tokens of a question and of its answer where weights are random: about what shops ask and get.
const SUFFIX_TOKENS: usize = 8;
const ANSWER_TOKENS: usize = 8;

/// What is measured.
pub enum Subject<'a> {
    /// A model that can be asked.
    Model(&'a mut Extractor),
    /// A model without a tokenizer, whose weights may be random.
    Shape(&'a mut Engine),
}

impl Subject<'_> {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Model(extractor) => extractor.engine(),
            Self::Shape(engine) => engine,
        }
    }

    pub(crate) fn engine_mut(&mut self) -> &mut Engine {
        match self {
            Self::Model(extractor) => extractor.engine_mut(),
            Self::Shape(engine) => engine,
        }
    }

    /// Times that the text stands in the prompt.
    pub(crate) fn readings(&self) -> usize {
        match self {
            Self::Model(extractor) => extractor.version().readings(),
            Self::Shape(_) => 1,
        }
    }

    /// All the features of a text, and with a real model what their answers are taken from.
    pub(crate) fn job(
        &self,
        count: usize,
        tokens: usize,
    ) -> Result<(Job, Option<Source>), BenchError> {
        match self {
            Self::Model(extractor) => {
                let source = Source {
                    vocabulary: extractor.vocabulary().clone(),
                    text: text(extractor.tokenizer(), tokens)?,
                    features: features(count)?,
                };
                Ok((asked(extractor, &source)?, Some(source)))
            }
            Self::Shape(engine) => {
                let words = engine.config().vocab_size;
                let ids = |from: usize, count: usize| -> Vec<u32> {
                    (from..from + count).map(|i| (i * 7919 % words) as u32).collect()
                };
                let row = |i| RowRequest {
                    suffix: ids(tokens + i * SUFFIX_TOKENS, SUFFIX_TOKENS),
                    max_new_tokens: ANSWER_TOKENS,
                };
                let rows = (0..count).map(row).collect();
                Ok((Job { prefix: ids(0, tokens), rows, stop_tokens: Vec::new() }, None))
            }
        }
    }
}

/// What the answers of a real extraction are to be taken from.
pub struct Source {
    vocabulary: Vocabulary,
    text: String,
    features: Vec<Feature>,
}

impl Source {
    /// `prefix` are the text's tokens.
    pub fn spans(&self, prefix: &[u32]) -> Spans<'_> {
        Spans::new(&self.vocabulary, &self.text, &self.features).with_tokens(prefix)
    }
}

/// The prompts of a real extraction.
fn asked(extractor: &Extractor, source: &Source) -> Result<Job, TaskError> {
    let task = extractor.task_tokenizer();
    let row = |feature: &Feature| -> Result<RowRequest, TaskError> {
        let suffix = suffix(feature, task)?;
        Ok(RowRequest { suffix, max_new_tokens: MAX_ANSWER_TOKENS })
    };
    Ok(Job {
        prefix: prefix(extractor.version(), &source.text, task)?,
        rows: source.features.iter().map(row).collect::<Result<_, _>>()?,
        stop_tokens: extractor.tokenizer().stop_tokens(),
    })
}

/// `count` features to ask for.
///
/// # Errors
/// When they are more than can be asked for.
pub fn features(count: usize) -> Result<Vec<Feature>, TaskError> {
    let names: Vec<&str> = FEATURES.split(", ").collect();
    let names: Vec<String> = (0..count)
        .map(|index| match (names.get(index), names[index % names.len()]) {
            (Some(name), _) => (*name).to_owned(),
            (None, name) => format!("{name} {}", index / names.len() + 1),
        })
        .collect();
    parse_feature_list(&names.join(", "))
}

/// Whole words of [`TEXT`], as many as make at least `tokens` tokens.
fn text(tokenizer: &Tokenizer, tokens: usize) -> Result<String, TokenizerError> {
    let once = tokenizer.encode(TEXT, Position::Continuation)?;
    let mut text = TEXT.repeat(tokens / once.len().max(1));
    for word in TEXT.split_inclusive(' ') {
        if tokenizer.encode(&text, Position::Continuation)?.len() >= tokens {
            break;
        }
        text += word;
    }
    Ok(text)
}
