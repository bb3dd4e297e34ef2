//! The browser's locks (Web Locks), which one tab at a time has, and gives back at the latest when it is closed.

use std::cell::Cell;
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// A lock that is held until this is dropped.
pub struct Lock {
    /// Ends the promise for which the browser keeps it; none where there are no locks.
    release: Option<Function>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            let _ = release.call0(&JsValue::NULL);
        }
    }
}

impl Lock {
    /// Whether other tabs are kept out. Where the browser has no locks, as for pages without a site, nobody is.
    pub fn is_real(&self) -> bool {
        self.release.is_some()
    }

    /// Keeps it until the page or worker ends.
    pub fn keep(mut self) {
        self.release = None;
    }
}

/// The lock of this name, if nobody has it.
pub async fn try_lock(name: &str) -> Option<Lock> {
    request(name, true).await
}

/// The lock of this name, when whoever has it has given it back.
pub async fn lock(name: &str) -> Lock {
    request(name, false).await.unwrap_or(Lock { release: None })
}

async fn request(name: &str, if_available: bool) -> Option<Lock> {
    let get = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or_default();
    let locks = get(&get(&js_sys::global(), "navigator"), "locks");
    let Ok(request) = get(&locks, "request").dyn_into::<Function>() else {
        return Some(Lock { release: None });
    };
    let options = Object::new();
    let _ = Reflect::set(&options, &"ifAvailable".into(), &if_available.into());
    let (sender, answer) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let tell = move |lock: Option<Lock>| {
        if let Some(sender) = sender.take() {
            // The receiver waits below.
            let _ = sender.send(lock);
        }
    };
    let tell_refusal = tell.clone();
    let on_answer = Closure::once_into_js(move |lock: JsValue| {
        // The browser keeps the lock for as long as this promise is open.
        Promise::new(&mut |resolve, _| {
            if lock.is_null() {
                let _ = resolve.call0(&JsValue::NULL);
                return tell(None);
            }
            tell(Some(Lock { release: Some(resolve) }));
        })
    });
    // A page without an origin, such as one of the disk, is refused.
    let on_refusal = Closure::once_into_js(move |_: JsValue| {
        tell_refusal(Some(Lock { release: None }));
    });
    let promise = request.call3(&locks, &name.into(), &options, &on_answer).ok()?;
    let then = get(&promise, "then").dyn_into::<Function>().ok()?;
    let _ = then.call2(&promise, &JsValue::UNDEFINED, &on_refusal);
    answer.await.ok().flatten()
}
