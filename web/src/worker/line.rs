//! The worker's end of the line to the page.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::isolation::foreign_request_is_blocked;
use crate::locks::Lock;
use crate::observe::observe_requests;
use crate::protocol::{Failure, FailureKind, FromWorker, Loaded, RunId, ToWorker};
use crate::share::Between;
use futures_channel::mpsc::UnboundedSender;
use gloo::events::EventListener;
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{BroadcastChannel, DedicatedWorkerGlobalScope, File, MessageEvent};

use super::seat::tell;

/// The worker's global scope.
pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the worker began.
pub fn now_ms() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now())
}

/// Tells the page something.
pub fn post(message: &FromWorker) {
    // Serialising to memory does not fail, and a string can always be posted.
    if let Ok(text) = serde_json::to_string(message) {
        let _ = scope().post_message(&JsValue::from_str(&text));
    }
}

/// Who has asked, and hears the answer.
#[derive(Clone)]
pub enum Asker {
    /// This worker's page.
    Page,
    /// The worker of another tab.
    Guest {
        /// Its name.
        id: Rc<str>,
        /// The way to it.
        port: BroadcastChannel,
    },
}

impl Asker {
    /// Tells it something.
    pub fn post(&self, message: &FromWorker) {
        match self {
            Self::Page => post(message),
            Self::Guest { id, port } => {
                let (guest, answer) = (id.to_string(), message.clone());
                tell(port, &Between::Answer { guest, answer });
            }
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Page => "",
            Self::Guest { id, .. } => id,
        }
    }
}

/// What the worker is to do next.
pub enum Work {
    /// What its page wants, with files.
    Page(ToWorker, Vec<File>),
    /// A guest's question.
    Guest(Asker, ToWorker),
    /// A guest wants to know whether the model is ready.
    Knock,
    /// The host of this name has the model ready.
    Ready(String, Loaded),
    /// The host has deleted the model from this device.
    Deleted,
    /// The host's place for this model is now this worker's.
    Seat(String, Lock),
}

/// What is to be done, one after the other.
#[derive(Clone)]
pub struct Queue(pub UnboundedSender<Work>);

impl Queue {
    /// Adds something to be done.
    pub fn push(&self, work: Work) {
        // The receiver lives as long as the worker.
        let _ = self.0.unbounded_send(work);
    }
}

/// What page and guests want right now, whatever the worker is doing.
#[derive(Clone, Default)]
pub struct Wishes {
    /// The last run that each has stopped.
    stopped: Rc<RefCell<HashMap<String, RunId>>>,
    paused: Rc<Cell<bool>>,
}

impl Wishes {
    /// Whether its asker has stopped this run.
    pub fn is_stopped(&self, asker: &Asker, run: RunId) -> bool {
        self.stopped.borrow().get(asker.name()).is_some_and(|&last| run <= last)
    }

    /// Notes that the guest of this name, or the page without one, has stopped its runs up to this one.
    pub fn stop(&self, asker: &str, run: RunId) {
        let mut stopped = self.stopped.borrow_mut();
        let last = stopped.entry(asker.to_owned()).or_default();
        *last = run.max(*last);
    }

    /// Whether the page wants the download to halt.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }
}

/// Listens to the page for as long as the worker lives: wishes are noted at once, work is queued.
pub fn listen(wishes: Wishes, queue: Queue) {
    let on_message = EventListener::new(&scope(), "message", move |event| {
        let (data, files) = parts(event.unchecked_ref::<MessageEvent>().data());
        let message = match serde_json::from_str(&data) {
            Ok(message) => message,
            Err(error) => {
                let failure = Failure::new(
                    FailureKind::Internal,
                    format!("a message of another version: {error}"),
                );
                return post(&FromWorker::Failed { run: None, failure });
            }
        };
        match message {
            ToWorker::Stop { run } => {
                wishes.stop(Asker::Page.name(), run);
                // For the host, if it is in another tab.
                queue.push(Work::Page(ToWorker::Stop { run }, files));
            }
            ToWorker::Pause => wishes.paused.set(true),
            ToWorker::CheckIsolation => spawn_local(check_isolation()),
            work => {
                let is_load = matches!(work, ToWorker::Load { .. });
                wishes.paused.set(wishes.paused.get() && !is_load);
                queue.push(Work::Page(work, files));
            }
        }
    });
    on_message.forget();
    observe_requests(|requests| post(&FromWorker::Requests { requests }));
}

/// A message's text, and the files that come with it.
fn parts(data: JsValue) -> (String, Vec<File>) {
    match data.dyn_into::<Array>() {
        Ok(parts) => {
            let files = parts.iter().skip(1).filter_map(|file| file.dyn_into().ok()).collect();
            (parts.get(0).as_string().unwrap_or_default(), files)
        }
        Err(text) => (text.as_string().unwrap_or_default(), Vec::new()),
    }
}

async fn check_isolation() {
    let blocked = foreign_request_is_blocked(&scope(), |url| scope().fetch_with_str(url)).await;
    post(&FromWorker::Isolation { blocked });
}
