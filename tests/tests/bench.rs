//! The short measurement, as the page makes it. The long one is tested as the command makes it, in `crates/cli`.

use anyhow::Result;
use hangtag_bench::{Bench, BenchError, Progress, Settings, Subject};
use hangtag_extract::Extractor;
use hangtag_tests::engines::{gpu, small_options};
use hangtag_tests::goldens;
use std::ops::ControlFlow;

fn extractor() -> Result<Option<Extractor>> {
    let Some(gpu) = gpu("short measurement", false) else { return Ok(None) };
    let load = Extractor::load(goldens::open("llama")?, gpu, small_options(), |_| {});
    Ok(Some(pollster::block_on(load)?))
}

fn short(
    extractor: &mut Extractor,
    observe: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<hangtag_bench::ShortReport, BenchError> {
    let settings = Settings { features: 3, text_tokens: 40, repeats: 1 };
    let mut bench = Bench::new(Subject::Model(extractor), &settings, observe)?;
    pollster::block_on(bench.short())
}

#[test]
fn a_short_measurement_has_every_figure_and_leaves_the_engine_as_it_was() -> Result<()> {
    let Some(mut extractor) = extractor()? else { return Ok(()) };
    let mut told = Vec::new();
    let report = short(&mut extractor, &mut |progress| {
        told.push((progress.done, progress.total));
        ControlFlow::Continue(())
    })?;
    assert_eq!((report.features, report.prefill.tokens > report.text_tokens), (3, true));
    assert!(report.text_tokens >= 40, "{report:?}");
    let rows: Vec<usize> = report.decode.iter().map(|decode| decode.rows).collect();
    assert_eq!(rows, [1, 8, 32]);
    let rates = report.decode.iter().map(|decode| decode.tokens_per_second);
    for figure in rates.chain([
        report.prefill.tokens_per_second,
        report.seconds_one_by_one,
        report.seconds_together,
    ]) {
        assert!(figure > 0.0 && figure.is_finite(), "{report:?}");
    }
    let (done, total) = told.last().copied().unwrap_or_default();
    assert_eq!(done, total, "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(extractor.engine().options(), &small_options());
    Ok(())
}

#[test]
fn whoever_watches_may_stop_a_measurement() -> Result<()> {
    let Some(mut extractor) = extractor()? else { return Ok(()) };
    for calls in [0, 7, 20] {
        let mut left = calls;
        let stopped = short(&mut extractor, &mut |_| match left {
            0 => ControlFlow::Break(()),
            _ => {
                left -= 1;
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(stopped, Err(BenchError::Stopped)), "{calls}: {stopped:?}");
    }
    Ok(())
}
