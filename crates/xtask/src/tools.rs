//! The programs that build the page and drive it in tests, in exactly the versions that the project is tested with.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use xtask::axe;
use xtask::programs::{GECKODRIVER_VERSION, find_on_path, tool_folder};

use crate::command::{cargo, output, program, run};

/// The compilation target of everything that runs in the browser.
pub const WASM: &str = "wasm32-unknown-unknown";

/// A program that cargo can install.
pub struct Tool {
    /// Name of the program.
    program: &'static str,
    /// Package that it is in.
    package: &'static str,
    /// The version wanted, and no other.
    version: &'static str,
    /// What else to tell `cargo install`.
    install: &'static [&'static str],
    /// How far to optimise it: less builds sooner, and it runs for seconds.
    opt_level: &'static str,
}

/// Builds the page from index.html.
pub const TRUNK: Tool = Tool {
    program: "trunk",
    package: "trunk",
    version: "0.21.14",
    // Without its default features trunk links no OpenSSL and never looks for updates.
    install: &["--locked", "--no-default-features", "--features", "rustls"],
    opt_level: "0",
};

/// Makes the JavaScript side of the wasm; the version must be that of the crate in Cargo.lock.
pub const WASM_BINDGEN: Tool = Tool {
    program: "wasm-bindgen",
    package: "wasm-bindgen-cli",
    version: "0.2.130",
    // Its package's lock file holds older crates than it is released with.
    install: &[],
    // It rewrites megabytes, several times in a run of the tests.
    opt_level: "1",
};

/// Drives Firefox for the end-to-end tests.
pub const GECKODRIVER: Tool = Tool {
    program: "geckodriver",
    package: "geckodriver",
    version: GECKODRIVER_VERSION,
    install: &["--locked"],
    opt_level: "0",
};

impl Tool {
    /// "trunk 0.21.14"
    pub fn title(&self) -> String {
        format!("{} {}", self.program, self.version)
    }

    /// The folder that the program lies in, if it is there in the right version: Hangtag's cache first, then `PATH`.
    pub fn find(&self) -> Result<Option<PathBuf>> {
        let in_cache =
            self.folder()?.join("bin").join(format!("{}{}", self.program, env::consts::EXE_SUFFIX));
        let candidates = [Some(in_cache), find_on_path(self.program)];
        let found = candidates.into_iter().flatten().find(|path| self.is_right(path));
        Ok(found.and_then(|path| path.parent().map(Path::to_path_buf)))
    }

    /// As [`Tool::find`], for a step that cannot go on without it.
    pub fn require(&self) -> Result<PathBuf> {
        self.find()?.with_context(|| {
            format!("{} is missing: run `cargo xtask demo --no-serve`", self.title())
        })
    }

    /// Finds the program, or has cargo build it into Hangtag's cache. Returns its folder and how it came there.
    pub fn ensure(&self) -> Result<(PathBuf, String)> {
        if let Some(folder) = self.find()? {
            let note = format!("found in {}", folder.display());
            return Ok((folder, note));
        }
        self.install()?;
        let folder = self.find()?;
        let folder =
            folder.with_context(|| format!("cargo built {}, but it does not run", self.title()))?;
        let note = format!("installed in {}", folder.display());
        Ok((folder, note))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(tool_folder(self.program, self.version)?)
    }

    fn is_right(&self, path: &Path) -> bool {
        path.is_file()
            && output(program(path).arg("--version"))
                .is_ok_and(|printed| is_version(&printed, self.version))
    }

    fn install(&self) -> Result<()> {
        let folder = self.folder()?;
        // Kept until the installation is done, so that one that was interrupted goes on where it was.
        let work = folder.with_extension("build");
        println!("      not found: cargo builds it, which takes a few minutes, once");
        let mut command = cargo();
        command.args(["install", self.package, "--version"]).arg(format!("={}", self.version));
        command.args(self.install).arg("--root").arg(&folder).arg("--target-dir").arg(&work);
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.opt_level);
        command.env("CARGO_PROFILE_RELEASE_LTO", "off");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        run(&mut command).with_context(|| {
            format!(
                "{} could not be installed. It is built from cargo's registry: check that cargo reaches it and that a C \
                 compiler is there (Debian: `apt install build-essential`), or put {} on PATH yourself",
                self.title(),
                self.title()
            )
        })?;
        // Only tidying.
        let _ = fs::remove_dir_all(&work);
        Ok(())
    }
}

/// Sees that axe-core is in Hangtag's cache: npm brings it, without running any code of it. Returns how it came there.
pub fn ensure_axe() -> Result<String> {
    if axe::code().is_some() {
        return Ok("found in the cache".to_owned());
    }
    let (folder, package) = (axe::folder()?, format!("{}@{}", axe::PACKAGE, axe::VERSION));
    let npm = find_on_path("npm").context("npm is missing: it comes with Node.js, or as npm")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut install = program(npm);
    install.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
    ]);
    run(install.arg(&folder).arg(&package)).context("check that npm reaches its registry")?;
    match axe::code() {
        Some(_) => Ok("installed by npm".to_owned()),
        None => bail!("npm installed another {package} than the project was tested with"),
    }
}

/// Whether `printed`, as "trunk 0.21.14" or "wasm-bindgen 0.2.130 (abc)", names this version.
fn is_version(printed: &str, version: &str) -> bool {
    printed.split_whitespace().nth(1).is_some_and(|word| word == version)
}

/// Sees that rustc can compile for the browser; rustup adds what is missing.
pub fn ensure_wasm_target() -> Result<String> {
    if has_wasm_target()? {
        return Ok("installed".to_owned());
    }
    let Some(rustup) = find_on_path("rustup") else {
        bail!(
            "this Rust has no standard library for {WASM}, and there is no rustup to add it. Install Rust through \
             https://rustup.rs, or your system's package (Debian: libstd-rust-dev-wasm32)"
        );
    };
    run(program(rustup).args(["target", "add", WASM])).with_context(|| {
        format!("rustup could not add {WASM}: check that it reaches static.rust-lang.org")
    })?;
    match has_wasm_target()? {
        true => Ok("added by rustup".to_owned()),
        false => bail!(
            "rustup added {WASM} to another toolchain than the one in use: `rustup show` lists them"
        ),
    }
}

fn has_wasm_target() -> Result<bool> {
    let folder = output(rustc().args(["--print", "target-libdir", "--target", WASM]))?;
    // The folder is named even when it is not there.
    Ok(Path::new(folder.trim()).is_dir())
}

/// The triple of this machine, as "x86_64-unknown-linux-gnu".
pub fn host() -> Result<String> {
    let text = output(rustc().arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

fn rustc() -> std::process::Command {
    program(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_whole() {
        assert!(is_version("trunk 0.21.14\n", "0.21.14"));
        assert!(is_version("wasm-bindgen 0.2.130 (0123abc)", "0.2.130"));
        assert!(!is_version("trunk 0.21.1", "0.21.14"));
        assert!(!is_version("trunk 0.21.140", "0.21.14"));
        assert!(!is_version("", "0.21.14"));
    }

    #[test]
    fn wasm_bindgen_is_the_one_that_the_page_is_built_against() {
        let root = crate::command::root();
        let crates = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let trunk = fs::read_to_string(root.join("Trunk.toml")).unwrap();
        assert!(crates.contains(&format!("wasm-bindgen = \"={}\"", WASM_BINDGEN.version)));
        assert!(trunk.contains(&format!("wasm_bindgen = \"{}\"", WASM_BINDGEN.version)));
    }
}
