//! The worker's end of the line to the page.

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::mpsc::UnboundedSender;
use gloo::events::EventListener;
use hangtag_web::isolation::foreign_request_is_blocked;
use hangtag_web::observe::observe_requests;
use hangtag_web::protocol::{Failure, FailureKind, FromWorker, RunId, ToWorker};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, File, MessageEvent};

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

/// What the page wants right now, whatever the worker is doing.
#[derive(Clone, Default)]
pub struct Wishes {
    stopped: Rc<Cell<RunId>>,
    paused: Rc<Cell<bool>>,
}

impl Wishes {
    /// Whether the page has stopped this run.
    pub fn is_stopped(&self, run: RunId) -> bool {
        run <= self.stopped.get()
    }

    /// Whether the page wants the download to halt.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }
}

/// Listens to the page for as long as the worker lives: wishes are noted at once, work is queued.
pub fn listen(wishes: Wishes, queue: UnboundedSender<(ToWorker, Vec<File>)>) {
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
            ToWorker::Stop { run } => wishes.stopped.set(wishes.stopped.get().max(run)),
            ToWorker::Pause => wishes.paused.set(true),
            ToWorker::CheckIsolation => spawn_local(check_isolation()),
            work => {
                let is_load = matches!(work, ToWorker::Load { .. });
                wishes.paused.set(wishes.paused.get() && !is_load);
                // The receiver lives as long as the worker.
                let _ = queue.unbounded_send((work, files));
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
