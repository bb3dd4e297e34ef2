//! The worker that reads workbooks. It is fetched when one is dropped, so that nobody else waits for its code.
//!
//! It says `null` when it listens, is sent the file's bytes, and answers with the CSV's bytes or a string that says what is wrong.

#[cfg(target_arch = "wasm32")]
fn main() {
    use gloo::events::EventListener;
    use hangtag_products::csv_of_workbook;
    use js_sys::Uint8Array;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let page = scope.clone();
    let on_message = EventListener::new(&scope, "message", move |event| {
        let bytes = Uint8Array::new(&event.unchecked_ref::<MessageEvent>().data()).to_vec();
        let answer = match csv_of_workbook(&bytes) {
            Ok(csv) => Uint8Array::from(csv.as_slice()).into(),
            Err(error) => JsValue::from_str(&error.to_string()),
        };
        let _ = page.post_message(&answer);
    });
    on_message.forget();
    let _ = scope.post_message(&JsValue::NULL);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-sheet runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
