//! What the tests need of the machine besides Rust: a GPU driver, a browser with its driver, Node.js.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use xtask::programs::{chrome, chromedriver, find_on_path, firefox};

use crate::command::{output, program, run};

/// Where the Vulkan loader looks for drivers on Linux.
const DRIVER_FOLDERS: [&str; 3] =
    ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Something that the tests need.
struct Need {
    what: &'static str,
    /// Where it was found.
    found: Option<String>,
    /// Debian's packages of it.
    packages: &'static [&'static str],
    /// What to do elsewhere.
    elsewhere: &'static str,
}

fn needs() -> Vec<Need> {
    let path = |path: PathBuf| path.display().to_string();
    let mut needs = vec![
        Need {
            what: "Chromium",
            found: chrome().map(path),
            packages: &["chromium"],
            elsewhere: "install Chromium or Chrome, or set CHROME to its program",
        },
        Need {
            what: "chromedriver",
            found: chromedriver().map(path),
            packages: &["chromium-driver"],
            elsewhere: "install the chromedriver of the browser's version on PATH, or set CHROMEDRIVER to it",
        },
        Need {
            what: "Firefox",
            found: firefox().map(path),
            packages: &["firefox-esr"],
            elsewhere: "install Firefox 141 or later, or set FIREFOX to its program",
        },
        Need {
            what: "Node.js",
            found: find_on_path("node").map(path),
            packages: &["nodejs"],
            elsewhere: "install Node.js 18 or later on PATH",
        },
        Need {
            what: "npm",
            found: find_on_path("npm").map(path),
            packages: &["npm"],
            elsewhere: "install npm on PATH; it comes with Node.js",
        },
    ];
    // Metal and Direct3D come with the other systems.
    if cfg!(target_os = "linux") {
        needs.push(Need {
            what: "a Vulkan driver",
            found: vulkan_driver().map(path),
            packages: &["mesa-vulkan-drivers"],
            elsewhere: "install your GPU's Vulkan driver, or Mesa's lavapipe, which needs no GPU (mesa-vulkan-drivers)",
        });
        needs.push(Need {
            what: "the Vulkan loader",
            found: vulkan_loader(),
            packages: &["libvulkan1"],
            elsewhere: "install libvulkan.so.1 (libvulkan1, vulkan-loader, vulkan-icd-loader)",
        });
    }
    needs
}

/// Sees that all is there. On Debian, as root or with sudo that asks for no password, installs what is missing;
/// elsewhere says what to install.
pub fn ensure() -> Result<String> {
    let packages: Vec<&str> = missing().iter().flat_map(|need| need.packages).copied().collect();
    if !packages.is_empty()
        && let Some(apt_get) = apt_get()
    {
        let apt = |arguments: &[&str]| {
            let mut command = program(apt_get[0]);
            command.args(&apt_get[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
            run(&mut command)
        };
        apt(&["update"])?;
        apt(&[&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat())
            .with_context(|| format!("install by hand: {}", packages.join(" ")))?;
    }
    let missing = missing();
    if !missing.is_empty() {
        let lines = missing
            .iter()
            .map(|need| format!("\n        {} is missing: {}", need.what, need.elsewhere));
        bail!("the tests need more of this machine{}", lines.collect::<String>());
    }
    for Need { what, found, .. } in needs() {
        println!("      {what}: {}", found.unwrap_or_default());
    }
    Ok(if packages.is_empty() {
        "all there".to_owned()
    } else {
        format!("installed {}", packages.join(" "))
    })
}

fn missing() -> Vec<Need> {
    needs().into_iter().filter(|need| need.found.is_none()).collect()
}

/// The words to start apt-get with, where it may be used without asking. Ubuntu is left out: its chromium is a snap.
fn apt_get() -> Option<&'static [&'static str]> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&system) || find_on_path("apt-get").is_none() {
        return None;
    }
    if output(program("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        return Some(&["apt-get"]);
    }
    output(program("sudo").args(["--non-interactive", "true"])).is_ok().then_some(&[
        "sudo",
        "--non-interactive",
        "apt-get",
    ])
}

fn is_debian(os_release: &str) -> bool {
    os_release.lines().any(|line| line.trim() == "ID=debian")
}

/// The description of an installed driver: named by the loader's own variables, or in its folders.
fn vulkan_driver() -> Option<PathBuf> {
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        if let Some(paths) = env::var_os(variable) {
            return env::split_paths(&paths).find(|path| path.is_file());
        }
    }
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local/share/vulkan/icd.d"));
    let folders = DRIVER_FOLDERS.iter().map(PathBuf::from).chain(home);
    folders.filter_map(|folder| first_json(&folder)).next()
}

fn first_json(folder: &Path) -> Option<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    // lavapipe runs on every machine, so it is the one to name where several are installed.
    let is_json = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "json");
    let lavapipe = paths.iter().filter(is_json).find(|path| path.to_string_lossy().contains("lvp"));
    lavapipe.or_else(|| paths.iter().find(is_json)).cloned()
}

fn vulkan_loader() -> Option<String> {
    // Not on the PATH of all users.
    let ldconfig = find_on_path("ldconfig").unwrap_or_else(|| "/sbin/ldconfig".into());
    let libraries = output(program(ldconfig).arg("-p")).ok()?;
    let line = libraries.lines().find(|line| line.trim_start().starts_with("libvulkan.so.1"))?;
    Some(line.rsplit(' ').next().unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_told_from_its_children() {
        assert!(is_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
    }

    #[test]
    fn a_folder_without_drivers_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(first_json(folder.path()), None);
        for name in ["README", "intel_icd.json", "lvp_icd.json"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(first_json(folder.path()), Some(folder.path().join("lvp_icd.json")));
    }
}
