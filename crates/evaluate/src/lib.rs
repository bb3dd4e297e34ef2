//! How good answers are. No GPU and no language model.
//!
//! ```text
//! Product ── Question ── Answerer ── Prediction ─┐
//!    └───────────── what is right ───────────────┴── Report ── HTML
//! ```
//! [`Answerer`] is whatever answers: the project's engine, another server, or the baselines [`Lookup`] and [`Ner`], which
//! show what is reached without a language model. [`Report`] holds the published metric and the strict one of
//! [`hangtag_task::metrics`], tables, mistakes and calibration.

mod answerer;
mod calibration;
mod confidence_fit;
mod html;
mod lookup;
mod ner;
mod prediction;
mod report;

#[cfg(test)]
mod test_products;

pub use answerer::{AnswerError, Answerer, GivenAnswer, Question, ask};
pub use calibration::{Bin, Calibration, Judged, RiskPoint};
pub use confidence_fit::fit_confidence;
pub use html::render_html;
pub use lookup::Lookup;
pub use ner::{Ner, NerError};
pub use prediction::{Prediction, PredictionError, read_predictions};
pub use report::{Example, ExamplePair, Figures, Group, Mistake, Report, Run, judged};
