//! The worker that answers on the processor. It is fetched by browsers without WebGPU alone.

#[cfg(target_arch = "wasm32")]
fn main() {
    hangtag_web::worker::start_on_processor();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-processor runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
