//! Workbooks, read by a worker of their own (`sheet/main.rs`).

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::oneshot;
use gloo::events::EventListener;
use hangtag_web::protocol::FromSheet;
use hangtag_web::traffic::Request;
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use web_sys::{Event, MessageEvent};

use super::start_worker::start_worker;

const WORKER: &str = "hangtag-sheet";

/// Whether a file of this name is a workbook.
pub fn is_workbook(name: &str) -> bool {
    [".xlsx", ".xlsm"].iter().any(|ending| name.to_lowercase().ends_with(ending))
}

/// A workbook's first sheet as CSV. `note` is told of the requests that reading it takes.
///
/// # Errors
/// What is wrong with it, in words.
pub async fn csv_of_workbook(
    bytes: Vec<u8>,
    note: impl Fn(Vec<Request>) + 'static,
) -> Result<Vec<u8>, String> {
    let (worker, _script) = start_worker(WORKER)?;
    let (sender, answer) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let tell = move |result| {
        if let Some(sender) = sender.take() {
            // The receiver waits below.
            let _ = sender.send(result);
        }
    };
    let (tell_failure, port) = (tell.clone(), worker.clone());
    let on_message = EventListener::new(&worker, "message", move |event: &Event| {
        let data = event.unchecked_ref::<MessageEvent>().data();
        let Some(text) = data.as_string() else {
            return tell(Ok(Uint8Array::new(&data).to_vec()));
        };
        match serde_json::from_str(&text) {
            Ok(FromSheet::Hello) => {
                let _ = port.post_message(&Uint8Array::from(bytes.as_slice()));
            }
            Ok(FromSheet::Requests { requests }) => note(requests),
            Ok(FromSheet::Failed { message }) => tell(Err(message)),
            Err(_) => tell(Err("the page is of two versions: reload it".to_owned())),
        }
    });
    let on_error = EventListener::new(&worker, "error", move |_| {
        tell_failure(Err("the workbook cannot be read: save it as CSV".to_owned()));
    });
    let csv = answer.await.unwrap_or_else(|_| Err("the workbook was not read".to_owned()));
    drop((on_message, on_error));
    worker.terminate();
    csv
}
