//! What the cross-checks and the end-to-end tests share. The tests themselves are in `tests/`.

pub mod compare;
pub mod engines;
pub mod goldens;
pub mod reference;
pub mod require;
pub mod variants;
