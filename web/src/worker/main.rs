//! The worker: keeps the model's files, holds the engine, serves the page's questions one after the other.
//!
//! Stop and Pause are heard at once: they set flags that running work checks whenever it reports progress.

#[cfg(target_arch = "wasm32")]
mod bytes;
#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod failure;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod folder;
#[cfg(target_arch = "wasm32")]
mod kept_text;
#[cfg(target_arch = "wasm32")]
mod line;
#[cfg(target_arch = "wasm32")]
mod measure;
#[cfg(target_arch = "wasm32")]
mod meter;
#[cfg(target_arch = "wasm32")]
mod open;
#[cfg(target_arch = "wasm32")]
mod own;
#[cfg(target_arch = "wasm32")]
mod seat;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod shelf;
#[cfg(target_arch = "wasm32")]
mod source;

#[cfg(target_arch = "wasm32")]
fn main() {
    session::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-worker runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
