//! The worker that reads workbooks. It is fetched when one is dropped, so that nobody else waits for its code.
//!
//! It says that it listens, is sent the file's bytes, and answers with the CSV's bytes or with what is wrong (`FromSheet`).

#[cfg(target_arch = "wasm32")]
fn main() {
    use gloo::events::EventListener;
    use hangtag_products::csv_of_workbook;
    use hangtag_web::observe::observe_requests;
    use hangtag_web::protocol::FromSheet;
    use js_sys::Uint8Array;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let page = scope.clone();
    let post = move |message: &FromSheet| {
        let text = serde_json::to_string(message).unwrap_or_default();
        let _ = page.post_message(&JsValue::from_str(&text));
    };
    let (page, answer) = (scope.clone(), post.clone());
    let on_message = EventListener::new(&scope, "message", move |event| {
        let bytes = Uint8Array::new(&event.unchecked_ref::<MessageEvent>().data()).to_vec();
        match csv_of_workbook(&bytes) {
            Ok(csv) => drop(page.post_message(&Uint8Array::from(csv.as_slice()))),
            Err(error) => answer(&FromSheet::Failed { message: error.to_string() }),
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
