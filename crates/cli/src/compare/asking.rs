//! The ways in which a model is asked.

use std::ops::ControlFlow;

use anyhow::Result;
use hangtag_engine::{Constraint, Event, Job, RowRequest};
use hangtag_evaluate::{AnswerError, Answerer, GivenAnswer, Question};
use hangtag_extract::{Extractor, MAX_ANSWER_TOKENS, Spans, Vocabulary};
use hangtag_task::{Answer, Feature, Product, TaskError, answer, parse_answer, prefix, suffix};
use hangtag_weights::Tokenizer;

use crate::args::ModelArgs;
use crate::evaluate::given;
use crate::model;

/// How the features of a text are asked for.
pub enum Asking {
    /// Each by itself; the text read anew for each, or once.
    OneByOne {
        /// Whether it is read anew.
        anew: bool,
    },
    /// So many in one prompt, each behind the answers of those before it.
    InTurn(u16),
    /// All as one batch behind the text, as the page does.
    Together,
    /// As together, behind these products with their answers: for a model that was not trained.
    Examples(Vec<Product>),
}

/// A model with a way of asking it.
pub struct Model {
    name: String,
    extractor: Extractor,
    asking: Asking,
    /// What rows of one's own making are read with, while the engine is busy.
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    /// Tokens before every text.
    examples: Vec<u32>,
}

impl Model {
    /// Loads the model.
    pub fn load(model: &str, asking: Asking, quiet: bool) -> Result<Self> {
        let extractor = model::load(&ModelArgs {
            model: model.to_owned(),
            context: None,
            exact: false,
            baseline_tier: false,
            free_answers: false,
            quiet,
        })?;
        let bits = if model.ends_with("model-f16") { "16 bits" } else { "4 bits" };
        let name = match &asking {
            Asking::Examples(examples) => {
                format!("the base, not trained, {} examples in the prompt", examples.len())
            }
            Asking::OneByOne { anew: true } => {
                format!("trained, {bits}, one feature at a time, text read anew")
            }
            Asking::OneByOne { anew: false } => {
                format!("trained, {bits}, one feature at a time, text kept")
            }
            Asking::InTurn(count) => format!("trained, {bits}, {count} features a prompt, in turn"),
            Asking::Together => format!("trained, {bits}, all features together"),
        };
        let examples = match &asking {
            Asking::Examples(products) => example_tokens(products, &extractor)?,
            _ => Vec::new(),
        };
        let (vocabulary, tokenizer) =
            (extractor.vocabulary().clone(), extractor.tokenizer().clone());
        Ok(Self { name, extractor, asking, vocabulary, tokenizer, examples })
    }

    fn one_by_one(
        &mut self,
        question: &Question<'_>,
        anew: bool,
    ) -> Result<Vec<GivenAnswer>, AnswerError> {
        let mut all = Vec::new();
        self.extractor.engine_mut().clear_prefix_cache();
        for feature in question.features {
            if anew {
                self.extractor.engine_mut().clear_prefix_cache();
            }
            let feature = std::slice::from_ref(feature);
            all.extend(self.together(&Question { features: feature, ..*question })?);
        }
        Ok(all)
    }

    fn together(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        let go_on = &mut |_| ControlFlow::Continue(());
        given(pollster::block_on(self.extractor.extract(question.text, question.features, go_on)))
    }

    /// Several rows at once, in each the features one after another with what was answered between them.
    fn in_turn(
        &mut self,
        question: &Question<'_>,
        count: usize,
    ) -> Result<Vec<GivenAnswer>, AnswerError> {
        let task = self.extractor.task_tokenizer();
        let text = prefix(self.extractor.version(), question.text, task)?;
        let rows: Vec<&[Feature]> = question.features.chunks(count).collect();
        let mut so_far: Vec<Vec<u32>> = vec![Vec::new(); rows.len()];
        let mut answers: Vec<Vec<GivenAnswer>> = vec![Vec::new(); rows.len()];
        for turn in 0..count {
            let asked: Vec<(usize, Feature)> = rows
                .iter()
                .enumerate()
                .filter_map(|(row, features)| Some((row, features.get(turn)?.clone())))
                .collect();
            let features: Vec<Feature> = asked.iter().map(|(_, feature)| feature.clone()).collect();
            for (row, feature) in &asked {
                so_far[*row].extend(suffix(feature, self.extractor.task_tokenizer())?);
            }
            let suffixes = asked.iter().map(|(row, _)| so_far[*row].clone()).collect();
            let given = self.rows(text.clone(), suffixes, question.text, &features)?;
            for ((row, _), given) in asked.iter().zip(given) {
                let task = self.extractor.task_tokenizer();
                so_far[*row].extend(answer(given.value.as_deref(), task)?);
                answers[*row].push(given);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn behind_examples(
        &mut self,
        question: &Question<'_>,
    ) -> Result<Vec<GivenAnswer>, AnswerError> {
        let task = self.extractor.task_tokenizer();
        let mut tokens = self.examples.clone();
        tokens.extend(prefix(self.extractor.version(), question.text, task)?);
        let suffixes = question.features.iter().map(|feature| suffix(feature, task));
        let suffixes = suffixes.collect::<Result<Vec<_>, _>>()?;
        self.rows(tokens, suffixes, question.text, question.features)
    }

    /// One answer of `features` a row, out of `text`, behind tokens of one's own making.
    fn rows(
        &mut self,
        prefix: Vec<u32>,
        suffixes: Vec<Vec<u32>>,
        text: &str,
        features: &[Feature],
    ) -> Result<Vec<GivenAnswer>, AnswerError> {
        let tokenizer = &self.tokenizer;
        let spans = Spans::new(&self.vocabulary, text, features);
        let rows = suffixes
            .into_iter()
            .map(|suffix| RowRequest { suffix, max_new_tokens: MAX_ANSWER_TOKENS })
            .collect();
        let job = Job { prefix, rows, stop_tokens: tokenizer.stop_tokens() };
        let mut given = vec![GivenAnswer::default(); features.len()];
        let mut take = |event| {
            if let Event::Row { index, tokens, .. } = event {
                let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
                if let Answer::Value(value) = parse_answer(&tokenizer.decode(&ids)) {
                    given[index].value = Some(value);
                }
            }
            ControlFlow::Continue(())
        };
        let constraint = Some(&spans as &dyn Constraint);
        let ran = self.extractor.engine_mut().run_constrained(&job, constraint, &mut take);
        pollster::block_on(ran).map_err(|error| AnswerError::Failed(error.to_string()))?;
        Ok(given)
    }
}

/// The products as questions with their answers.
fn example_tokens(products: &[Product], extractor: &Extractor) -> Result<Vec<u32>, TaskError> {
    let task = extractor.task_tokenizer();
    let mut tokens = Vec::new();
    for product in products {
        tokens.extend(prefix(extractor.version(), &product.text, task)?);
        for (name, value) in &product.features {
            tokens.extend(suffix(&Feature::new(name), task)?);
            tokens.extend(answer(value.as_deref(), task)?);
        }
    }
    Ok(tokens)
}

impl Answerer for Model {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
        match &self.asking {
            &Asking::OneByOne { anew } => self.one_by_one(question, anew),
            &Asking::InTurn(count) => self.in_turn(question, usize::from(count)),
            Asking::Together => {
                // Nothing of an earlier text is to help, nor of the same one.
                self.extractor.engine_mut().clear_prefix_cache();
                self.together(question)
            }
            Asking::Examples(_) => self.behind_examples(question),
        }
    }
}
