//! `cargo xtask test`: everything that has to hold before a change goes in.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::json;
use xtask::axe;
use xtask::programs::{chrome, chromedriver, firefox, geckodriver};

use crate::command::{cargo, root, run};
use crate::steps::Steps;
use crate::tools::{GECKODRIVER, TRUNK, WASM, WASM_BINDGEN, ensure_axe, ensure_wasm_target};
use crate::{bundle, machine, page, weights};

/// One part of the tests, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Driver, browsers, tools, crates and weights: gets what is missing
    Environment,
    /// rustfmt changes nothing
    Format,
    /// clippy warns of nothing, natively
    Lint,
    /// clippy warns of nothing, for the browser
    LintWasm,
    /// Unit and integration tests, shader validation, kernels against their CPU twins, cross-checks
    Native,
    /// The release build of the page, and what it weighs
    Page,
    /// wasm tests in Node.js and headless Chromium
    Wasm,
    /// The page, served and as one file, in headless Chromium; its main ways in Firefox too
    EndToEnd,
}

impl Part {
    fn title(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self) -> Result<String> {
        match self {
            Self::Environment => environment(),
            Self::Format => {
                run(cargo().args(["fmt", "--all", "--check"])).map(|()| "formatted".to_owned())
            }
            Self::Lint => lint(),
            Self::LintWasm => lint_wasm(),
            Self::Native => native(),
            Self::Page => build_page(),
            Self::Wasm => wasm(),
            Self::EndToEnd => end_to_end(),
        }
    }
}

/// Which parts to run: `only` these, or all but `skip`.
pub fn selected(only: &[Part], skip: &[Part]) -> Vec<Part> {
    let wanted = |part: &Part| (only.is_empty() || only.contains(part)) && !skip.contains(part);
    Part::value_variants().iter().copied().filter(wanted).collect()
}

/// Prints the parts and what they are.
pub fn list() {
    for value in Part::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        println!("{:<12} {help}", value.get_name());
    }
}

/// Runs the parts, all of them even if one fails, and fails if one did.
pub fn test(parts: &[Part]) -> Result<()> {
    if parts.is_empty() {
        bail!("nothing is left to test: `cargo xtask test --list` names the parts");
    }
    let mut steps = Steps::new(parts.len());
    for part in parts {
        // The failure is printed, and kept for the summary.
        let _ = steps.run(&part.title(), || Ok(((), part.run()?)));
    }
    println!("\n{}", steps.summary());
    match steps.failed().as_slice() {
        [] => Ok(()),
        failed => bail!("failed: {}", failed.join(", ")),
    }
}

fn environment() -> Result<String> {
    let machine = machine::ensure()?;
    println!("      Rust for {WASM}: {}", ensure_wasm_target()?);
    for tool in [TRUNK, WASM_BINDGEN, GECKODRIVER] {
        println!("      {}: {}", tool.title(), tool.ensure()?.1);
    }
    println!("      {} {}: {}", axe::PACKAGE, axe::VERSION, ensure_axe()?);
    println!("      crates: {}", page::ensure_crates()?);
    println!("      base weights: {}", weights::ensure_base()?.1);
    println!("      model: {}", weights::ensure_model()?.1);
    Ok(machine)
}

fn lint() -> Result<String> {
    let warnings = ["--", "-D", "warnings"];
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets"]).args(warnings))?;
    // `--all-targets` leaves out what `cargo test` does not run by itself.
    run(cargo().args(["clippy", "--locked", "--workspace", "--test", "e2e"]).args(warnings))?;
    Ok("no warnings".to_owned())
}

fn lint_wasm() -> Result<String> {
    let packages = ["task", "weights", "engine", "extract", "bench", "products", "web"];
    let packages =
        packages.iter().flat_map(|name| ["--package".to_owned(), format!("hangtag-{name}")]);
    let targets = ["--lib", "--bins", "--test", "wasm", "--", "-D", "warnings"];
    run(cargo().args(["clippy", "--locked", "--target", WASM]).args(packages).args(targets))?;
    Ok("no warnings".to_owned())
}

fn native() -> Result<String> {
    // `e2e` is not among them: its manifest says `test = false`, because it needs the built page.
    run(strict(&mut cargo()).args(["test", "--locked", "--workspace", "--no-fail-fast"]))?;
    Ok("passed".to_owned())
}

fn build_page() -> Result<String> {
    page::ensure_crates()?;
    let built = page::build()?;
    println!("      {built}");
    page::sizes()
}

/// In the page's profile, and with its package selected, so that the crates compiled for the page serve again.
fn wasm() -> Result<String> {
    // Tokenizers in Node.js.
    wasm_tests(&["hangtag-web", "hangtag-weights"], &["--test", "wasm"])?;
    // Kernels against their twins in headless Chromium, whose WGSL compiler is another than the native one.
    wasm_tests(&["hangtag-web", "hangtag-engine"], &["--lib"])?;
    Ok("passed".to_owned())
}

fn wasm_tests(packages: &[&str], targets: &[&str]) -> Result<()> {
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    let mut tests = cargo();
    tests
        .args(["test", "--locked", "--profile", "page", "--target", WASM])
        .args(packages)
        .args(targets);
    let runner = WASM_BINDGEN
        .require()?
        .join(format!("wasm-bindgen-test-runner{}", env::consts::EXE_SUFFIX));
    tests.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    tests.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", webdriver_configuration()?);
    // Seconds. A GPU played by the processor is slow; the runner's own limit is 20.
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", "900");
    // The runner would take Firefox before Chromium, without what gives it WebGPU.
    run(strict(&mut tests).env_remove("GECKODRIVER"))
}

fn end_to_end() -> Result<String> {
    weights::ensure_model()?;
    ensure_axe()?;
    GECKODRIVER.ensure()?;
    page::ensure_crates()?;
    page::build()?;
    println!("      {}", bundle::write(None)?);
    // The whole workspace is selected, as in the native tests, so that nothing is compiled with other features again.
    let mut tests = cargo();
    tests.args([
        "test",
        "--locked",
        "--workspace",
        "--test",
        "e2e",
        "--",
        "--nocapture",
        // Two wait for each other less than one, and more would wait for the processor.
        "--test-threads=2",
    ]);
    run(strict(&mut tests))?;
    Ok("passed".to_owned())
}

/// Tests that find something missing then fail instead of saying so and passing; browsers and drivers are named to them.
fn strict(command: &mut Command) -> &mut Command {
    let found = [
        ("CHROME", chrome()),
        ("CHROMEDRIVER", chromedriver()),
        ("FIREFOX", firefox()),
        ("GECKODRIVER", geckodriver()),
    ];
    let found = found.into_iter().filter_map(|(name, path)| Some((name, path?)));
    command.envs(found).env("CI", "true").env("RUST_BACKTRACE", "1")
}

/// Writes what wasm-bindgen's test runner tells chromedriver, and returns where.
fn webdriver_configuration() -> Result<PathBuf> {
    let chrome = chrome()
        .context("Chromium is missing: `cargo xtask test --only environment` says what to do")?;
    let folder = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("webdriver.json");
    // Containers, and root, have no sandbox and little shared memory. The pages are our own.
    let arguments =
        ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-webgpu"];
    let options = json!({"goog:chromeOptions": {"binary": chrome, "args": arguments}});
    fs::write(&path, options.to_string())
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_selected_in_their_order() {
        assert_eq!(selected(&[], &[]), Part::value_variants());
        assert_eq!(selected(&[Part::Wasm, Part::Format], &[]), [Part::Format, Part::Wasm]);
        assert!(!selected(&[], &[Part::Native]).contains(&Part::Native));
        assert!(selected(&[Part::Native], &[Part::Native]).is_empty());
    }

    /// Else the native tests would run it before the page is built.
    #[test]
    fn the_end_to_end_test_is_left_to_its_own_part() {
        let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).unwrap();
        let entry =
            manifest.split("[[test]]").skip(1).find(|entry| entry.contains("name = \"e2e\""));
        assert!(entry.is_some_and(|entry| entry.contains("test = false")), "{manifest}");
    }

    #[test]
    fn a_run_of_nothing_is_no_success() {
        assert!(test(&[]).is_err());
    }
}
