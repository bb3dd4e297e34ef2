//! The session with one page: one package, one engine, one question at a time.

use std::iter;
use std::ops::ControlFlow;

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use hangtag_engine::{EngineError, EngineOptions, Gpu, GpuOptions, LoadProgress};
use hangtag_extract::{ExtractError, Extraction, Extractor, Progress};
use hangtag_task::{Feature, TASK_VERSION};
use hangtag_web::protocol::{
    Failure, FailureKind, FromWorker, Loaded, Package, RunId, RunStats, RunStep, Storage, ToWorker,
    VERSION,
};
use hangtag_weights::manifest::MANIFEST_FILE;
use hangtag_weights::{Gguf, Manifest};
use wasm_bindgen_futures::spawn_local;

use super::failure::{Halt, of_kind};
use super::files::Files;
use super::kept_text::{self, fetch_text};
use super::line::{Wishes, listen, now_ms, post};
use super::meter::{Meter, Step};
use super::source::BlobSource;

/// Starts listening; returns at once.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        let failure = Failure::new(FailureKind::Internal, format!("The engine broke down: {info}"));
        post(&FromWorker::Failed { run: None, failure });
    }));
    let (sender, receiver) = unbounded();
    let wishes = Wishes::default();
    listen(wishes.clone(), sender);
    spawn_local(serve(wishes, receiver));
    post(&FromWorker::Hello { version: VERSION });
}

async fn serve(wishes: Wishes, mut queue: UnboundedReceiver<ToWorker>) {
    let mut session =
        Session { wishes, files: Files::open().await, package: None, gpu: None, model: None };
    while let Ok(message) = queue.recv().await {
        match message {
            ToWorker::Open { package_url } => session.open(package_url).await,
            ToWorker::Load => session.load().await,
            ToWorker::Extract { run, text, features } => {
                session.extract(run, &text, &features).await
            }
            ToWorker::ExtractPart { run, texts, features } => {
                session.extract_part(run, &texts, &features).await
            }
            ToWorker::Forget => session.forget().await,
            // Never queued: heard at once.
            ToWorker::Stop { .. } | ToWorker::Pause | ToWorker::CheckIsolation => {}
        }
    }
}

struct Session {
    wishes: Wishes,
    files: Files,
    package: Option<OpenPackage>,
    /// Opened to see whether there is one; the model takes it.
    gpu: Option<Gpu>,
    model: Option<(Extractor, Loaded)>,
}

struct OpenPackage {
    url: String,
    manifest: Manifest,
}

impl OpenPackage {
    /// Text of the model card. One that cannot be had is no reason to do without the model.
    async fn card(&self) -> Option<String> {
        let name = self.manifest.card.as_ref()?;
        fetch_text(&format!("{}{name}", self.url)).await.ok()
    }

    async fn forget_texts(&self) {
        for name in iter::once(MANIFEST_FILE).chain(self.manifest.card.as_deref()) {
            kept_text::forget(&format!("{}{name}", self.url)).await;
        }
    }
}

impl Session {
    async fn open(&mut self, package_url: String) {
        match self.try_open(package_url).await {
            Ok(opened) => post(&opened),
            Err(failure) => post(&FromWorker::Failed { run: None, failure }),
        }
    }

    async fn try_open(&mut self, url: String) -> Result<FromWorker, Failure> {
        let gpu = Gpu::request(&GpuOptions::default()).await.map_err(engine_failure)?;
        let found = gpu.describe();
        let gpu_facts = hangtag_web::protocol::Gpu {
            name: found.name.clone(),
            is_software: found.is_software,
            subgroups: found.tier.subgroups,
            integer_dot: found.tier.integer_dot,
        };
        self.gpu = Some(gpu);

        let manifest_url = format!("{url}{MANIFEST_FILE}");
        let text = fetch_text(&manifest_url).await?;
        let manifest = Manifest::from_json(&text).map_err(|error| {
            Failure::new(FailureKind::Model, format!("{manifest_url}: {error}"))
        })?;
        if manifest.task_version != TASK_VERSION {
            let message = format!(
                "{manifest_url}: the model was trained for version {} of the task, and this app asks in version {TASK_VERSION}",
                manifest.task_version
            );
            return Err(Failure::new(FailureKind::Model, message));
        }
        let opened = OpenPackage { url, manifest };
        let package = Package {
            name: opened.manifest.name.clone(),
            base: opened.manifest.base.clone(),
            licence: opened.manifest.licence.clone(),
            size_bytes: opened.manifest.total_size(),
            adapter: opened.manifest.adapter.clone(),
            trained_on: opened.manifest.trained_on.clone(),
            card: opened.card().await,
            kept_bytes: self.kept_bytes(&opened).await,
        };
        self.package = Some(opened);
        Ok(FromWorker::Opened { package, gpu: gpu_facts })
    }

    async fn kept_bytes(&self, package: &OpenPackage) -> u64 {
        let mut kept_bytes = 0;
        for file in &package.manifest.files {
            kept_bytes += self.files.kept_bytes(file).await;
        }
        kept_bytes
    }

    async fn load(&mut self) {
        if self.model.is_none() {
            match self.try_load().await {
                Ok(model) => self.model = Some(model),
                Err(Halt::Failed(failure)) => {
                    return post(&FromWorker::Failed { run: None, failure });
                }
                Err(Halt::Paused) => {
                    let kept_bytes = match &self.package {
                        Some(package) => self.kept_bytes(package).await,
                        None => 0,
                    };
                    return post(&FromWorker::Paused { kept_bytes });
                }
            }
        }
        if let Some((_, model)) = &self.model {
            post(&FromWorker::Loaded { model: model.clone() });
        }
    }

    async fn try_load(&mut self) -> Result<(Extractor, Loaded), Halt> {
        let package = self.package.as_ref().ok_or_else(not_loaded)?;
        let started_ms = now_ms();
        let mut meter = Meter::new(package.manifest.total_size());
        let (mut sources, mut storage, mut downloaded_bytes) = (Vec::new(), Storage::Kept, 0);
        for file in &package.manifest.files {
            let url = format!("{}{}", package.url, file.name);
            let ready = self.files.ready(file, &url, &self.wishes, &mut meter).await?;
            sources.push(ready.source);
            downloaded_bytes += ready.downloaded_bytes;
            if ready.storage != Storage::Kept {
                storage = ready.storage;
            }
            meter.next_file(file.size);
        }

        let gpu = match self.gpu.take() {
            Some(gpu) => gpu,
            None => Gpu::request(&GpuOptions::default()).await.map_err(engine_failure)?,
        };
        let loading = load_extractor(sources, gpu).await;
        if loading.as_ref().is_err_and(|failure| failure.kind == FailureKind::Model) {
            for file in &package.manifest.files {
                self.files.doubt(file).await;
            }
        }
        let extractor = loading?;
        let plan = extractor.engine().memory();
        let loaded = Loaded {
            storage,
            downloaded_bytes,
            weights_bytes: plan.weights_bytes,
            kv_cache_bytes: plan.kv_cache_bytes,
            scratch_bytes: plan.scratch_bytes,
            context_tokens: extractor.engine().options().context_tokens,
            seconds: (now_ms() - started_ms) / 1e3,
        };
        Ok((extractor, loaded))
    }

    async fn extract(&mut self, run: RunId, text: &str, features: &[Feature]) {
        if self.wishes.is_stopped(run) {
            return post(&FromWorker::Stopped { run });
        }
        let Some((extractor, _)) = &mut self.model else {
            return post(&FromWorker::Failed { run: Some(run), failure: not_loaded() });
        };
        post(&FromWorker::Running { run, step: RunStep::Started });
        let started_ms = now_ms();
        let wishes = self.wishes.clone();
        let mut observe = move |progress| {
            post(&told(run, progress));
            if wishes.is_stopped(run) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let answer = match extractor.extract(text, features, &mut observe).await {
            Ok(extraction) => FromWorker::Finished {
                run,
                stats: RunStats {
                    prefix_tokens: extraction.stats.prefix_tokens,
                    cached_prefix_tokens: extraction.stats.cached_prefix_tokens,
                    windows: extraction.stats.windows,
                    generated_tokens: extraction.stats.generated_tokens,
                    seconds: (now_ms() - started_ms) / 1e3,
                },
            },
            Err(ExtractError::Cancelled { .. }) => FromWorker::Stopped { run },
            Err(error) => FromWorker::Failed { run: Some(run), failure: extract_failure(error) },
        };
        self.answer(&answer);
    }

    async fn extract_part(&mut self, run: RunId, texts: &[String], features: &[Feature]) {
        if self.wishes.is_stopped(run) {
            return post(&FromWorker::Stopped { run });
        }
        let Some((extractor, _)) = &mut self.model else {
            return post(&FromWorker::Failed { run: Some(run), failure: not_loaded() });
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let wishes = self.wishes.clone();
        let observe = &mut move |_, _| match wishes.is_stopped(run) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let results = extractor.extract_many(&texts, features, observe).await;
        self.answer(&part(run, results));
    }

    /// Posts how a run ended. A model on a GPU that is gone is gone with it.
    fn answer(&mut self, answer: &FromWorker) {
        if matches!(answer, FromWorker::Failed { failure, .. } if failure.kind == FailureKind::DeviceLost)
        {
            self.model = None;
        }
        post(answer);
    }

    async fn forget(&mut self) {
        self.model = None;
        if let Some(package) = &self.package {
            for file in &package.manifest.files {
                if let Err(failure) = self.files.forget(file).await {
                    return post(&FromWorker::Failed { run: None, failure });
                }
            }
            package.forget_texts().await;
        }
        post(&FromWorker::Forgotten);
    }
}

async fn load_extractor(sources: Vec<BlobSource>, gpu: Gpu) -> Result<Extractor, Failure> {
    let gguf = Gguf::open(sources).await.map_err(|error| of_kind(FailureKind::Model, &error))?;
    let mut meter = None;
    let mut options = EngineOptions::default();
    if gpu.describe().is_software {
        // Stop is heard between steps; a CPU in the role of a GPU would take minutes for a full one. No step may be
        // shorter than one token of every row.
        options.step_tokens = options.max_rows;
    }
    let report = move |progress: LoadProgress| {
        let meter = meter.get_or_insert_with(|| Meter::new(progress.total_bytes));
        meter.report(Step::Uploading, progress.loaded_bytes);
    };
    Extractor::load(gguf, gpu, options, report).await.map_err(extract_failure)
}

/// The answer to a part of a list. A text that cannot be read is told with the others; what lies in the engine ends the run.
fn part(run: RunId, results: Vec<Result<Extraction, ExtractError>>) -> FromWorker {
    let mut told = Vec::with_capacity(results.len());
    for result in results {
        told.push(match result {
            Ok(extraction) => Ok(extraction.features),
            Err(ExtractError::Cancelled { .. }) => return FromWorker::Stopped { run },
            Err(error) => match extract_failure(error) {
                Failure { kind: FailureKind::Input, message } => Err(message),
                failure => return FromWorker::Failed { run: Some(run), failure },
            },
        });
    }
    FromWorker::Part { run, results: told }
}

fn told(run: RunId, progress: Progress) -> FromWorker {
    match progress {
        Progress::Window { index, count } => {
            FromWorker::Running { run, step: RunStep::Window { index, count } }
        }
        Progress::Prefill { done, total } => {
            FromWorker::Running { run, step: RunStep::Reading { done, total } }
        }
        Progress::Decode { active_rows } => {
            FromWorker::Running { run, step: RunStep::Writing { active: active_rows } }
        }
        Progress::Feature { index, value } => FromWorker::Row { run, index, value },
    }
}

fn not_loaded() -> Failure {
    Failure::new(FailureKind::Model, "the model is not loaded")
}

fn extract_failure(error: ExtractError) -> Failure {
    match error {
        ExtractError::Load(source) | ExtractError::Engine { source, .. } => engine_failure(source),
        ExtractError::Task(_) | ExtractError::ContextTooSmall { .. } => {
            of_kind(FailureKind::Input, &error)
        }
        ExtractError::Config(_) | ExtractError::Tokenizer(_) | ExtractError::Vocabulary { .. } => {
            of_kind(FailureKind::Model, &error)
        }
        ExtractError::Cancelled { .. } | ExtractError::NoAnswer { .. } => {
            of_kind(FailureKind::Internal, &error)
        }
    }
}

fn engine_failure(error: EngineError) -> Failure {
    let kind = match &error {
        EngineError::NoGpu(_) => FailureKind::NoGpu,
        EngineError::DeviceLost(_) => FailureKind::DeviceLost,
        EngineError::OutOfMemory { .. }
        | EngineError::OverMemoryLimit { .. }
        | EngineError::BufferTooLarge { .. } => FailureKind::OutOfMemory,
        EngineError::Weights(_)
        | EngineError::Options(_)
        | EngineError::Shape { .. }
        | EngineError::Unsupported { .. }
        | EngineError::NotFinite { .. } => FailureKind::Model,
        EngineError::Context { .. } => FailureKind::Input,
        EngineError::Device(_)
        | EngineError::Decoder(_)
        | EngineError::Job(_)
        | EngineError::Cancelled => FailureKind::Internal,
    };
    of_kind(kind, &error)
}
