//! Models on the GPU.

use hangtag_engine::{Engine, EngineOptions, Gpu, GpuInfo, GpuOptions, LoadProgress, MemoryPlan};
use hangtag_extract::{ExtractError, Extractor};
use hangtag_weights::{ByteSource, Gguf};

use super::backend::{self, Backend};
use super::line::{Asker, Wishes};
use super::measure::measure;
use super::meter::{Meter, Step};
use super::session::{engine_failure, extract_failure};
use super::source::BlobSource;
use crate::protocol::{Device, Failure, Fit, FromWorker, RunId};

/// Models on the GPU.
#[derive(Default)]
pub struct OnGpu {
    /// The usual sizes, and the page's limit.
    options: EngineOptions,
    /// Opened to see whether there is one; the model takes it.
    gpu: Option<Gpu>,
    found: Option<GpuInfo>,
}

impl OnGpu {
    async fn find(&mut self) -> Result<GpuInfo, Failure> {
        if let Some(found) = &self.found {
            return Ok(found.clone());
        }
        let gpu = Gpu::request(&GpuOptions::default()).await.map_err(engine_failure)?;
        let found = gpu.describe().clone();
        if found.is_software {
            // Stop is heard between steps; a CPU in the role of a GPU would take minutes for a full one. No step may be
            // shorter than one token of every row.
            self.options.step_tokens = self.options.max_rows;
        }
        self.gpu = Some(gpu);
        self.found = Some(found.clone());
        Ok(found)
    }

    async fn take_gpu(&mut self) -> Result<Gpu, Failure> {
        match self.gpu.take() {
            Some(gpu) => Ok(gpu),
            None => Gpu::request(&GpuOptions::default()).await.map_err(engine_failure),
        }
    }

    async fn load_with(
        &mut self,
        sources: &[BlobSource],
        mut options: EngineOptions,
    ) -> Result<(Extractor, Fit), Failure> {
        loop {
            let gpu = self.take_gpu().await?;
            match (load(sources.to_vec(), gpu, options).await, options.smaller()) {
                (Err(error), Some(smaller)) if error.is_memory() => options = smaller,
                (Err(error), _) => return Err(extract_failure(error)),
                (Ok(extractor), _) => {
                    let engine = extractor.engine();
                    let fit = self.fit_of(engine.memory(), engine.options());
                    return Ok((extractor, fit));
                }
            }
        }
    }

    fn fit_of(&self, plan: &MemoryPlan, options: &EngineOptions) -> Fit {
        let (context_tokens, rows) = (options.context_tokens, options.max_rows);
        let usual = (self.options.context_tokens, self.options.max_rows);
        let is_reduced = (context_tokens, rows) != usual;
        Fit { is_reduced, ..backend::fit(plan, context_tokens, rows) }
    }
}

impl Backend for OnGpu {
    type Decoder = Engine;

    fn limit_memory(&mut self, bytes: Option<u64>) {
        self.options.memory_limit_bytes = bytes;
    }

    async fn device(&mut self) -> Result<Device, Failure> {
        let found = self.find().await?;
        Ok(Device::Gpu(crate::protocol::Gpu {
            name: found.name,
            is_software: found.is_software,
            subgroups: found.tier.subgroups,
            integer_dot: found.tier.integer_dot,
        }))
    }

    async fn fit<S: ByteSource>(&mut self, gguf: &Gguf<S>) -> Result<Fit, Failure> {
        let found = self.find().await?;
        let (options, plan) =
            Extractor::fit(gguf, &found, &self.options).map_err(extract_failure)?;
        Ok(self.fit_of(&plan, &options))
    }

    async fn room<S: ByteSource>(&mut self, gguf: &Gguf<S>) -> Result<(), Failure> {
        self.find().await?;
        let gpu = self.take_gpu().await?;
        let fitted = Extractor::fit_now(gguf, &gpu, &self.options).await;
        self.gpu = Some(gpu);
        fitted.map(drop).map_err(extract_failure)
    }

    async fn load(&mut self, sources: &[BlobSource]) -> Result<(Extractor, Fit), Failure> {
        self.find().await?;
        self.load_with(sources, self.options).await
    }

    async fn load_smaller(
        &mut self,
        extractor: Extractor,
        sources: &[BlobSource],
    ) -> Option<(Extractor, Fit)> {
        let smaller = extractor.engine().options().smaller();
        // Its memory is free before the next asks for some.
        drop(extractor);
        self.load_with(sources, smaller?).await.ok()
    }

    async fn measure(
        extractor: &mut Extractor,
        asker: &Asker,
        wishes: &Wishes,
        run: RunId,
    ) -> FromWorker {
        measure(extractor, asker, wishes, run).await
    }
}

async fn load(
    sources: Vec<BlobSource>,
    gpu: Gpu,
    options: EngineOptions,
) -> Result<Extractor, ExtractError> {
    let gguf = Gguf::open(sources).await.map_err(|error| ExtractError::Load(error.into()))?;
    let mut meter = None;
    let report = move |progress: LoadProgress| {
        let meter = meter.get_or_insert_with(|| Meter::new(progress.total_bytes));
        meter.report(Step::Uploading, progress.loaded_bytes);
    };
    Extractor::load(gguf, gpu, options, report).await
}
