//! Who answers: our engine, a server, or a baseline.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Result;
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Lookup, Ner, Question};
use hangtag_extract::{ExtractError, Extraction, Extractor};
use hangtag_task::{Product, TaskVersion};
use hangtag_weights::registry::DEFAULT_MODEL;

use super::args::{Baseline, EvaluateArgs, EvaluateDevice};
use super::processor::Processor;
use super::server::Server;
use crate::args::ModelArgs;
use crate::failure::bad_input;
use crate::{dataset, model};

/// Makes ready whom the arguments name.
pub fn open(args: &EvaluateArgs) -> Result<Box<dyn Answerer>> {
    if let Some(url) = &args.engine {
        let server = Server::connect(
            url,
            args.engine_model.as_deref(),
            args.concurrency,
            args.task_version.unwrap_or(TaskVersion::LATEST),
        )?;
        return Ok(Box::new(server));
    }
    match args.baseline {
        Some(Baseline::Lookup) => Ok(Box::new(Lookup::train(&train(args)?))),
        Some(Baseline::Ner) => Ok(Box::new(Ner::new(train(args)?))),
        None => open_model(args),
    }
}

/// The model that the arguments name, on the device that they name.
fn open_model(args: &EvaluateArgs) -> Result<Box<dyn Answerer>> {
    let model = args.model.as_deref().unwrap_or(DEFAULT_MODEL);
    // Of a path its last part is enough to know it by, and reports are shown to others.
    let path = Path::new(model);
    let name = path.file_name().filter(|_| path.exists());
    let name = name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(match args.device {
        EvaluateDevice::Gpu => Box::new(Own::load(args, model, name)?),
        EvaluateDevice::Cpu => Box::new(Processor::load(args, model, &name)?),
    })
}

/// The products that a baseline learns from.
fn train(args: &EvaluateArgs) -> Result<Vec<Product>> {
    let mut products = Vec::new();
    for path in &args.train {
        refuse_the_test(path, &args.data)?;
        let (more, bad) = dataset::read(path)?;
        bad.refuse()?;
        products.extend(more);
    }
    Ok(products)
}

fn refuse_the_test(train: &Path, data: &Path) -> Result<()> {
    let paths = (train.canonicalize(), data.canonicalize());
    if matches!(paths, (Ok(train), Ok(data)) if train == data) {
        return Err(bad_input(format!(
            "--train {} is the dataset to measure with",
            train.display()
        ))
        .hint("split it first: hangtag dataset split")
        .into());
    }
    Ok(())
}

/// The project's own engine.
struct Own {
    name: String,
    extractor: Extractor,
}

impl Own {
    fn load(args: &EvaluateArgs, model: &str, name: String) -> Result<Self> {
        let mut extractor = model::load(&ModelArgs {
            model: model.to_owned(),
            context: args.context,
            exact: args.exact,
            baseline_tier: args.baseline_tier,
            free_answers: args.free_answers,
            quiet: args.quiet,
        })?;
        if args.fit_confidence.is_some() {
            extractor.forget_confidence_map();
        }
        Ok(Self { name, extractor })
    }
}

impl Answerer for Own {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let go_on = &mut |_| ControlFlow::Continue(());
        let extracted = self.extractor.extract(question.text, question.features, go_on);
        given(pollster::block_on(extracted))
    }
}

/// What an extraction says of the features.
pub fn given(extracted: Result<Extraction, ExtractError>) -> Result<Vec<GivenAnswer>, AnswerError> {
    let extraction =
        extracted.map_err(|error| AnswerError::Failed(model::failure(&error).to_string()))?;
    let answers = extraction.features.into_iter();
    Ok(answers.map(|f| GivenAnswer { value: f.value, confidence: Some(f.confidence) }).collect())
}
