//! Help, version, completions, and output that nobody reads.

use std::process::Stdio;

use tempfile::tempdir;

use crate::run::{command, hangtag};

#[test]
fn help_shows_every_verb_and_examples() {
    let folder = tempdir().unwrap();
    let said = hangtag(folder.path(), &["--help"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    for verb in
        ["extract", "fetch", "train", "export", "bench", "dataset", "evaluate", "completions"]
    {
        assert!(said.out.contains(&format!("\n  {verb} ")), "{verb}");
        let help = hangtag(folder.path(), &[verb, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Example"), "{verb}");
    }
}

#[test]
fn no_arguments_shows_the_help_as_an_error() {
    let said = hangtag(tempdir().unwrap().path(), &[]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("Usage: hangtag <COMMAND>"));
}

#[test]
fn the_version_is_the_packages() {
    let said = hangtag(tempdir().unwrap().path(), &["--version"]);
    let expected = format!("hangtag {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((said.code, said.out), (0, expected));
}

#[test]
fn completions_for_every_shell() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = hangtag(folder.path(), &["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
        assert!(said.out.contains("one-by-one"), "{shell}");
    }
    assert_eq!(hangtag(folder.path(), &["completions", "tcsh"]).code, 2);
}

#[test]
fn json_and_another_format_contradict() {
    let folder = tempdir().unwrap();
    let args = ["extract", "--features", "A", "--json", "--format", "csv", "text"];
    let said = hangtag(folder.path(), &args);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempdir().unwrap();
    let mut child = command(folder.path())
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
