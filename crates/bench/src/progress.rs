//! How far a measurement is, and whether it is to go on.

use std::ops::ControlFlow;

use crate::BenchError;

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is measured now, in a few English words.
    pub what: &'a str,
    /// Steps done.
    pub done: usize,
    /// Steps in all, as far as is known.
    pub total: usize,
}

/// Tells the observer how far it is, and hears whether to go on.
pub struct Watch<'a> {
    observe: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    what: String,
    done: usize,
    total: usize,
}

impl<'a> Watch<'a> {
    pub fn new(observe: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>) -> Self {
        Self { observe, what: String::new(), done: 0, total: 0 }
    }

    /// More steps are to come.
    pub fn expect(&mut self, steps: usize) {
        self.total += steps;
    }

    /// A step begins.
    pub fn begin(&mut self, what: &str) -> Result<(), BenchError> {
        what.clone_into(&mut self.what);
        self.listen()
    }

    /// The step is done.
    pub fn end(&mut self) -> Result<(), BenchError> {
        self.done += 1;
        self.listen()
    }

    /// Something has happened inside a step.
    pub fn ask(&mut self) -> ControlFlow<()> {
        let Self { observe, what, done, total } = self;
        observe(Progress { what, done: *done, total: *total })
    }

    fn listen(&mut self) -> Result<(), BenchError> {
        match self.ask() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(BenchError::Stopped),
        }
    }
}
