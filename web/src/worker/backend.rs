//! What a model runs on.

use hangtag_engine::MemoryPlan;
use hangtag_extract::{Decode, Extractor};
use hangtag_weights::{ByteSource, Gguf};

use super::line::{Asker, Wishes};
use super::source::BlobSource;
use crate::protocol::{Device, Failure, Fit, FromWorker, RunId};

/// Runs the model of a session.
pub trait Backend {
    /// What answers.
    type Decoder: Decode;

    /// Allows it so much memory in bytes.
    fn limit_memory(&mut self, bytes: Option<u64>);

    /// What it computes with; looked for when it is first asked.
    async fn device(&mut self) -> Result<Device, Failure>;

    /// What a model needs, by its headers alone; [`FailureKind::OutOfMemory`](crate::protocol::FailureKind) if it cannot fit.
    async fn fit<S: ByteSource>(&mut self, gguf: &Gguf<S>) -> Result<Fit, Failure>;

    /// As [`Backend::fit`], and whether there is room for it now.
    async fn room<S: ByteSource>(&mut self, gguf: &Gguf<S>) -> Result<(), Failure> {
        self.fit(gguf).await.map(drop)
    }

    /// Loads a model, with smaller sizes than usual where memory is short.
    async fn load(
        &mut self,
        sources: &[BlobSource],
    ) -> Result<(Extractor<Self::Decoder>, Fit), Failure>;

    /// Loads a model again with smaller sizes, after its memory has run out at work; `None` if there are none.
    async fn load_smaller(
        &mut self,
        extractor: Extractor<Self::Decoder>,
        sources: &[BlobSource],
    ) -> Option<(Extractor<Self::Decoder>, Fit)>;

    /// Measures what it runs on, unless `asker` stops it, and says how it ended.
    async fn measure(
        extractor: &mut Extractor<Self::Decoder>,
        asker: &Asker,
        wishes: &Wishes,
        run: RunId,
    ) -> FromWorker;
}

/// A plan for the page, with the usual room if nothing else is said.
pub fn fit(plan: &MemoryPlan, context_tokens: usize, rows: usize) -> Fit {
    Fit {
        weights_bytes: plan.weights_bytes,
        kv_cache_bytes: plan.kv_cache_bytes,
        scratch_bytes: plan.scratch_bytes,
        context_tokens,
        rows,
        is_reduced: false,
    }
}
