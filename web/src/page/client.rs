//! The page's end of the line to the worker: sends what the user asks, puts what comes back into the state.

use gloo::events::EventListener;
use gloo::file::ObjectUrl;
use gloo::utils::{document, window};
use hangtag_web::ask;
use hangtag_web::correction::Correction;
use hangtag_web::isolation::foreign_request_is_blocked;
use hangtag_web::observe::{now_ms, observe_requests};
use hangtag_web::protocol::{
    Failure, FailureKind, FromWorker, Package, RunId, RunStep, Storage, ToWorker, VERSION,
};
use hangtag_web::traffic::Request;
use hangtag_web::words::Said;
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, File, MessageEvent, Worker};

use super::choice_state::Chosen;
use super::device::{self, Obstacle};
use super::list_client::ListWork;
use super::measure::Measuring;
use super::recovery::Recovery;
use super::start_worker::start_worker;
use super::state::{Isolation, Model, Phase, Row, Run, State};

/// The workers: for the GPU, and for the processor of a browser without.
const ON_GPU: &str = "hangtag-worker";
const ON_PROCESSOR: &str = "hangtag-processor";

/// Handle to the worker; copied freely.
#[derive(Clone, Copy)]
pub struct Client {
    pub(super) state: State,
    pub(super) work: ListWork,
    line: StoredValue<Option<Line>, LocalStorage>,
    next_run: StoredValue<RunId>,
    /// A run asked for before the worker could hear of it.
    pub(super) pending: StoredValue<Option<ToWorker>>,
    /// The open model, to open it again in a new worker.
    pub(super) chosen: StoredValue<Option<Chosen>, LocalStorage>,
    /// The model that the worker is asked to open.
    pub(super) asked: StoredValue<Option<Chosen>, LocalStorage>,
    pub(super) recovery: Recovery,
}

/// A running worker and what must live as long as it.
struct Line {
    worker: Worker,
    _script: ObjectUrl,
    _listeners: [EventListener; 2],
}

impl Drop for Line {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl Client {
    /// Starts the worker: the GPU's, if this browser has WebGPU.
    pub fn start(state: State) -> Self {
        let client = Self {
            state,
            work: ListWork::new(),
            line: StoredValue::new_local(None),
            next_run: StoredValue::new(1),
            pending: StoredValue::new(None),
            chosen: StoredValue::new_local(None),
            asked: StoredValue::new_local(None),
            recovery: Recovery::new(),
        };
        state.obstacle.set(device::obstacle());
        client.launch();
        client.watch_list();
        observe_requests(client.note_requests());
        client
    }

    /// Ends the worker and starts a new one; the open run, if any, fails.
    pub fn restart(&self) {
        if let Some(run) = untrack(|| self.state.open_run()) {
            self.state.end_run(run.id, Phase::Stopped);
        }
        self.recovery.reset();
        self.launch();
    }

    /// Loads the model.
    pub fn load(&self) {
        self.state.model.set(Model::Loading(None));
        let keep = self.state.choice.keep.get_untracked();
        self.send(&ToWorker::Load { keep });
    }

    /// Halts the download; what is there stays.
    pub fn pause(&self) {
        self.stop();
        self.pause_list();
        self.send(&ToWorker::Pause);
    }

    /// Deletes the model from this device.
    pub fn forget(&self) {
        self.stop_measuring();
        self.pause_list();
        self.send(&ToWorker::Forget);
    }

    /// Asks for the features of the text in the fields; loads the model first where needed.
    pub fn extract(&self) {
        let state = self.state;
        if untrack(|| state.open_run().is_some()) {
            return;
        }
        let text = state.text.get_untracked();
        let list = state.features.text.get_untracked();
        let asked = ask::ask(&text, &list, &state.features.known());
        state.input_error.set(asked.as_ref().err().cloned());
        let Ok(features) = asked else {
            focus_first_invalid();
            return;
        };
        if self.lacks_model() {
            return;
        }

        let run = self.new_run();
        let run = Run {
            id: run,
            text: text.as_str().into(),
            rows: features.iter().map(|feature| Row::new(&feature.name)).collect(),
            phase: ArcRwSignal::new(Phase::Waiting),
            part: ArcRwSignal::new(None),
            began_ms: js_sys::Date::now(),
            features: features.as_slice().into(),
            category: state.template_category(),
            product: None,
        };
        let question = self.question(&run);
        state.restarted.set(None);
        state.add_run(run);
        self.ask_worker(question);
        bring_results_into_sight();
    }

    /// Whether no model is chosen yet; says so.
    pub(super) fn lacks_model(&self) -> bool {
        let state = self.state;
        let lacks = state.model.get_untracked() == Model::Absent
            && state.package.with_untracked(Option::is_none);
        if lacks {
            let problem = Said::new(|words| words.model_choice.choose_first.to_owned());
            state.choice.problem.set(Some(problem));
            if let Some(card) = document().get_element_by_id("model") {
                card.scroll_into_view();
            }
        }
        lacks
    }

    /// A number for a run, larger than all before. What is measured makes way for it.
    pub(super) fn new_run(&self) -> RunId {
        self.stop_measuring();
        let run = self.next_run.get_value();
        self.next_run.set_value(run + 1);
        run
    }

    fn ask_worker(&self, question: ToWorker) {
        match self.state.model.get_untracked() {
            Model::Ready(_) | Model::Loading(_) => self.send(&question),
            Model::Absent => {
                self.load();
                self.send(&question);
            }
            Model::Starting => self.pending.set_value(Some(question)),
            Model::Failed(_) => {
                self.pending.set_value(Some(question));
                self.launch();
            }
        }
    }

    /// Stops the open run. Its answers so far stay; what the worker still sends of it is ignored.
    pub fn stop(&self) {
        self.pending.set_value(None);
        if let Some(run) = untrack(|| self.state.open_run()) {
            self.send(&ToWorker::Stop { run: run.id });
            self.state.end_run(run.id, Phase::Stopped);
        }
    }

    /// Notes what a person made of an answer, or that it is to stand as the model gave it.
    pub fn correct(&self, run: &Run, index: usize, correction: Option<Correction>) {
        let Some(row) = run.rows.get(index) else { return };
        row.correction.set(correction.clone());
        if let Some(product) = run.product {
            self.correct_product(product, index, correction);
        }
    }

    /// Has page and worker try to reach a foreign address.
    pub fn check_isolation(&self) {
        let state = self.state;
        state.isolation.set(Isolation::default());
        self.send(&ToWorker::CheckIsolation);
        spawn_local(async move {
            let blocked =
                foreign_request_is_blocked(&document(), |url| window().fetch_with_str(url)).await;
            state.isolation.update(|isolation| isolation.page = Some(blocked));
        });
    }

    /// Takes note of requests that a part of the page has made.
    pub(super) fn note_requests(&self) -> impl Fn(Vec<Request>) + 'static {
        let requests = self.state.requests;
        move |more| requests.update(|requests| requests.extend(more))
    }

    /// Ends the worker, so that another can start.
    pub(super) fn end_worker(&self) {
        self.forget_parts();
        self.line.set_value(None);
        self.state.measuring.set(Measuring::No);
        self.state.model.set(Model::Starting);
    }

    pub(super) fn has_no_worker(&self) -> bool {
        self.line.with_value(Option::is_none)
    }

    pub(super) fn launch(&self) {
        self.end_worker();
        match self.connect() {
            Ok(line) => self.line.set_value(Some(line)),
            Err(message) => self.break_down(Failure::new(FailureKind::Internal, message)),
        }
    }

    fn connect(&self) -> Result<Line, String> {
        let has_gpu = self.state.obstacle.with_untracked(Option::is_none);
        let (worker, script) = start_worker(if has_gpu { ON_GPU } else { ON_PROCESSOR })?;
        let client = *self;
        let on_message = EventListener::new(&worker, "message", move |event| {
            let data = event.unchecked_ref::<MessageEvent>().data().as_string().unwrap_or_default();
            match serde_json::from_str(&data) {
                Ok(message) => client.hear(message),
                Err(error) => client.lose(stale(&error.to_string())),
            }
        });
        let on_error = EventListener::new(&worker, "error", move |event| {
            // Absent when the script could not be loaded at all.
            let message =
                event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).unwrap_or_default();
            client.lose(crash(&message));
        });
        Ok(Line { worker, _script: script, _listeners: [on_message, on_error] })
    }

    pub(super) fn send(&self, message: &ToWorker) {
        self.send_with(message, &[]);
    }

    /// Sends a message with files.
    pub(super) fn send_with(&self, message: &ToWorker, files: &[File]) {
        let Ok(text) = serde_json::to_string(message) else { return };
        let mut data = JsValue::from_str(&text);
        if !files.is_empty() {
            let parts = Array::of1(&data);
            files.iter().for_each(|file| _ = parts.push(file));
            data = parts.into();
        }
        let sent = self
            .line
            .try_with_value(|line| line.as_ref().map(|line| line.worker.post_message(&data)));
        if let Some(Some(Err(error))) = sent {
            self.break_down(Failure::new(FailureKind::Internal, format!("{error:?}")));
        }
    }

    fn hear(&self, message: FromWorker) {
        let state = self.state;
        match message {
            FromWorker::Hello { version: VERSION } => self.open_first(),
            FromWorker::Hello { version } => {
                self.lose(stale(&format!("page {VERSION}, engine {version}")));
            }
            FromWorker::Opened { package, device } => {
                self.note_opened(package.as_ref());
                state.measuring.set(Measuring::No);
                let is_kept = package.as_ref().is_some_and(Package::is_kept);
                state.package.set(package);
                state.device.set(Some(device));
                state.model.set(Model::Absent);
                let reload = self.recovery.take_reload();
                if let Some(keep) = reload {
                    state.choice.keep.set(keep);
                }
                if let Some(question) = self.pending.try_update_value(Option::take).flatten() {
                    self.ask_worker(question);
                } else if is_kept || reload.is_some() {
                    self.load();
                }
            }
            FromWorker::Refused { message } => self.note_refused(message),
            FromWorker::Shelf { shelf } => state.choice.shelf.set(Some(shelf)),
            FromWorker::Loading { step } => state.model.set(Model::Loading(Some(step))),
            FromWorker::Loaded { model } => {
                let is_kept = model.storage == Storage::Kept;
                state.loaded_ms.set(Some(now_ms()));
                self.note_loaded(&model);
                state.package.update(|package| {
                    if let Some(package) = package {
                        package.kept_bytes = if is_kept { package.size_bytes } else { 0 };
                        package.id = model.id.clone().or(package.id.take());
                    }
                });
                state.model.set(Model::Ready(model));
                self.note_idle_engine();
            }
            FromWorker::Paused { kept_bytes } => {
                self.set_kept(kept_bytes);
                state.model.set(Model::Absent);
            }
            FromWorker::Forgotten => {
                self.set_kept(0);
                state.model.set(Model::Absent);
                self.note_forgotten();
            }
            FromWorker::Running { run, step } => self.with_open(run, |run| {
                if let RunStep::Window { index, count } = step {
                    run.part.set((count > 1).then_some((index + 1, count)));
                }
                run.phase.set(Phase::Running(step));
            }),
            FromWorker::Row { run, index, value } => self.with_open(run, |run| {
                if let Some(row) = self.recovery.row(index).and_then(|row| run.rows.get(row)) {
                    row.value.set(Some(value));
                    self.recovery.note_progress();
                }
            }),
            FromWorker::Finished { run, stats } => {
                self.with_open(run, |run| run.phase.set(Phase::Finished(stats)));
            }
            FromWorker::Part { run, results } => {
                self.recovery.note_progress();
                self.take_part(run, results);
            }
            FromWorker::Measuring { run, done, total } => {
                self.note_measuring(run, Measuring::Running { run, done, total });
            }
            FromWorker::Measured { run, measurement } => {
                self.note_measuring(run, Measuring::Done(measurement));
            }
            FromWorker::Stopped { run } => {
                if !self.note_measuring(run, Measuring::No) && !self.part_stopped(run) {
                    state.end_run(run, Phase::Stopped);
                }
            }
            FromWorker::Failed { failure, .. } if self.takes_the_processor(&failure) => {}
            FromWorker::Failed { failure, .. } if self.recovers_from(&failure) => {}
            FromWorker::Failed { run: None, failure } => self.break_down(failure),
            FromWorker::Failed { run: Some(run), failure } => self.fail_run(run, failure),
            FromWorker::Isolation { blocked } => {
                state.isolation.update(|isolation| isolation.worker = Some(blocked));
            }
            FromWorker::Requests { requests } => self.note_requests()(requests),
        }
    }

    /// Goes on with the processor where WebGPU turns out to have no GPU.
    fn takes_the_processor(&self, failure: &Failure) -> bool {
        if failure.kind != FailureKind::NoGpu || self.had_device() {
            return false;
        }
        self.state.obstacle.set(Some(Obstacle::NoAdapter(failure.message.clone())));
        self.launch();
        true
    }

    fn with_open(&self, run: RunId, change: impl FnOnce(&Run)) {
        if let Some(run) = untrack(|| self.state.run(run).filter(|run| run.phase.get().is_open())) {
            change(&run);
        }
    }

    fn set_kept(&self, kept_bytes: u64) {
        self.state.package.update(|package| {
            if let Some(package) = package {
                package.kept_bytes = kept_bytes;
            }
        });
    }

    /// The page's address asks for a model that it may not have.
    pub(super) fn cannot_open(&self, message: String) {
        self.break_down(Failure::new(FailureKind::Model, message));
    }

    fn fail_run(&self, run: RunId, failure: Failure) {
        if self.note_measuring(run, Measuring::Failed(failure.clone())) {
            if failure.needs_restart() {
                self.state.model.set(Model::Failed(failure));
            }
            return;
        }
        if self.part_failed(run, &failure) {
            if failure.needs_restart() {
                self.state.model.set(Model::Failed(failure));
            }
            return;
        }
        if untrack(|| self.state.run(run).is_none_or(|run| !run.phase.get().is_open())) {
            return;
        }
        self.state.end_run(run, Phase::Failed);
        if failure.needs_restart() {
            self.state.model.set(Model::Failed(failure.clone()));
        }
        self.state.failure.set(Some(failure));
    }

    /// The engine is not to be had: says so at the model, and at the run that waited for it.
    pub(super) fn break_down(&self, failure: Failure) {
        self.pending.set_value(None);
        self.halt_list(&failure);
        if let Some(run) = untrack(|| self.state.open_run()) {
            self.send(&ToWorker::Stop { run: run.id });
            self.state.end_run(run.id, Phase::Failed);
            self.state.failure.set(Some(failure.clone()));
        }
        self.state.model.set(match failure.kind {
            FailureKind::NoGpu if self.had_device() => {
                Model::Failed(Failure { kind: FailureKind::DeviceLost, ..failure })
            }
            _ => Model::Failed(failure),
        });
    }
}

fn stale(detail: &str) -> Failure {
    let message =
        format!("The page and its engine are of different versions ({detail}). Reload the page.");
    Failure::new(FailureKind::Internal, message)
}

fn crash(message: &str) -> Failure {
    let kind = match message.contains("memory") {
        true => FailureKind::OutOfMemory,
        false => FailureKind::Internal,
    };
    let detail = if message.is_empty() { "its script could not be loaded" } else { message };
    Failure::new(kind, format!("The engine broke down: {detail}"))
}

/// On narrow screens the results are below the button that was pressed.
fn bring_results_into_sight() {
    request_animation_frame(|| {
        let Ok(Some(results)) = document().query_selector(".results") else { return };
        let height =
            window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
        if results.get_bounding_client_rect().top() > 0.75 * height {
            results.scroll_into_view();
        }
    });
}

/// Puts the cursor into the field that something is wrong with.
pub(super) fn focus_first_invalid() {
    // After the signals have reached the document.
    request_animation_frame(|| {
        if let Ok(Some(field)) = document().query_selector("[aria-invalid=true]") {
            let _ = field.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    });
}
