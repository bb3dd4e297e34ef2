//! Runs the built command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run said, and its exit code.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The command in the folder `at`, with nothing cached and nothing to fetch with.
pub fn command(at: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangtag"));
    command.current_dir(at).env("HANGTAG_CACHE", at.join("cache")).env_remove("CLICOLOR_FORCE");
    // Mesa's device selection complains on standard error where a container does not set it.
    command.env("XDG_RUNTIME_DIR", at);
    command
}

/// Runs it with `args`.
pub fn hangtag(at: &Path, args: &[&str]) -> Said {
    said(command(at).args(args).stdin(Stdio::null()).output())
}

/// Runs it with `args` and `input` on standard input.
pub fn hangtag_with_input(at: &Path, args: &[&str], input: &[u8]) -> Said {
    let mut child = command(at)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A run that fails on its arguments closes the pipe before it reads.
    let _ = child.stdin.take().unwrap().write_all(input);
    said(child.wait_with_output())
}

pub fn said(output: std::io::Result<Output>) -> Said {
    let output = output.unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Asserts that a run failed with `code`, said just `message` and printed nothing else.
#[track_caller]
pub fn assert_fails(said: &Said, code: i32, message: &str) {
    assert_eq!(said.err, message);
    assert_eq!((said.code, said.out.as_str()), (code, ""));
}

/// A file of the goldens: tiny random models with real tokenizers.
pub fn golden(name: &str) -> PathBuf {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    let path = goldens.join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}
