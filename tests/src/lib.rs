//! What the cross-checks and the end-to-end tests share. The tests themselves are in `tests/`.

pub mod browser;
pub mod compare;
pub mod engines;
pub mod exports;
pub mod full_size;
pub mod goldens;
pub mod jobs;
pub mod recorder;
pub mod reference;
pub mod require;
pub mod site;
pub mod variants;
