//! `cargo xtask dist`: the folder to put on a web server.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xtask::offline::SERVICE_WORKER;
use xtask::serve::page_headers;

use crate::command::root;
use crate::{compression, demo, page, weights};

/// Kinds of files that compress well; a model's weights do not.
const COMPRESSED: [&str; 6] = ["css", "html", "js", "svg", "wasm", "webmanifest"];

/// Builds everything, puts it into `out` with compressed twins, and prints what each file weighs.
pub fn dist(out: &Path) -> Result<()> {
    let out = root().join(out);
    make_room(&out)?;
    let model = demo::prepare()?;
    copy_page(&page::dist(), &out)?;
    let files = files_to_compress(&out)?;
    let sizes = compression::compress(&files)?;
    println!();
    compression::print_table(&files, &sizes);
    write_headers(&out)?;
    weights::package(&model, &out)?;
    let [raw, brotli, gzip] = compression::total(sizes.iter());
    println!("      {raw:>11} {brotli:>10} {gzip:>10}  the page in all");
    print_model(&out.join("models"))?;
    println!("\nPut {} on a web server: docs/deployment.md says how.", out.display());
    Ok(())
}

/// Empties the folder if an earlier run has filled it, and refuses any other that is not empty.
fn make_room(out: &Path) -> Result<()> {
    let is_empty = fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !out.join(SERVICE_WORKER).is_file() {
        bail!(
            "{} holds other files: choose an empty folder, or a new one, with --out",
            out.display()
        );
    }
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("cannot empty {}", out.display()))?;
    }
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))
}

/// Copies the files at the top of `dist`; hidden ones are the build's own.
fn copy_page(dist: &Path, out: &Path) -> Result<()> {
    for path in files_of(dist)? {
        let name = path.file_name().unwrap_or_default();
        if !name.to_string_lossy().starts_with('.') {
            fs::copy(&path, out.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn files_to_compress(out: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_of(out)?;
    files.retain(|path| {
        path.extension().and_then(OsStr::to_str).is_some_and(|kind| COMPRESSED.contains(&kind))
    });
    Ok(files)
}

/// The files at the top of a folder, by name.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The headers in the form that Cloudflare Pages and Netlify read.
fn write_headers(out: &Path) -> Result<()> {
    let html = fs::read_to_string(out.join("index.html"))?;
    let lines: String = page_headers(&html)
        .into_iter()
        .map(|(name, value)| format!("  {name}: {}\n", value.to_str().unwrap_or_default()))
        .collect();
    let text = format!(
        "# Read by hosts such as Cloudflare Pages and Netlify; docs/deployment.md has the same for others.\n/*\n{lines}"
    );
    fs::write(out.join("_headers"), text).context("cannot write _headers")
}

fn print_model(models: &Path) -> Result<()> {
    for folder in fs::read_dir(models)? {
        for file in files_of(&folder?.path())? {
            let shown = file.strip_prefix(models).unwrap_or(&file).display();
            println!("      {:>11} {:>21}  models/{shown}", fs::metadata(&file)?.len(), "");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask::serve::policy;

    #[test]
    fn only_an_earlier_page_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("site");
        make_room(&out).unwrap();
        fs::write(out.join("thesis.txt"), "years of work").unwrap();
        let refusal = make_room(&out).unwrap_err().to_string();
        assert!(refusal.contains("site") && refusal.contains("--out"), "{refusal}");
        fs::write(out.join(SERVICE_WORKER), "").unwrap();
        make_room(&out).unwrap();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    }

    #[test]
    fn the_page_is_copied_with_its_headers_and_without_marks_of_the_build() {
        let (dist, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let page = r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'">"#;
        fs::write(dist.path().join("index.html"), page).unwrap();
        fs::write(dist.path().join(".built"), "").unwrap();
        fs::create_dir(dist.path().join("models")).unwrap();
        copy_page(dist.path(), out.path()).unwrap();
        assert_eq!(files_of(out.path()).unwrap(), [out.path().join("index.html")]);
        write_headers(out.path()).unwrap();
        let headers = fs::read_to_string(out.path().join("_headers")).unwrap();
        let line = "\n  content-security-policy: default-src 'none'; frame-ancestors 'none'\n";
        assert!(headers.contains(line), "{headers}");
        assert!(headers.contains("\n  x-content-type-options: nosniff\n"), "{headers}");
    }

    /// The document spells the policy out for people who set up a server.
    #[test]
    fn the_document_has_the_pages_own_policy() {
        let page = fs::read_to_string(root().join("index.html")).unwrap();
        let document = fs::read_to_string(root().join("docs/deployment.md")).unwrap();
        let policy = policy::header(&page);
        let count = document.matches(policy.to_str().unwrap()).count();
        assert!(count >= 2, "docs/deployment.md has the policy {count} times: {policy:?}");
    }
}
