//! Starting a worker, whoever serves the page.

use gloo::file::{Blob, ObjectUrl};
use hangtag_web::words::Language;
use web_sys::{Worker, WorkerOptions, WorkerType};

use super::{bundle, device};

/// Starts the worker of this name, whose script lies beside the page or in it. The address must live as long as the worker.
///
/// # Errors
/// What the browser says, in words.
pub fn start_worker(name: &str) -> Result<(Worker, ObjectUrl), String> {
    let (script, kind) = match bundle::script(name) {
        Some(script) => (Blob::from(script), WorkerType::Classic),
        None => (import(name)?, WorkerType::Module),
    };
    let script = ObjectUrl::from(script);
    let options = WorkerOptions::new();
    options.set_type(kind);
    options.set_name(name);
    let worker = Worker::new_with_options(&script, &options)
        .map_err(|error| format!("{name} could not be started: {error:?}"))?;
    Ok((worker, script))
}

/// A script that loads the worker's own, which Trunk made (see index.html).
fn import(name: &str) -> Result<Blob, String> {
    // A worker with an address of its own has the policy of its own response, which a static host may not send.
    // One that starts from a blob inherits the page's policy, whoever serves it.
    let address = device::beside_page(&format!("{name}_loader.js"))
        .map_err(|error| error.words(Language::English.messages()))?
        .href();
    // A static import would fall under `worker-src`, a dynamic one falls under `script-src`. Its failure is thrown
    // outside the promise to arrive as the worker's error event.
    let import = format!(
        "import({}).catch((error) => setTimeout(() => {{ throw error; }}));",
        serde_json::to_string(&address).unwrap_or_default()
    );
    Ok(Blob::new_with_options(import.as_str(), Some("text/javascript")))
}
