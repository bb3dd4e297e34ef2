//! The parts of the project's chores that tests use too: the web server of the built page, and where browsers are.

pub mod programs;
pub mod serve;
