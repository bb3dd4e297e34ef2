//! Workbooks, read and written by a worker of their own (`sheet/main.rs`).

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::oneshot;
use gloo::events::EventListener;
use hangtag_web::protocol::{FromSheet, Table};
use hangtag_web::traffic::Request;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
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
    ask(Uint8Array::from(bytes.as_slice()).into(), note).await.map(|(csv, _)| csv)
}

/// A table as a workbook, and how many of its cells had to be cut.
///
/// # Errors
/// Why there is none, in words.
pub async fn workbook_of_table(
    table: &Table,
    note: impl Fn(Vec<Request>) + 'static,
) -> Result<(Vec<u8>, usize), String> {
    let table = serde_json::to_string(table).map_err(|error| error.to_string())?;
    ask(JsValue::from_str(&table), note).await
}

/// Gives the worker its work; the bytes that come back, and the number of cells that it cut.
async fn ask(
    work: JsValue,
    note: impl Fn(Vec<Request>) + 'static,
) -> Result<(Vec<u8>, usize), String> {
    let (worker, _script) = start_worker(WORKER)?;
    let (sender, answer) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let tell = move |result| {
        if let Some(sender) = sender.take() {
            // The receiver waits below.
            let _ = sender.send(result);
        }
    };
    let cut_cells = Cell::new(0);
    let (tell_failure, port) = (tell.clone(), worker.clone());
    let on_message = EventListener::new(&worker, "message", move |event: &Event| {
        let data = event.unchecked_ref::<MessageEvent>().data();
        let Some(text) = data.as_string() else {
            return tell(Ok((Uint8Array::new(&data).to_vec(), cut_cells.get())));
        };
        match serde_json::from_str(&text) {
            Ok(FromSheet::Hello) => {
                let _ = port.post_message(&work);
            }
            Ok(FromSheet::Cut { cells }) => cut_cells.set(cells),
            Ok(FromSheet::Requests { requests }) => note(requests),
            Ok(FromSheet::Failed { message }) => tell(Err(message)),
            Err(_) => tell(Err("the page is of two versions: reload it".to_owned())),
        }
    });
    let on_error = EventListener::new(&worker, "error", move |_| {
        tell_failure(Err("the engine for workbooks broke down: use CSV".to_owned()));
    });
    let answer = answer.await.unwrap_or_else(|_| Err("the workbook was given up".to_owned()));
    drop((on_message, on_error));
    worker.terminate();
    answer
}
