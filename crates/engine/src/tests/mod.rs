//! Kernels against their twins, and what an engine does when the GPU fails, on whatever GPU there is, natively and in the
//! browser.

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

mod failures;
pub(crate) mod harness;
mod kernels;
mod packing;
#[cfg(not(target_arch = "wasm32"))]
mod shaders;
