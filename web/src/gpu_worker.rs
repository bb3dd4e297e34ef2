//! The worker that answers on the GPU.

#[cfg(target_arch = "wasm32")]
fn main() {
    hangtag_web::worker::start_on_gpu();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-worker runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
