//! Measures the GPU for a page.

use std::ops::ControlFlow;

use crate::protocol::{DecodeSpeed, FailureKind, FromWorker, Measurement, RunId};
use hangtag_bench::{Bench, BenchError, Progress, Settings, ShortReport, Subject};
use hangtag_extract::Extractor;

use super::failure::of_kind;
use super::line::{Asker, Wishes};
use super::session::engine_failure;

/// Measures the GPU with the model of `extractor`, unless `asker` stops it, and says how it ended.
pub async fn measure(
    extractor: &mut Extractor,
    asker: &Asker,
    wishes: &Wishes,
    run: RunId,
) -> FromWorker {
    let settings = Settings::short(extractor.engine());
    let mut told = None;
    let observe = &mut |Progress { done, total, .. }: Progress<'_>| {
        if told.replace((done, total)) != Some((done, total)) {
            asker.post(&FromWorker::Measuring { run, done, total });
        }
        match wishes.is_stopped(asker, run) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let measured = match Bench::new(Subject::Model(extractor), &settings, observe) {
        Ok(mut bench) => bench.short().await,
        Err(error) => Err(error),
    };
    let failure = match measured {
        Ok(report) => return FromWorker::Measured { run, measurement: measurement(&report) },
        Err(BenchError::Stopped) => return FromWorker::Stopped { run },
        Err(BenchError::Engine(error)) => engine_failure(error),
        Err(error @ (BenchError::Task(_) | BenchError::Tokenizer(_))) => {
            of_kind(FailureKind::Input, &error)
        }
    };
    FromWorker::Failed { run: Some(run), failure }
}

fn measurement(report: &ShortReport) -> Measurement {
    let speed = |decode: &hangtag_bench::Decode| DecodeSpeed {
        rows: decode.rows,
        tokens_per_second: decode.tokens_per_second,
    };
    Measurement {
        read_tokens_per_second: report.prefill.tokens_per_second,
        decode: report.decode.iter().map(speed).collect(),
        features: report.features,
        text_tokens: report.text_tokens,
        seconds_one_by_one: report.seconds_one_by_one,
        seconds_together: report.seconds_together,
    }
}
