//! `hangtag bench --tune`: which form of the product is fastest for which size on this GPU.

use std::fs;
use std::io::{ErrorKind, Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};
use hangtag_engine::Engine;
use hangtag_engine::kernel::Form;
use hangtag_engine::matrix::MatrixFormat;
use hangtag_engine::measure::{self, ProductSize};
use hangtag_engine::tuning::{self, Class, Point, TableError};
use serde::Serialize;

use crate::args::BenchArgs;
use crate::dataset::write_whole;
use crate::failure::{bad_input, failed};
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

/// A form that is slower than the fastest by no more than this is as good: the fewer forms are in use, the fewer a page compiles.
const AS_GOOD: f64 = 1.05;

/// Measures every product of `engine` in every form, prints the fastest, and writes them where the arguments say so.
pub fn run(engine: &Engine, args: &BenchArgs) -> Result<()> {
    // Before anything is measured: a table that cannot be read is told now.
    let table = args.write.as_deref().map(Table::open).transpose()?;
    let gpu = engine.gpu().describe();
    let mut sizes: Vec<ProductSize> = engine
        .products()
        .iter()
        .flat_map(|info| TOKENS.map(|tokens| ProductSize::of(info, tokens)))
        .collect();
    sizes.retain(|size| size.weight_bytes() <= gpu.max_binding_bytes);
    let (mut out, mut points) = (stdout(), Vec::new());
    for format in MatrixFormat::ALL {
        let sizes: Vec<_> = sizes.iter().filter(|size| size.format == format).copied().collect();
        let tuned = tune(engine, format, &sizes, args.model.quiet)?;
        for tuned in &tuned {
            let line = if args.json { serde_json::to_string(tuned)? } else { render(tuned) };
            writeln!(out, "{line}")?;
        }
        for integer in [false, true] {
            points.extend(best(&tuned, gpu.class, tuning::forms(integer)));
        }
    }
    match table {
        Some(table) => table.write(&points),
        None => Ok(()),
    }
}

/// A table of forms on disk.
struct Table<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.with_context(|| path.display().to_string())?,
        };
        tuning::read_table(&text).map_err(|error| bad(path, &error))?;
        Ok(Self { path, text })
    }

    fn write(self, points: &[Point]) -> Result<()> {
        let text =
            tuning::write_table(&self.text, points).map_err(|error| bad(self.path, &error))?;
        write_whole(self.path, &text)?;
        eprintln!("{}: {} sizes written", self.path.display(), points.len());
        Ok(())
    }
}

fn bad(path: &Path, error: &TableError) -> anyhow::Error {
    bad_input(format!("--write {}: {error}", path.display()))
        .hint("mend or delete the file; a new one is begun where there is none")
        .into()
}

/// The fastest of `forms` for each size that they were measured with. Sizes come matrix by matrix, from few tokens to many; a
/// form that is as good as the fastest is kept from the size before.
fn best(tuned: &[Tuned], class: Class, forms: &[Form]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for Tuned { rows, columns, tokens, forms: timed } in tuned {
        let seconds = |form: &Form| {
            timed.iter().find(|timed| timed.form == form.to_string()).map(|timed| timed.seconds)
        };
        let fastest = forms.iter().filter_map(seconds).min_by(f64::total_cmp);
        let Some(limit) = fastest.map(|seconds| seconds * AS_GOOD) else { continue };
        let is_as_good = |form: &&Form| seconds(form).is_some_and(|seconds| seconds <= limit);
        let before = points.last().filter(|point| point.size() == (*rows, *columns));
        let kept = before.map(|point| &point.form).filter(is_as_good);
        let in_use = |form: &&Form| points.iter().filter(|point| point.form == **form).count();
        let form = kept.or_else(|| forms.iter().filter(is_as_good).max_by_key(in_use));
        points.extend(form.map(|&form| Point {
            class,
            rows: *rows,
            columns: *columns,
            tokens: *tokens,
            form,
        }));
    }
    points
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_is_taken_and_one_as_good_is_kept() {
        let forms = tuning::forms(false);
        let size = |rows, tokens, seconds: &[(usize, f64)]| {
            let timed = |&(place, seconds): &(usize, f64)| Timed {
                form: forms[place].to_string(),
                seconds,
            };
            let mut forms: Vec<Timed> = seconds.iter().map(timed).collect();
            // A form that the engine does not have is never taken.
            forms.push(Timed { form: "float(1, 1, 1, 1)".to_owned(), seconds: 0.1 });
            Tuned { rows, columns: 64, tokens, forms }
        };
        let tuned = [
            size(32, 1, &[(0, 1.0), (1, 1.1)]),
            size(32, 2, &[(0, 1.04), (1, 1.0)]),
            size(32, 4, &[(0, 1.3), (1, 1.0)]),
            // Another matrix: what is in use most counts there.
            size(64, 1, &[(0, 1.02), (1, 1.0), (2, 1.01)]),
            size(64, 512, &[]),
        ];
        let found = best(&tuned, Class::Amd, forms);
        let places: Vec<_> = found
            .iter()
            .map(|point| (point.rows, forms.iter().position(|form| *form == point.form).unwrap()))
            .collect();
        assert_eq!(places, [(32, 0), (32, 0), (32, 1), (64, 0)]);
        assert!(found.iter().all(|point| point.class == Class::Amd));
    }
}
