//! Models on the processor, for a browser without a usable GPU: one thread, slow, and for small models alone.

use std::cell::Cell;
use std::future::ready;
use std::io::BufReader;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use hangtag_extract::{Described, Extractor};
use hangtag_processor::{Pause, ProcessorDecoder, ProcessorError, fit};
use hangtag_weights::{ByteSource, Gguf};

use super::backend::{self, Backend};
use super::blob_reader::BlobReader;
use super::failure::of_kind;
use super::line::{Asker, Wishes, now_ms};
use super::meter::{Meter, Step};
use super::session::extract_failure;
use super::source::BlobSource;
use crate::protocol::{Device, Failure, FailureKind, Fit, FromWorker, RunId};
use crate::units::bytes;
use crate::words::Language::English;

/// Tokens of text and answers; a longer text is read in parts.
const CONTEXT_TOKENS: usize = 2048;

/// Weights that are not small any more would take minutes for a text, and WebAssembly has 4 GB for everything.
const MOST_BYTES: u64 = 1 << 30;

/// Work goes on without a pause for so long.
const TURN_MS: f64 = 50.0;

/// Models on the processor.
#[derive(Default)]
pub struct OnProcessor {
    limit_bytes: Option<u64>,
}

impl OnProcessor {
    fn checked<S: ByteSource>(&self, gguf: &Gguf<S>) -> Result<(Described, Fit), Failure> {
        let described = Described::read(gguf).map_err(extract_failure)?;
        let plan = fit(gguf, &described.config, CONTEXT_TOKENS)
            .map_err(|error| processor_failure(&error))?;
        let most = self.limit_bytes.map_or(MOST_BYTES, |limit| limit.min(MOST_BYTES));
        if plan.total_bytes() > most {
            let [needed, most] = [plan.total_bytes(), most].map(|size| bytes(English, size));
            let message = format!(
                "the model does not fit: it needs {needed}, and on the processor it may have {most}. Take a smaller one, or a browser with WebGPU"
            );
            return Err(Failure::new(FailureKind::OutOfMemory, message));
        }
        Ok((described, backend::fit(&plan, CONTEXT_TOKENS, 1)))
    }
}

impl Backend for OnProcessor {
    type Decoder = ProcessorDecoder;

    fn limit_memory(&mut self, bytes: Option<u64>) {
        self.limit_bytes = bytes;
    }

    async fn device(&mut self) -> Result<Device, Failure> {
        Ok(Device::Processor)
    }

    async fn fit<S: ByteSource>(&mut self, gguf: &Gguf<S>) -> Result<Fit, Failure> {
        self.checked(gguf).map(|(_, fit)| fit)
    }

    async fn load(
        &mut self,
        sources: &[BlobSource],
    ) -> Result<(Extractor<ProcessorDecoder>, Fit), Failure> {
        let gguf = Gguf::open(sources.to_vec())
            .await
            .map_err(|error| of_kind(FailureKind::Model, &error))?;
        let (described, fit) = self.checked(&gguf)?;
        let [source] = sources else {
            return Err(processor_failure(&ProcessorError::Split(sources.len())));
        };
        let mut meter = Meter::new(source.len());
        let mut read_bytes = 0;
        let file = BlobReader::new(source, |count| {
            read_bytes += count;
            meter.report(Step::Uploading, read_bytes);
        })
        .map_err(|message| Failure::new(FailureKind::Internal, message))?;
        let decoder =
            ProcessorDecoder::load(&mut BufReader::new(file), &described.config, CONTEXT_TOKENS)
                .map_err(|error| processor_failure(&error))?;
        Ok((Extractor::new(decoder.with_pause(pause()), described), fit))
    }

    async fn load_smaller(
        &mut self,
        _: Extractor<ProcessorDecoder>,
        _: &[BlobSource],
    ) -> Option<(Extractor<ProcessorDecoder>, Fit)> {
        None
    }

    /// The page offers it for a GPU alone.
    async fn measure(
        _: &mut Extractor<ProcessorDecoder>,
        _: &Asker,
        _: &Wishes,
        run: RunId,
    ) -> FromWorker {
        let failure = Failure::new(FailureKind::Input, "only a GPU is measured");
        FromWorker::Failed { run: Some(run), failure }
    }
}

/// Lets the worker hear its page, now and then: a browser makes even the shortest pause last milliseconds.
fn pause() -> Pause {
    let last_ms = Cell::new(now_ms());
    Rc::new(move || {
        if now_ms() - last_ms.get() < TURN_MS {
            return Box::pin(ready(()));
        }
        last_ms.set(now_ms());
        Box::pin(TimeoutFuture::new(0))
    })
}

fn processor_failure(error: &ProcessorError) -> Failure {
    of_kind(FailureKind::Model, error)
}
