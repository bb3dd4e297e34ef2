//! Kernels against their twins, on whatever GPU there is, natively and in the browser.

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

mod harness;
mod kernels;
mod packing;
#[cfg(not(target_arch = "wasm32"))]
mod shaders;
