//! How a run ends that did not work: what was wrong, what to do, and the exit code.

use std::fmt::{self, Display};
use std::io;
use std::process::ExitCode;

/// Something in the input is wrong, and the user can put it right.
const BAD_INPUT: u8 = 2;
/// The input may be right, but the work could not be done.
const FAILED: u8 = 1;

/// An error with a hint and an exit code. Errors of other types end with code 1 and no hint.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

/// What the user gave is wrong: exit code 2.
pub fn bad_input(message: impl Display) -> Failure {
    Failure { message: message.to_string(), hint: None, code: BAD_INPUT }
}

/// The work could not be done: exit code 1.
pub fn failed(message: impl Display) -> Failure {
    Failure { message: message.to_string(), hint: None, code: FAILED }
}

impl Failure {
    /// Says what to do about it.
    pub fn hint(self, hint: impl Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }

    /// Whether the input is to blame.
    pub fn is_bad_input(&self) -> bool {
        self.code == BAD_INPUT
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Writes `error` to standard error and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    // The reader of our output went away (`| head`): nothing is wrong, and nobody to tell.
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let failure = error.downcast_ref::<Failure>();
    eprintln!("error: {error:#}");
    if let Some(hint) = failure.and_then(|failure| failure.hint.as_deref()) {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(failure.map_or(FAILED, |failure| failure.code))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
