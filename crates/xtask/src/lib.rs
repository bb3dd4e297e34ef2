//! The parts of the project's chores that tests use too: the web server of the built page, the tags of it, and where
//! browsers are.

pub mod html;
pub mod programs;
pub mod serve;
