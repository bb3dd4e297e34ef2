//! The session with one page: one model, one backend, one question at a time.

use std::ops::ControlFlow;

use crate::locks::Lock;
use crate::protocol::{
    Failure, FailureKind, FromWorker, LoadStep, Loaded, Place, RunId, RunStats, RunStep, ToWorker,
    VERSION,
};
use crate::share::run_of;
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use hangtag_engine::EngineError;
use hangtag_extract::{ExtractError, Extraction, Extractor, Progress};
use hangtag_task::Feature;
use hangtag_weights::Manifest;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::backend::Backend;
use super::failure::{Halt, of_kind};
use super::files::Files;
use super::line::{Asker, Queue, Wishes, Work, listen, now_ms, post};
use super::open::{OpenModel, Opener, Source};
use super::seat::Seat;
use super::shelf;
use super::source::BlobSource;

/// Starts listening; returns at once.
pub fn start<B: Backend + 'static>(backend: B) {
    std::panic::set_hook(Box::new(|info| {
        let failure = Failure::new(FailureKind::Internal, format!("The engine broke down: {info}"));
        post(&FromWorker::Failed { run: None, failure });
    }));
    let (sender, receiver) = unbounded();
    let (wishes, queue) = (Wishes::default(), Queue(sender));
    listen(wishes.clone(), queue.clone());
    spawn_local(serve(backend, wishes, queue, receiver));
    post(&FromWorker::Hello { version: VERSION });
}

async fn serve<B: Backend>(
    backend: B,
    wishes: Wishes,
    queue: Queue,
    mut all: UnboundedReceiver<Work>,
) {
    let files = Files::open().await;
    let (open, seat, model) = (None, Seat::Alone, None);
    let mut session = Session { wishes, queue, files, backend, open, seat, model };
    while let Ok(work) = all.recv().await {
        match work {
            Work::Page(message, own) => session.serve_page(message, own).await,
            Work::Guest(asker, question) => session.serve_guest(&asker, question).await,
            Work::Knock => session.tell_guests(),
            Work::Ready(host, model) => session.note_host(host, model),
            Work::Deleted => session.note_deleted().await,
            Work::Seat(model, lock) => session.take_over(&model, lock).await,
        }
    }
}

struct Session<B: Backend> {
    wishes: Wishes,
    queue: Queue,
    files: Files,
    backend: B,
    open: Option<OpenModel>,
    /// The place among the workers of all tabs that want the open model.
    seat: Seat,
    /// None for a guest.
    model: Option<Running<B::Decoder>>,
}

/// A model that answers.
struct Running<D> {
    extractor: Extractor<D>,
    loaded: Loaded,
    /// Where it came from, to load it again with smaller sizes.
    sources: Vec<BlobSource>,
}

impl<B: Backend> Session<B> {
    async fn serve_page(&mut self, message: ToWorker, own: Vec<File>) {
        match message {
            ToWorker::Open { place, memory_limit_bytes } => {
                self.backend.limit_memory(memory_limit_bytes);
                self.open(place, own).await;
            }
            ToWorker::Load { keep } => self.load(keep).await,
            ToWorker::Forget => self.forget().await,
            ToWorker::Remove { id } => self.remove(&id).await,
            question => self.ask(&Asker::Page, question).await,
        }
    }

    /// Answers a question, or passes it on to the tab that has the model.
    async fn ask(&mut self, asker: &Asker, question: ToWorker) {
        if let Seat::Guest(guest) = &self.seat {
            return guest.ask(question);
        }
        match question {
            ToWorker::Extract { run, text, features } => {
                self.extract(asker, run, &text, &features).await;
            }
            ToWorker::ExtractPart { run, texts, features } => {
                self.extract_part(asker, run, &texts, &features).await;
            }
            ToWorker::Measure { run } => self.measure(asker, run).await,
            // Stop was heard at once, as are all that are no questions.
            _ => {}
        }
    }

    /// Answers a guest, unless it has asked what this worker no longer is: then it asks the next host.
    async fn serve_guest(&mut self, asker: &Asker, question: ToWorker) {
        let is_host = matches!(&self.seat, Seat::Host(host) if host.is_of(asker));
        if is_host && self.model.is_some() {
            self.ask(asker, question).await;
        }
    }

    fn tell_guests(&self) {
        if let (Seat::Host(host), Some(Running { loaded, .. })) = (&self.seat, &self.model) {
            host.tell_ready(loaded);
        }
    }

    fn note_host(&self, host: String, model: Loaded) {
        if let Seat::Guest(guest) = &self.seat {
            guest.note_host(host);
            let model = Loaded { downloaded_bytes: 0, in_other_tab: true, ..model };
            post(&FromWorker::Loaded { model });
        }
    }

    /// Gives the place up. What a guest has asked is not answered any more.
    fn leave_seat(&mut self) {
        if let Seat::Guest(guest) = &self.seat {
            for question in guest.open_questions() {
                if let Some(run) = run_of(&question) {
                    post(&FromWorker::Stopped { run });
                }
            }
        }
        self.seat = Seat::Alone;
    }

    /// Another tab has deleted the model.
    async fn note_deleted(&mut self) {
        let Seat::Guest(guest) = &self.seat else { return };
        for question in guest.open_questions() {
            let failure = Failure::new(FailureKind::Model, "the model was deleted in another tab");
            post(&FromWorker::Failed { run: run_of(&question), failure });
        }
        self.seat = Seat::Alone;
        self.drop_forgotten().await;
    }

    /// The tab that had the model is gone: this worker loads it, and answers what the other has not.
    async fn take_over(&mut self, model: &str, lock: Lock) {
        let Seat::Guest(guest) = &self.seat else { return };
        if guest.model() != model {
            return;
        }
        let questions = guest.open_questions();
        self.seat = Seat::host(model, lock, &self.queue, &self.wishes);
        self.load_here(false).await;
        for question in questions {
            self.ask(&Asker::Page, question).await;
        }
    }

    /// Opens a model. One that cannot be opened leaves the one before as it was.
    async fn open(&mut self, place: Place, own: Vec<File>) {
        let is_first = self.open.is_none() && matches!(place, Place::Site { .. });
        match self.try_open(place, own).await {
            Ok(opened) => post(&opened),
            Err(failure) if is_first || failure.kind == FailureKind::NoGpu => {
                post(&FromWorker::Failed { run: None, failure });
            }
            Err(Failure { message, .. }) => post(&FromWorker::Refused { message }),
        }
        self.tell_shelf().await;
    }

    async fn try_open(&mut self, place: Place, own: Vec<File>) -> Result<FromWorker, Failure> {
        let device = self.backend.device().await?;
        let mut opener = Opener { files: &self.files, backend: &mut self.backend };
        let open = opener.open(place, own).await?;
        self.model = None;
        self.leave_seat();
        self.open = open;
        let package = self.open.as_ref().map(|open| open.package.clone());
        Ok(FromWorker::Opened { package, device })
    }

    async fn tell_shelf(&self) {
        post(&FromWorker::Shelf { shelf: shelf::look(&self.files).await });
    }

    async fn load(&mut self, keep: bool) {
        if self.model.is_none() {
            let id = self.open.as_ref().and_then(|open| shelf::id_of(&open.manifest));
            self.leave_seat();
            self.seat = Seat::take(&id.unwrap_or_default(), &self.queue, &self.wishes).await;
        }
        match &self.seat {
            Seat::Guest(_) => post(&FromWorker::Loading { step: LoadStep::WaitingForOtherTab }),
            Seat::Host(_) | Seat::Alone => self.load_here(keep).await,
        }
    }

    async fn load_here(&mut self, keep: bool) {
        if self.model.is_none() {
            match self.try_load(keep).await {
                Ok(model) => self.model = Some(model),
                Err(Halt::Failed(failure)) => {
                    self.seat = Seat::Alone;
                    return post(&FromWorker::Failed { run: None, failure });
                }
                Err(Halt::Paused) => {
                    self.seat = Seat::Alone;
                    let kept_bytes = match &self.open {
                        Some(open) => self.files.kept_bytes_of(&open.manifest).await,
                        None => 0,
                    };
                    return post(&FromWorker::Paused { kept_bytes });
                }
            }
            self.tell_shelf().await;
        }
        if let Some(Running { loaded, .. }) = &self.model {
            post(&FromWorker::Loaded { model: loaded.clone() });
            self.tell_guests();
        }
    }

    async fn try_load(&mut self, keep: bool) -> Result<Running<B::Decoder>, Halt> {
        let open = self.open.as_mut().ok_or_else(not_loaded)?;
        let started_ms = now_ms();
        let bytes = open.bytes(&self.files, &mut self.backend, keep, &self.wishes).await?;
        let (extractor, fit) = match self.backend.load(&bytes.sources).await {
            Ok(loaded) => loaded,
            Err(failure) => {
                if failure.kind == FailureKind::Model {
                    self.doubt().await;
                }
                return Err(failure.into());
            }
        };
        let loaded = Loaded {
            storage: bytes.storage,
            id: bytes.id,
            downloaded_bytes: bytes.downloaded_bytes,
            fit,
            seconds: (now_ms() - started_ms) / 1e3,
            in_other_tab: false,
        };
        Ok(Running { extractor, loaded, sources: bytes.sources })
    }

    /// Has kept files hashed at the next load.
    async fn doubt(&self) {
        for file in self.open.iter().flat_map(|open| &open.manifest.files) {
            self.files.doubt(file).await;
        }
    }

    /// Whether the model is loaded again with smaller sizes, after its memory has run out at work.
    async fn shrink(&mut self) -> bool {
        let Some(Running { extractor, mut loaded, sources }) = self.model.take() else {
            return false;
        };
        let Some((extractor, fit)) = self.backend.load_smaller(extractor, &sources).await else {
            return false;
        };
        loaded.fit = fit;
        post(&FromWorker::Loaded { model: loaded.clone() });
        self.model = Some(Running { extractor, loaded, sources });
        true
    }

    async fn extract(&mut self, asker: &Asker, run: RunId, text: &str, features: &[Feature]) {
        if self.wishes.is_stopped(asker, run) {
            return asker.post(&FromWorker::Stopped { run });
        }
        if self.model.is_some() {
            asker.post(&FromWorker::Running { run, step: RunStep::Started });
        }
        let mut answer = self.try_extract(asker, run, text, features).await;
        if ran_out(&answer) && self.shrink().await {
            answer = self.try_extract(asker, run, text, features).await;
        }
        self.answer(asker, &answer);
    }

    async fn try_extract(
        &mut self,
        asker: &Asker,
        run: RunId,
        text: &str,
        features: &[Feature],
    ) -> FromWorker {
        let Some(Running { extractor, .. }) = &mut self.model else {
            return FromWorker::Failed { run: Some(run), failure: not_loaded() };
        };
        let started_ms = now_ms();
        let wishes = self.wishes.clone();
        let mut observe = move |progress| {
            asker.post(&told(run, progress));
            match wishes.is_stopped(asker, run) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        match extractor.extract(text, features, &mut observe).await {
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
        }
    }

    async fn extract_part(
        &mut self,
        asker: &Asker,
        run: RunId,
        texts: &[String],
        features: &[Feature],
    ) {
        if self.wishes.is_stopped(asker, run) {
            return asker.post(&FromWorker::Stopped { run });
        }
        let mut answer = self.try_part(asker, run, texts, features).await;
        if ran_out(&answer) && self.shrink().await {
            answer = self.try_part(asker, run, texts, features).await;
        }
        self.answer(asker, &answer);
    }

    async fn try_part(
        &mut self,
        asker: &Asker,
        run: RunId,
        texts: &[String],
        features: &[Feature],
    ) -> FromWorker {
        let Some(Running { extractor, .. }) = &mut self.model else {
            return FromWorker::Failed { run: Some(run), failure: not_loaded() };
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let wishes = self.wishes.clone();
        let observe = &mut move |_, _| match wishes.is_stopped(asker, run) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let results = extractor.extract_many(&texts, features, observe).await;
        part(run, results)
    }

    async fn measure(&mut self, asker: &Asker, run: RunId) {
        let answer = match &mut self.model {
            Some(Running { extractor, .. }) => {
                B::measure(extractor, asker, &self.wishes, run).await
            }
            None => FromWorker::Failed { run: Some(run), failure: not_loaded() },
        };
        self.answer(asker, &answer);
    }

    /// Tells how a run ended. Where only a new worker helps, this page gets one, and a guest asks the next host.
    fn answer(&mut self, asker: &Asker, answer: &FromWorker) {
        match answer {
            FromWorker::Failed { failure, .. } if failure.needs_restart() => {
                self.model = None;
                post(&match asker {
                    Asker::Page => answer.clone(),
                    Asker::Guest { .. } => {
                        FromWorker::Failed { run: None, failure: failure.clone() }
                    }
                });
            }
            _ => asker.post(answer),
        }
        if self.model.is_none() {
            // Guests ask whoever loads it next.
            self.seat = Seat::Alone;
        }
    }

    async fn forget(&mut self) {
        self.model = None;
        if let Some(open) = &self.open
            && let Err(failure) = forget(&self.files, &open.manifest).await
        {
            self.leave_seat();
            return post(&FromWorker::Failed { run: None, failure });
        }
        if let Seat::Host(host) = &self.seat {
            host.tell_deleted();
        }
        self.leave_seat();
        self.drop_forgotten().await;
    }

    /// The open model's files are gone from this device.
    async fn drop_forgotten(&mut self) {
        if let Some(open) = &self.open {
            open.forget_texts().await;
            if matches!(open.source, Source::Kept) {
                self.open = None;
            }
        }
        post(&FromWorker::Forgotten);
        self.tell_shelf().await;
    }

    async fn remove(&self, id: &str) {
        if let Ok(folder) = self.files.folder()
            && let Some(manifest) = shelf::manifest(folder, id).await
            && let Err(Failure { message, .. }) = forget(&self.files, &manifest).await
        {
            post(&FromWorker::Refused { message });
        }
        self.tell_shelf().await;
    }
}

/// Deletes a model from this device.
async fn forget(files: &Files, manifest: &Manifest) -> Result<(), Failure> {
    if let (Ok(folder), Some(id)) = (files.folder(), shelf::id_of(manifest)) {
        // Without its note the files are nobody's, and are deleted next.
        let _ = shelf::strike(folder, &id).await;
    }
    for file in &manifest.files {
        files.forget(file).await?;
    }
    Ok(())
}

fn ran_out(answer: &FromWorker) -> bool {
    matches!(answer, FromWorker::Failed { failure, .. } if failure.kind == FailureKind::OutOfMemory)
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

/// For the page: a failure of the way of one description.
pub fn extract_failure(error: ExtractError) -> Failure {
    match error {
        ExtractError::Load(source) | ExtractError::Engine { source, .. } => engine_failure(source),
        ExtractError::Task(_) | ExtractError::ContextTooSmall { .. } => {
            of_kind(FailureKind::Input, &error)
        }
        ExtractError::Config(_)
        | ExtractError::Tokenizer(_)
        | ExtractError::Confidence(_)
        | ExtractError::Metadata(_)
        | ExtractError::TaskVersion { .. }
        | ExtractError::Vocabulary { .. } => of_kind(FailureKind::Model, &error),
        ExtractError::Cancelled { .. } | ExtractError::NoAnswer { .. } => {
            of_kind(FailureKind::Internal, &error)
        }
    }
}

/// For the page: a failure of the engine.
pub fn engine_failure(error: EngineError) -> Failure {
    let kind = match &error {
        EngineError::NoGpu(_) => FailureKind::NoGpu,
        EngineError::DeviceLost(_) => FailureKind::DeviceLost,
        EngineError::OutOfMemory { .. }
        | EngineError::RanOutOfMemory
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
