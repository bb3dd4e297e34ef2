//! The command as it is used: arguments in, text and exit code out.

mod bad_input;
mod compare;
mod datasets;
mod evaluation;
mod export;
mod extraction;
mod hub;
mod messages;
mod run;
mod training;
