//! A model on the processor, by candle's own decoders: for computers without a GPU, and as a check of the engine, with which it
//! has no arithmetic in common.

use std::fmt::Display;
use std::fs::File;
use std::ops::ControlFlow;

use anyhow::Result;
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Question};
use hangtag_extract::{TaskTokenizer, extract_with};
use hangtag_weights::{Gguf, ModelConfig, Tokenizer};

use super::answerers::given;
use super::candle::CandleDecoder;
use crate::failure::bad_input;
use crate::model;

/// A model on the processor.
pub struct Processor {
    name: String,
    decoder: CandleDecoder,
    tokenizer: TaskTokenizer,
    stop_tokens: Vec<u32>,
}

impl Processor {
    /// Loads the model that the user calls `model` and reports are to call `name`. `context` is the number of tokens, text and
    /// answer together, over which a text is read in several windows.
    pub fn load(model: &str, name: &str, context: Option<u32>, quiet: bool) -> Result<Self> {
        let files = model::open(model, quiet)?;
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
        let context = context.map_or(usize::MAX, |context| context as usize);
        Ok(Self {
            name: format!("{name} on the processor"),
            decoder: CandleDecoder::load(file, &config, context).map_err(|error| wrong(&error))?,
            stop_tokens: tokenizer.stop_tokens(),
            tokenizer: TaskTokenizer(tokenizer),
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
        let extracted = extract_with(decoder, tokenizer, &self.stop_tokens, text, features, go_on);
        given(pollster::block_on(extracted))
    }
}
