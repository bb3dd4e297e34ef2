//! One trained conditional random field.

use std::fs;

use crfs::{Model, Trainer};

use super::NerError;
use super::labels::Labelled;
use super::tokens::{attributes, tokenize};

/// Strength of the L2 regularisation, CRFsuite's `c2`; chosen on a part of OA-Mine's training products.
const C2: f64 = 0.3;

/// Steps of L-BFGS; more change little.
const MAX_ITERATIONS: usize = 60;

/// A linear-chain CRF (Lafferty, McCallum and Pereira 2001) over the tokens of a text.
pub(super) struct Crf {
    /// The model in CRFsuite's format.
    bytes: Vec<u8>,
}

impl Crf {
    /// Learns the labels of `texts`; `None` where there is nothing to learn.
    pub(super) fn train(texts: &[Labelled<'_>]) -> Result<Option<Self>, NerError> {
        let mut trainer = Trainer::lbfgs()
            .with_c2(C2)
            .and_then(|trainer| trainer.with_max_iterations(MAX_ITERATIONS))
            .map_err(NerError::Training)?;
        let mut has_value = false;
        for labelled in texts.iter().filter(|labelled| !labelled.tokens.is_empty()) {
            has_value |= labelled.labels.iter().any(|label| label != super::labels::OUTSIDE);
            let told = attributes(labelled.text, &labelled.tokens);
            trainer.append(&told, &labelled.labels).map_err(NerError::Training)?;
        }
        if !has_value {
            return Ok(None);
        }
        let folder = tempfile::tempdir().map_err(NerError::Folder)?;
        let path = folder.path().join("model.crfsuite");
        trainer.train(&path).map_err(NerError::Training)?;
        let bytes = fs::read(&path).map_err(NerError::Folder)?;
        Ok(Some(Self { bytes }))
    }

    /// The tokens of `text` and a label for each.
    pub(super) fn label<'a>(&self, text: &'a str) -> Result<Labelled<'a>, NerError> {
        let tokens = tokenize(text);
        let told = attributes(text, &tokens);
        let model = Model::new(&self.bytes).map_err(NerError::Labelling)?;
        let tagger = model.tagger().map_err(NerError::Labelling)?;
        let labels = tagger.tag(&told).map_err(NerError::Labelling)?;
        let labels = labels.into_iter().map(str::to_owned).collect();
        Ok(Labelled { text, tokens, labels })
    }
}
