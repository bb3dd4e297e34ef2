//! What the browser's own record says of the requests that a page or a worker makes.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{
    Performance, PerformanceEntry, PerformanceObserver, PerformanceObserverEntryList, Url,
};

use crate::traffic::Request;

/// Tells of every request that the page or worker calling this has made, makes and will make. Where the browser keeps no such
/// record, nothing is told.
pub fn observe_requests(mut tell: impl FnMut(Vec<Request>) + 'static) {
    let Some(performance) = performance() else { return };
    // Times are counted from here, in each worker from another moment.
    let origin_ms = performance.time_origin();
    let take = Closure::<dyn FnMut(PerformanceObserverEntryList)>::new(
        move |list: PerformanceObserverEntryList| {
            let entries = list.get_entries();
            let requests: Vec<Request> = entries
                .iter()
                .filter_map(|entry| request(entry.unchecked_ref(), origin_ms))
                .collect();
            if !requests.is_empty() {
                tell(requests);
            }
        },
    );
    let Ok(observer) = PerformanceObserver::new(take.as_ref().unchecked_ref()) else { return };
    take.forget();
    // The page itself, and what it or a worker loads. `buffered` tells of what was before.
    let is_page = web_sys::window().is_some();
    for kind in is_page.then_some("navigation").into_iter().chain(["resource"]) {
        let options = Object::new();
        let set = |key: &str, value: JsValue| Reflect::set(&options, &key.into(), &value).is_ok();
        if set("type", kind.into()) && set("buffered", true.into()) {
            observer.observe(options.unchecked_ref());
        }
    }
    // Held by the browser for as long as it observes.
    std::mem::forget(observer);
}

/// Milliseconds since 1970, as in [`Request::began_ms`].
pub fn now_ms() -> f64 {
    performance().map_or(0.0, |performance| performance.time_origin() + performance.now())
}

fn performance() -> Option<Performance> {
    Reflect::get(&js_sys::global(), &"performance".into()).ok()?.dyn_into().ok()
}

/// Addresses without a host are on this device: `blob:` and `data:`.
fn request(entry: &PerformanceEntry, origin_ms: f64) -> Option<Request> {
    let url = Url::new(&entry.name()).ok()?;
    let host = url.host();
    (!host.is_empty()).then(|| Request { host, began_ms: origin_ms + entry.start_time() })
}
