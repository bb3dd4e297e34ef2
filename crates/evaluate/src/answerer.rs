use std::time::Instant;

use hangtag_task::{Feature, Product, TaskError, validate_features};

use crate::Prediction;

/// What is asked of one product: all but what is right.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Category of the product; may be empty.
    pub category: &'a str,
    /// Its description.
    pub text: &'a str,
    /// What to find.
    pub features: &'a [Feature],
}

/// What is said of one feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenAnswer {
    /// The value; `None` where the text is said to give none.
    pub value: Option<String>,
    /// Probability that the answer is right, from 0 to 1, if the answerer has an idea of it.
    pub confidence: Option<f32>,
}

/// Why a product has no answers. The message is for the person who runs the evaluation.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The product cannot be asked about.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The answerer failed.
    #[error("{0}")]
    Failed(String),
    /// The answerer gave too few answers or too many: a defect of it.
    #[error("{given} answers to {asked} questions; please report this")]
    Count {
        /// Answers given.
        given: usize,
        /// Features asked.
        asked: usize,
    },
}

/// Anything that answers questions about products.
pub trait Answerer {
    /// What it is, for the report.
    fn name(&self) -> String;

    /// One answer for each feature of the question, in their order.
    ///
    /// # Errors
    /// Why this product has no answers; the others may have.
    fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError>;
}

/// Asks for all features of `product` and takes the time.
///
/// # Errors
/// Those of [`validate_features`] and of the answerer.
pub fn ask(answerer: &mut dyn Answerer, product: &Product) -> Result<Prediction, AnswerError> {
    let features: Vec<Feature> = product.features.keys().map(|name| Feature::new(name)).collect();
    validate_features(&features)?;
    let question =
        Question { category: &product.category, text: &product.text, features: &features };
    let start = Instant::now();
    let given = answerer.answer(&question)?;
    let seconds = start.elapsed().as_secs_f64();
    if given.len() != features.len() {
        return Err(AnswerError::Count { given: given.len(), asked: features.len() });
    }
    let mut prediction = Prediction {
        id: product.id.clone(),
        by: Some(answerer.name()),
        seconds: Some(seconds),
        ..Prediction::default()
    };
    for (name, given) in product.features.keys().zip(given) {
        prediction.answers.insert(name.clone(), given.value);
        if let Some(confidence) = given.confidence {
            prediction.confidence.insert(name.clone(), confidence);
        }
    }
    Ok(prediction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_products::product;

    struct Parrot(usize);

    impl Answerer for Parrot {
        fn name(&self) -> String {
            "parrot".to_owned()
        }

        fn answer(&mut self, question: &Question<'_>) -> Result<Vec<GivenAnswer>, AnswerError> {
            let value = Some(question.text.to_owned());
            Ok(vec![GivenAnswer { value, confidence: Some(0.5) }; self.0])
        }
    }

    #[test]
    fn answers_get_the_names_asked() {
        let product = product("7", "Shoes", "Red", r#"{"Color":"Red","Size":null}"#);
        let prediction = ask(&mut Parrot(2), &product).unwrap();
        assert_eq!((prediction.id.as_str(), prediction.by.as_deref()), ("7", Some("parrot")));
        assert_eq!(prediction.answers["Size"].as_deref(), Some("Red"));
        assert_eq!(prediction.confidence["Color"], 0.5);
        assert!(prediction.seconds.is_some());
        let error = ask(&mut Parrot(1), &product).unwrap_err();
        assert_eq!(error.to_string(), "1 answers to 2 questions; please report this");
    }
}
