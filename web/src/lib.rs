//! What the page and its worker share: the messages between them, and the plain data work of the page.
//!
//! Except for [`isolation`], nothing here touches the browser, so it compiles and is tested natively.

pub mod ask;
pub mod export;
pub mod highlight;
#[cfg(target_arch = "wasm32")]
pub mod isolation;
pub mod markdown;
pub mod protocol;
pub mod units;
