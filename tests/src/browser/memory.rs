//! What a browser's processes have of the computer's memory, from Linux's /proc.

use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes of memory that are a process's alone: heaps, wasm memories and array buffers, but no program files, and nothing that two
/// processes share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Of the processes that run pages and their workers.
    pub pages: u64,
    /// Of the process that drives the GPU; on a software GPU what lies there is in it.
    pub gpu: u64,
}

impl Memory {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Memory) -> Memory {
        Memory { pages: self.pages.max(other.pages), gpu: self.gpu.max(other.gpu) }
    }
}

/// A process in `/proc/PID/status`.
struct Process {
    parent: u32,
    private_bytes: u64,
}

/// Of Chromium's processes below `root`.
pub fn of_descendants(root: u32) -> Result<Memory> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        // One that ends meanwhile has nothing any more.
        if let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>()
            && let Ok(status) = fs::read_to_string(entry.path().join("status"))
            && let Some(process) = process(&status)
        {
            processes.insert(id, process);
        }
    }
    let mut memory = Memory::default();
    for (id, process) in &processes {
        if is_below(&processes, *id, root) {
            let command = Path::new("/proc").join(id.to_string()).join("cmdline");
            match fs::read_to_string(command).unwrap_or_default() {
                command if command.contains("--type=renderer") => {
                    memory.pages += process.private_bytes;
                }
                command if command.contains("--type=gpu-process") => {
                    memory.gpu += process.private_bytes;
                }
                _ => {}
            }
        }
    }
    match memory.pages {
        0 => bail!("process {root} runs no page"),
        _ => Ok(memory),
    }
}

fn is_below(processes: &BTreeMap<u32, Process>, id: u32, root: u32) -> bool {
    let parent = |id: &u32| processes.get(id).map(|process| process.parent);
    std::iter::successors(Some(id), parent).any(|id| id == root)
}

/// `None` for threads of the system, which have no memory.
fn process(status: &str) -> Option<Process> {
    let number = |key: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(key))?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    let parent = u32::try_from(number("PPid:")?).ok()?;
    Some(Process { parent, private_bytes: 1024 * number("RssAnon:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_below_a_process_are_its_own_and_their_children() {
        let read = |parent| {
            let status =
                format!("Name:\tchromium\nPPid:\t{parent}\nVmRSS:\t 9 kB\nRssAnon:\t      7 kB\n");
            process(&status).unwrap()
        };
        assert_eq!(read(1).private_bytes, 7 * 1024);
        assert!(process("Name:\tkthreadd\nPPid:\t0\n").is_none());
        let processes =
            BTreeMap::from([(1, read(0)), (5, read(1)), (6, read(5)), (7, read(6)), (8, read(1))]);
        let below: Vec<u32> =
            processes.keys().copied().filter(|id| is_below(&processes, *id, 5)).collect();
        assert_eq!(below, [5, 6, 7]);
    }
}
