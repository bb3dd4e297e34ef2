//! Building the page: release wasm, JavaScript and assets in `dist/`.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use xtask::offline;

use crate::command::{cargo, output, path_with, program, root, run};
use crate::compression;
use crate::tools::{TRUNK, WASM, WASM_BINDGEN, host};

/// What the page is built from, relative to the project's folder.
const SOURCES: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "Trunk.toml",
    "index.html",
    "rust-toolchain.toml",
    "web",
    "crates/bench",
    "crates/extract",
    "crates/engine",
    "crates/processor",
    "crates/products",
    "crates/task",
    "crates/xtask/src/offline.rs",
];

/// More of the same: kept apart from tests' goldens, which change nothing in the page.
const WEIGHTS_SOURCES: [&str; 2] = ["crates/weights/src", "crates/weights/Cargo.toml"];

/// What the page may weigh on the wire, in bytes after brotli.
const AIM_BYTES: u64 = 1_500_000;

/// The folder that the page is built into.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// Sees that cargo has every crate of the project, for this machine and for the browser. Without a network it works if
/// they are there already.
pub fn ensure_crates() -> Result<String> {
    let host = host()?;
    let mut fetch = cargo();
    fetch.args(["fetch", "--locked", "--target", WASM, "--target", &host]);
    if output(cargo().args(["fetch", "--locked", "--offline", "--target", WASM, "--target", &host]))
        .is_ok()
    {
        return Ok("all in cargo's cache".to_owned());
    }
    run(&mut fetch).context(
        "the project's crates could not be fetched: check that cargo reaches its registry",
    )?;
    Ok("fetched".to_owned())
}

/// Builds the page, unless it is built and nothing has changed since.
pub fn build() -> Result<String> {
    let dist = dist();
    let stamp = dist.join(".built");
    let start = SystemTime::now();
    if is_fresh(&stamp)? {
        return Ok(format!("nothing has changed since the last build of {}", dist.display()));
    }
    let tools = [TRUNK.require()?, WASM_BINDGEN.require()?];
    println!("      the first build compiles for several minutes");
    let mut trunk = program(tools[0].join("trunk"));
    trunk.args(["build", "--release", "--skip-version-check"]).env("PATH", path_with(&tools)?);
    // Trunk 0.21 refuses all but "true" and "false" here, against the convention that any value counts.
    let plain = env::var_os("NO_COLOR").is_some() || !io::stdout().is_terminal();
    trunk.env("NO_COLOR", plain.to_string());
    run(&mut trunk)?;
    add_integrity(&dist)?;
    offline::write_service_worker(&dist)?;
    // Dated to the start: what changes during a build is not in it.
    let mark = || File::create(&stamp)?.set_modified(start);
    mark().with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(format!("built in {}", dist.display()))
}

/// Gives the start script, and the JavaScript and wasm that it starts, their hashes in index.html, as Trunk has done for
/// the style sheet.
fn add_integrity(dist: &Path) -> Result<()> {
    let page = dist.join("index.html");
    let mut html = fs::read_to_string(&page)?;
    for (attribute, hash) in
        [("src", "integrity"), ("href", "integrity"), ("data-wasm", "data-integrity")]
    {
        let name = match attribute {
            "src" => "start.js".to_owned(),
            "href" => linked(&html, "data-app")?,
            _ => linked(&html, "data-wasm")?,
        };
        let link = format!("{attribute}=\"./{name}\"");
        ensure!(html.contains(&link), "{} has no {link}", page.display());
        let bytes = fs::read(dist.join(&name)).with_context(|| format!("cannot read {name}"))?;
        let integrity = offline::integrity(&bytes);
        html = html.replace(&link, &format!("{link} {hash}=\"{integrity}\""));
    }
    fs::write(&page, html).with_context(|| format!("cannot write {}", page.display()))
}

/// The name of the file that an attribute of the start script links.
fn linked(html: &str, attribute: &str) -> Result<String> {
    let rest = html.split_once(&format!("{attribute}=\"./")).map(|(_, rest)| rest);
    let name = rest.and_then(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned());
    name.with_context(|| format!("index.html has no {attribute}: see pattern_script in Trunk.toml"))
}

fn is_fresh(stamp: &Path) -> Result<bool> {
    let Ok(built) = fs::metadata(stamp).and_then(|meta| meta.modified()) else {
        return Ok(false);
    };
    let newest = SOURCES.iter().chain(&WEIGHTS_SOURCES).map(|name| newest(&root().join(name)));
    let newest =
        newest.collect::<io::Result<Vec<_>>>().context("cannot read the page's sources")?;
    Ok(newest.into_iter().all(|time| time < built))
}

/// When a file, or anything in a folder, was last changed. Folders count: they change when a file goes.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let meta = fs::metadata(path)?;
    let mut time = meta.modified()?;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            time = time.max(newest(&entry?.path())?);
        }
    }
    Ok(time)
}

/// What the page's wasm and JavaScript weigh, raw and compressed, against the aim.
pub fn sizes() -> Result<String> {
    let files = code_files(&dist())?;
    let sizes = compression::measure(&files)?;
    compression::print_table(&files, &sizes);
    let at_once = files.iter().zip(&sizes).filter(|(file, _)| !is_fetched_on_demand(file));
    let [raw, brotli, gzip] = compression::total(at_once.map(|(_, sizes)| sizes));
    let verdict = if brotli <= AIM_BYTES { "within" } else { "OVER" };
    Ok(format!(
        "{raw} bytes, {brotli} in brotli, {gzip} in gzip without the workers for workbooks and for the processor: {verdict} the aim of {AIM_BYTES} in brotli"
    ))
}

/// The worker for workbooks, which the page fetches when one is dropped, and that for browsers without WebGPU.
fn is_fetched_on_demand(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    ["hangtag-sheet", "hangtag-processor"].iter().any(|start| name.starts_with(start))
}

/// The wasm, JavaScript and style files at the top of `dist`, by name.
fn code_files(dist: &Path) -> Result<Vec<PathBuf>> {
    let folder = fs::read_dir(dist).with_context(|| format!("{} is not built", dist.display()))?;
    let mut files = Vec::new();
    for entry in folder {
        let path = entry?.path();
        if path
            .extension()
            .and_then(OsStr::to_str)
            .is_some_and(|ending| ["wasm", "js", "css"].contains(&ending))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_the_workers_for_workbooks_and_for_the_processor_can_wait() {
        assert!(is_fetched_on_demand(Path::new("dist/hangtag-processor.js")));
        assert!(is_fetched_on_demand(Path::new("dist/hangtag-sheet_bg.wasm")));
        assert!(!is_fetched_on_demand(Path::new("dist/hangtag-worker_bg.wasm")));
    }

    #[test]
    fn what_the_page_starts_is_hashed() {
        let dist = tempfile::tempdir().unwrap();
        let page = dist.path().join("index.html");
        for name in ["start.js", "a.js", "a.wasm"] {
            fs::write(dist.path().join(name), name).unwrap();
        }
        let html = r#"<link href="./a.js"><script src="./start.js" data-app="./a.js" data-wasm="./a.wasm">"#;
        fs::write(&page, html).unwrap();
        add_integrity(dist.path()).unwrap();
        let html = fs::read_to_string(&page).unwrap();
        let hash = |name: &str| offline::integrity(name.as_bytes());
        assert!(html.contains(&format!(r#"src="./start.js" integrity="{}""#, hash("start.js"))));
        assert!(html.contains(&format!(r#"href="./a.js" integrity="{}""#, hash("a.js"))));
        assert!(html.contains(&format!(r#""./a.wasm" data-integrity="{}""#, hash("a.wasm"))));
        fs::write(&page, "<p>").unwrap();
        assert!(add_integrity(dist.path()).is_err());
    }

    #[test]
    fn changes_deep_down_and_removals_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let file = deep.join("c.rs");
        File::create(&file).unwrap();
        let later = SystemTime::now() + Duration::from_secs(100);
        File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_eq!(newest(folder.path()).unwrap(), later);
        fs::remove_file(&file).unwrap();
        assert_eq!(
            newest(folder.path()).unwrap(),
            fs::metadata(&deep).unwrap().modified().unwrap()
        );
    }

    #[test]
    fn the_listed_sources_exist() {
        for name in SOURCES.iter().chain(&WEIGHTS_SOURCES) {
            assert!(root().join(name).exists(), "{name}");
        }
    }
}
