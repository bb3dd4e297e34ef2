//! The worker that reads and writes workbooks. It is fetched when one is dropped or wanted, so that nobody else waits for
//! its code.
//!
//! It says that it listens, is sent a workbook's bytes or a table as JSON, and answers with the bytes of the CSV or of the
//! workbook, or with what is wrong (`FromSheet`).

#[cfg(target_arch = "wasm32")]
fn main() {
    use gloo::events::EventListener;
    use hangtag_products::{csv_of_workbook, workbook_of};
    use hangtag_web::observe::observe_requests;
    use hangtag_web::protocol::{FromSheet, Table};
    use js_sys::Uint8Array;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

    fn workbook_of_json(json: &str, answer: &impl Fn(&FromSheet)) -> Result<Vec<u8>, String> {
        let table: Table = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let workbook =
            workbook_of(&table.rows, &table.numbers).map_err(|error| error.to_string())?;
        answer(&FromSheet::Cut { cells: workbook.cut_cells });
        Ok(workbook.bytes)
    }

    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let page = scope.clone();
    let post = move |message: &FromSheet| {
        let text = serde_json::to_string(message).unwrap_or_default();
        let _ = page.post_message(&JsValue::from_str(&text));
    };
    let (page, answer) = (scope.clone(), post.clone());
    let on_message = EventListener::new(&scope, "message", move |event| {
        let data = event.unchecked_ref::<MessageEvent>().data();
        let done = match data.as_string() {
            Some(table) => workbook_of_json(&table, &answer),
            None => {
                csv_of_workbook(&Uint8Array::new(&data).to_vec()).map_err(|error| error.to_string())
            }
        };
        match done {
            Ok(bytes) => drop(page.post_message(&Uint8Array::from(bytes.as_slice()))),
            Err(message) => answer(&FromSheet::Failed { message }),
        }
    });
    on_message.forget();
    let tell = post.clone();
    observe_requests(move |requests| tell(&FromSheet::Requests { requests }));
    post(&FromSheet::Hello);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-sheet runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
