//! Kernels against their twins, on whatever GPU there is, natively and in the browser; and what an engine does when the GPU
//! fails.

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

// A browser tells of errors when it likes.
#[cfg(not(target_arch = "wasm32"))]
mod failures;
pub(crate) mod harness;
mod kernels;
mod packing;
#[cfg(not(target_arch = "wasm32"))]
mod shaders;
