//! A model on the processor, by candle's own decoders: for computers without a GPU, and as a check of the engine, with which it
//! has no arithmetic in common.

use std::fmt::Display;
use std::fs::File;
use std::ops::ControlFlow;

use anyhow::Result;
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Question};
use hangtag_extract::{Language, TaskTokenizer, Vocabulary, extract_with};
use hangtag_weights::{Gguf, ModelConfig, Tokenizer};

use super::answerers::given;
use super::args::EvaluateArgs;
use super::candle::CandleDecoder;
use crate::failure::bad_input;
use crate::model;

/// A model on the processor.
pub struct Processor {
    name: String,
    decoder: CandleDecoder,
    tokenizer: TaskTokenizer,
    stop_tokens: Vec<u32>,
    vocabulary: Option<Vocabulary>,
}

impl Processor {
    /// Loads the model that the user calls `model` and reports are to call `name`.
    pub fn load(args: &EvaluateArgs, model: &str, name: &str) -> Result<Self> {
        let files = model::open(model, args.quiet)?;
        let [file] = files.as_slice() else {
            return Err(bad_input(format!("--model {model} is split into several files"))
                .hint("for the processor export it without --shard-size")
                .into());
        };
        let wrong = |error: &dyn Display| bad_input(format!("--model {model}: {error}"));
        let file = File::open(file.path()).map_err(|error| wrong(&error))?;
        let gguf = pollster::block_on(Gguf::open(files)).map_err(bad_input)?;
        let config = ModelConfig::from_gguf(&gguf).map_err(|error| wrong(&error))?;
        let tokenizer = Tokenizer::from_gguf(gguf.metadata()).map_err(|error| wrong(&error))?;
        let tokenizer = TaskTokenizer(tokenizer);
        // Over so many tokens, text and answer together, a text is read in several windows.
        let context = args.context.map_or(usize::MAX, |context| context as usize);
        Ok(Self {
            name: format!("{name} on the processor"),
            decoder: CandleDecoder::load(file, &config, context).map_err(|error| wrong(&error))?,
            stop_tokens: tokenizer.0.stop_tokens(),
            vocabulary: (!args.free_answers).then(|| tokenizer.vocabulary()),
            tokenizer,
        })
    }
}

impl Answerer for Processor {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let Question { text, features, .. } = *question;
        let (decoder, tokenizer) = (&mut self.decoder, &self.tokenizer);
        let go_on = &mut |_| ControlFlow::Continue(());
        let language = Language {
            tokenizer,
            stop_tokens: &self.stop_tokens,
            vocabulary: self.vocabulary.as_ref(),
        };
        let extracted = extract_with(decoder, language, text, features, go_on);
        given(pollster::block_on(extracted))
    }
}
