//! What the page and its worker share: the messages between them, and the plain data work of the page.
//!
//! Except for [`isolation`], [`locks`], [`observe`] and [`worker`], nothing here touches the browser, so it compiles and is tested natively.

pub mod ask;
pub mod chosen;
pub mod correction;
pub mod export;
pub mod feature_list;
pub mod guess;
pub mod highlight;
#[cfg(target_arch = "wasm32")]
pub mod isolation;
pub mod list;
#[cfg(target_arch = "wasm32")]
pub mod locks;
pub mod markdown;
pub mod measurement;
#[cfg(target_arch = "wasm32")]
pub mod observe;
pub mod pace;
pub mod protocol;
pub mod recovery;
pub mod rows_in_view;
pub mod share;
pub mod templates;
pub mod traffic;
pub mod units;
pub mod words;
#[cfg(target_arch = "wasm32")]
pub mod worker;
