//! `hangtag bench --tune`: which form of the product is fastest for which size on this GPU.

use std::io::{Write, stdout};

use anyhow::Result;
use hangtag_engine::kernel::Form;
use hangtag_engine::{Engine, measure};
use serde::Serialize;

use crate::bench::kernels::size;
use crate::failure::failed;

/// Tokens of a step: around every size at which another form may begin to pay.
const TOKENS: [usize; 10] = [1, 2, 4, 8, 9, 16, 33, 64, 128, 512];

/// One product in every form, the fastest first.
#[derive(Serialize)]
struct Tuned {
    name: &'static str,
    rows: usize,
    columns: usize,
    tokens: usize,
    forms: Vec<Timed>,
}

#[derive(Serialize)]
struct Timed {
    form: [u32; 4],
    seconds: f64,
}

/// Measures every product of `engine` in every form and prints the fastest.
pub fn run(engine: &Engine, json: bool) -> Result<()> {
    let mut out = stdout();
    for info in engine.products() {
        for tokens in TOKENS {
            let size = size(info, tokens);
            if size.weight_bytes() > engine.gpu().describe().max_binding_bytes {
                continue;
            }
            // A workgroup with room for twice the tokens wastes half of its work.
            let mut forms = measure::forms();
            forms.retain(|form| form.groups * form.tokens < 2 * tokens as u32);
            let measured = measure::product_forms(engine.gpu(), &size, &forms);
            let seconds = pollster::block_on(measured).map_err(failed)?;
            let mut timed: Vec<Timed> = forms
                .iter()
                .zip(seconds)
                .map(|(form, seconds)| Timed { form: figures(*form), seconds })
                .collect();
            timed.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            let tuned = Tuned {
                name: info.name,
                rows: size.rows,
                columns: size.columns,
                tokens,
                forms: timed,
            };
            let line = if json { serde_json::to_string(&tuned)? } else { render(&tuned) };
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn figures(form: Form) -> [u32; 4] {
    [form.lanes, form.split, form.groups, form.tokens]
}

fn render(tuned: &Tuned) -> String {
    let best = tuned.forms.iter().take(3);
    let best: Vec<String> = best
        .map(|Timed { form: [lanes, split, groups, tokens], seconds }| {
            format!("{:.1} µs {lanes}/{split}/{groups}/{tokens}", seconds * 1e6)
        })
        .collect();
    format!("{} x {}, {} tokens: {}", tuned.rows, tuned.columns, tuned.tokens, best.join(", "))
}
