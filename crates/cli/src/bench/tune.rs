//! `hangtag bench --tune`: which form of the product is fastest for which size on this GPU.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_engine::Engine;
use hangtag_engine::matrix::MatrixFormat;
use hangtag_engine::measure::{self, ProductSize};
use serde::Serialize;

use crate::failure::failed;
use crate::progress;

/// Tokens of a step: around every size at which another form may begin to pay.
const TOKENS: [usize; 10] = [1, 2, 4, 8, 16, 32, 50, 64, 128, 512];

/// One product in every form, the fastest first.
#[derive(Serialize)]
struct Tuned {
    rows: usize,
    columns: usize,
    tokens: usize,
    forms: Vec<Timed>,
}

#[derive(Serialize)]
struct Timed {
    form: String,
    seconds: f64,
}

/// Measures every product of `engine` in every form and prints the fastest.
pub fn run(engine: &Engine, json: bool, quiet: bool) -> Result<()> {
    let mut sizes: Vec<ProductSize> = engine
        .products()
        .iter()
        .flat_map(|info| TOKENS.map(|tokens| ProductSize::of(info, tokens)))
        .collect();
    sizes.retain(|size| size.weight_bytes() <= engine.gpu().describe().max_binding_bytes);
    let mut out = stdout();
    for format in MatrixFormat::ALL {
        let sizes: Vec<_> = sizes.iter().filter(|size| size.format == format).copied().collect();
        for tuned in tune(engine, format, &sizes, quiet)? {
            let line = if json { serde_json::to_string(&tuned)? } else { render(&tuned) };
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn tune(
    engine: &Engine,
    format: MatrixFormat,
    sizes: &[ProductSize],
    quiet: bool,
) -> Result<Vec<Tuned>> {
    let empty = |size: &ProductSize| Tuned {
        rows: size.rows,
        columns: size.columns,
        tokens: size.tokens,
        forms: Vec::new(),
    };
    let mut tuned: Vec<Tuned> = sizes.iter().map(empty).collect();
    let forms = measure::forms(engine.gpu(), format);
    let bar = progress::count(quiet, if sizes.is_empty() { 0 } else { forms.len() });
    for form in forms {
        bar.set_message(form.to_string());
        // A workgroup with room for twice the tokens wastes half of its work, and one far too small takes for ever.
        let block = (form.groups * form.tokens) as usize;
        let suits = |tokens: usize| block < 2 * tokens && tokens <= 64 * block;
        let (places, suited): (Vec<usize>, Vec<ProductSize>) =
            sizes.iter().copied().enumerate().filter(|(_, size)| suits(size.tokens)).unzip();
        let measured = measure::product_form(engine.gpu(), form, &suited);
        for (place, seconds) in
            places.into_iter().zip(pollster::block_on(measured).map_err(failed)?)
        {
            tuned[place].forms.push(Timed { form: form.to_string(), seconds });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for size in &mut tuned {
        size.forms.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    }
    Ok(tuned)
}

fn render(tuned: &Tuned) -> String {
    let best = tuned.forms.iter().take(3);
    let best: Vec<String> =
        best.map(|Timed { form, seconds }| format!("{:.1} µs {form}", seconds * 1e6)).collect();
    format!("{} x {}, {} tokens: {}", tuned.rows, tuned.columns, tuned.tokens, best.join(", "))
}
