//! Running other programs: in the project's folder, without questions, with errors that name the command.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The project's folder.
pub fn root() -> PathBuf {
    // cargo sets the variable when it runs this program; the built-in path serves when the program is started by itself.
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// A program, to be run in the project's folder, that cannot ask questions.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    if !std::io::stdout().is_terminal() && env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "never");
    }
    command
}

/// The cargo that runs this program.
pub fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `PATH` with more folders before it.
pub fn path_with(folders: &[PathBuf]) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned().chain(env::split_paths(&path));
    env::join_paths(folders).context("a folder's name has a character that PATH cannot hold")
}

/// Shows the command, runs it with its output on this terminal, and fails if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    println!("      $ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{line}` failed ({status})"),
    }
}

/// What the command prints, if it succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` printed something that is not text"))
}

/// The command as one would type it: without its folder, and without variables.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_and_a_missing_one_as_well() {
        let failure = output(cargo().args(["no-such-verb", "x"])).unwrap_err().to_string();
        assert!(failure.contains("`cargo no-such-verb x` failed"), "{failure}");
        let missing = output(&mut program("hangtag-no-such-program")).unwrap_err().to_string();
        assert!(missing.contains("cannot start `hangtag-no-such-program`"), "{missing}");
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("Trunk.toml").is_file());
    }
}
