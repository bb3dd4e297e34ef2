//! Real greedy decoding with the training model, for evaluation while training.
//!
//! Every step runs texts and answers so far as packed sequences; what is finished leaves. Nothing is cached between steps:
//! answers are a few tokens long, and the same code that trains computes them.

use hangtag_task::{Answer, Feature, FeatureValue, Product, Tokenize, merge_windows, parse_answer};

use crate::TrainError;
use crate::example::Example;
use crate::model::Model;
use crate::pack::{Packed, Run, behind, fill_in_order};

/// Longest answer in tokens, the ending newline included.
const MAX_ANSWER_TOKENS: usize = 32;

/// How sequences are made up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecodeOptions {
    pub(crate) length: usize,
    /// Rows of a batch, padding included, at most (unless one sequence is longer).
    pub(crate) rows: usize,
}

/// An answer being written.
struct Row<'a> {
    example: usize,
    segment: usize,
    suffix: &'a [u32],
    written: Vec<u32>,
    log_probability: f32,
}

/// What the model answers to each feature of each of `products`, in the order of their features.
pub(crate) fn decode(
    model: &Model<'_>,
    products: &[Product],
    examples: &[Example],
    tokenizer: &dyn Tokenize,
    options: DecodeOptions,
) -> Result<Vec<Vec<FeatureValue>>, TrainError> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (index, example) in examples.iter().enumerate() {
        rows.extend(example.segments.iter().enumerate().map(|(segment, asked)| Row {
            example: index,
            segment,
            suffix: &asked.suffix,
            written: Vec::new(),
            log_probability: 0.0,
        }));
    }
    let mut done = Vec::with_capacity(rows.len());
    for _ in 0..MAX_ANSWER_TOKENS {
        if rows.is_empty() {
            break;
        }
        advance(model, examples, &mut rows, options)?;
        let (finished, open): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| is_finished(&row.written, tokenizer));
        done.extend(finished);
        rows = open;
    }
    done.extend(rows);
    Ok(merge(products, examples, &done, tokenizer))
}

/// Ends at the newline; a token that decodes to nothing (end of text) ends it as well.
fn is_finished(written: &[u32], tokenizer: &dyn Tokenize) -> bool {
    written.last().is_some_and(|&last| {
        let text = tokenizer.decode(&[last]);
        text.contains('\n') || text.is_empty()
    })
}

/// Writes one more token of every row.
fn advance(
    model: &Model<'_>,
    examples: &[Example],
    rows: &mut [Row<'_>],
    options: DecodeOptions,
) -> Result<(), TrainError> {
    let mut pieces = Vec::new();
    for of_example in rows.chunk_by(|a, b| a.example == b.example) {
        let prefix = &examples[of_example[0].example].prefix;
        let runs = of_example.iter().map(|row| Run::question(row.suffix, &row.written));
        pieces.extend(behind(prefix, runs, options.length));
    }
    let sequences = fill_in_order(pieces, options.length);
    let mut at = 0;
    for batch in sequences.chunks((options.rows / options.length).max(1)) {
        let packed = Packed::new(batch);
        let (words, logs) = model.next_tokens(&model.on_device(&packed)?)?;
        for (word, log) in words.into_iter().zip(logs) {
            if let Some(row) = rows.get_mut(at) {
                row.written.push(word);
                row.log_probability += log;
            }
            at += 1;
        }
    }
    Ok(())
}

/// An answer, its probability, and the window of the text that it is from.
type WindowAnswer = (Answer, f32, std::ops::Range<usize>);

/// Each product's answers, from those of its windows.
fn merge(
    products: &[Product],
    examples: &[Example],
    rows: &[Row<'_>],
    tokenizer: &dyn Tokenize,
) -> Vec<Vec<FeatureValue>> {
    let mut windows: Vec<Vec<Vec<WindowAnswer>>> =
        products.iter().map(|product| vec![Vec::new(); product.features.len()]).collect();
    for row in rows {
        let example = &examples[row.example];
        let answer = parse_answer(&tokenizer.decode(&row.written));
        let feature = example.segments[row.segment].feature;
        windows[example.product][feature].push((
            answer,
            row.log_probability.exp(),
            example.window.clone(),
        ));
    }
    let merged = products.iter().zip(windows).map(|(product, windows)| {
        let features = product.features.keys().zip(windows);
        features
            .map(|(name, answers)| merge_windows(&Feature::new(name), &answers, &product.text))
            .collect()
    });
    merged.collect()
}
