//! The parts of the project's chores that tests use too: the web server of the built page, the tags of it, its service
//! worker, axe-core, and where browsers are.

pub mod axe;
pub mod html;
pub mod offline;
pub mod programs;
pub mod serve;
