//! What a test needs of the machine. Under `CI=true` a test without it fails; elsewhere it says loudly that it did not run.

use std::io::Write;

/// The value, or `None` after saying that the test `what` did not run because of `problem`.
///
/// # Panics
/// Under `CI=true`, when there is no value.
#[track_caller]
pub fn require<T, E: std::fmt::Display>(what: &str, found: Result<T, E>) -> Option<T> {
    match found {
        Ok(value) => Some(value),
        Err(problem) => {
            let message = format!(
                "NOT TESTED, {what}: {problem}\n`cargo xtask test` installs what is missing."
            );
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            // Straight to the terminal: the test runner hides what a passing test prints.
            std::io::stderr().write_all(format!("\n{message}\n\n").as_bytes()).ok();
            None
        }
    }
}
