//! A model on the processor: for computers without a GPU, and as a check of the engine.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;

use anyhow::Result;
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Question};
use hangtag_extract::{Answers, Described, Extractor};
use hangtag_processor::{ProcessorDecoder, ProcessorError};
use hangtag_weights::Gguf;

use super::answerers::given;
use super::args::EvaluateArgs;
use crate::failure::bad_input;
use crate::model;

/// A model on the processor.
pub struct Processor {
    name: String,
    extractor: Extractor<ProcessorDecoder>,
}

impl Processor {
    /// Loads the model that the user calls `model` and reports are to call `name`.
    pub fn load(args: &EvaluateArgs, model: &str, name: &str) -> Result<Self> {
        let files = model::open(model, args.quiet)?;
        let wrong = |error: &dyn Display| bad_input(format!("--model {model}: {error}"));
        let [file] = files.as_slice() else {
            return Err(wrong(&ProcessorError::Split(files.len())).into());
        };
        let file = File::open(file.path()).map_err(|error| wrong(&error))?;
        let gguf = pollster::block_on(Gguf::open(files)).map_err(bad_input)?;
        let described = Described::read(&gguf).map_err(|error| wrong(&error))?;
        // Over so many tokens, text and answer together, a text is read in several windows.
        let context = args.context.map_or(usize::MAX, |context| context as usize);
        let decoder = ProcessorDecoder::load(&mut BufReader::new(file), &described.config, context)
            .map_err(|error| wrong(&error))?;
        let mut extractor = Extractor::new(decoder, described);
        if args.fit_confidence.is_some() {
            extractor.forget_confidence_map();
        }
        if args.free_answers {
            extractor.set_answers(Answers::Free);
        }
        Ok(Self { name: format!("{name} on the processor"), extractor })
    }
}

impl Answerer for Processor {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let go_on = &mut |_| ControlFlow::Continue(());
        let extracted = self.extractor.extract(question.text, question.features, go_on);
        given(pollster::block_on(extracted))
    }
}
