//! `cargo xtask bundle`: the page as one HTML file that runs without a server.
//!
//! Every wasm travels gzipped, in base64, behind the JavaScript that starts it. The page's own code is an inline script that the policy
//! allows by its hash; the workers' codes are texts that the page starts from blobs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use xtask::html::{attribute, tags};

use crate::command::root;
use crate::{demo, page};

/// The workers, by the names that the page asks for them.
const WORKERS: [&str; 3] = ["hangtag-worker", "hangtag-processor", "hangtag-sheet"];

/// Unpacks and starts what stands before it; the page and its workers have the same.
const START: &str = "web/assets/bundled.js";

/// Builds the page, getting what is missing, and writes it as one file.
pub fn bundle(out: Option<PathBuf>) -> Result<()> {
    demo::build()?;
    println!("\n{}", write(out)?);
    println!(
        "A double click opens it, without a server; the model is a GGUF file that you drop into it."
    );
    Ok(())
}

/// Writes the built page as one file, `hangtag.html` in the project's folder if no other is named; says where and how large it is.
pub fn write(out: Option<PathBuf>) -> Result<String> {
    let out = out.unwrap_or_else(|| root().join("hangtag.html"));
    let html = of_page(&page::dist(), &text(&root().join(START))?)?;
    fs::write(&out, &html).with_context(|| format!("cannot write {}", out.display()))?;
    Ok(format!("{} ({:.1} MB)", out.display(), html.len() as f64 / 1e6))
}

/// The page built in `dist` as one file; `start` is the script that starts a wasm.
fn of_page(dist: &Path, start: &str) -> Result<String> {
    let index = text(&dist.join("index.html"))?;
    let mut html = String::new();
    let (mut style, mut script, mut policy) = (None, None, None);
    let mut rest = 0;
    for tag in tags(&index) {
        let place = &index[tag.clone()];
        let beside =
            |name| attribute(place, name).map(|path| dist.join(path.trim_start_matches('/')));
        let inlined = match (attribute(place, "rel"), beside("data-app"), beside("data-wasm")) {
            (Some("icon"), ..) => icon(&beside("href").context("the icon has no address")?)?,
            (Some("stylesheet"), ..) => {
                let sheet = text(&beside("href").context("the style has no address")?)?;
                let element = element("style", "", &sheet)?;
                style = Some(sheet);
                element
            }
            (Some("modulepreload" | "preload" | "manifest"), ..) => String::new(),
            (_, Some(app), Some(wasm)) => {
                let code = code(&app, &wasm, start)?;
                let element = element("script", r#" type="module""#, &code)?;
                script = Some(code);
                workers(dist, start)? + &element
            }
            _ if attribute(place, "http-equiv").is_some() => {
                policy = Some(html.len() + tag.start - rest);
                String::new()
            }
            _ => continue,
        };
        html += &index[rest..tag.start];
        html += &inlined;
        rest = tag.end;
    }
    html += &index[rest..];
    let (Some(style), Some(script), Some(policy)) = (style, script, policy) else {
        bail!("{} has no policy, no style or no script", dist.join("index.html").display());
    };
    html.insert_str(policy, &policy_of(&style, &script));
    Ok(html)
}

/// No connection at all, and no script but the one with this hash and what it starts from blobs.
fn policy_of(style: &str, script: &str) -> String {
    let hash = |code: &str| BASE64_STANDARD.encode(Sha256::digest(code));
    format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval'; \
         style-src 'sha256-{}'; img-src data:; connect-src 'none'; worker-src blob:; base-uri 'none'; form-action 'none'\" />",
        hash(script),
        hash(style)
    )
}

/// The workers' codes as texts that the page finds by their names.
fn workers(dist: &Path, start: &str) -> Result<String> {
    let worker = |name: &&str| {
        let [glue, wasm] = [".js", "_bg.wasm"].map(|ending| dist.join(format!("{name}{ending}")));
        let code = classic(&code(&glue, &wasm, start)?)
            .with_context(|| format!("{} is not as wasm-bindgen wrote it", glue.display()))?;
        element("script", &format!(r#" type="text/plain" id="{name}""#), &code)
    };
    WORKERS.iter().map(worker).collect()
}

/// A worker's module as a classic script: a page from a file may start no other kind from a blob.
fn classic(module: &str) -> Result<String> {
    // What it gives to importers, and its own address, which it would fetch the wasm beside.
    let (code, rest) = module.split_once("\nexport {").context("it exports nothing")?;
    let (_, rest) = rest.split_once("};\n").context("its exports do not end")?;
    let code = format!("{code}\n{rest}").replace("import.meta.url", "location.href");
    ensure!(
        !code.contains("import.meta") && !code.contains("\nexport "),
        "it is a module in other ways too"
    );
    Ok(format!("(async () => {{\n\"use strict\";\n{code}\n}})();\n"))
}

/// A module that starts its own wasm.
fn code(glue: &Path, wasm: &Path, start: &str) -> Result<String> {
    let bytes = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&bytes)?;
    let packed = BASE64_STANDARD.encode(packed.finish()?);
    ensure!(start.contains("PACKED"), "{START} has no place for the wasm");
    Ok(format!("{}\n{}", text(glue)?, start.replace("PACKED", &packed)))
}

/// An element that holds `content` as it is.
fn element(name: &str, attributes: &str, content: &str) -> Result<String> {
    let lower = content.to_ascii_lowercase();
    let ending = [format!("</{name}"), "<!--".to_owned()]
        .into_iter()
        .find(|end| lower.contains(end.as_str()));
    if let Some(ending) = ending {
        bail!("a {name} element cannot hold {ending:?}");
    }
    // Browsers read every line end as this one, and the policy's hash is of what they read.
    ensure!(
        !content.contains('\r'),
        "a {name} element with carriage returns would have another hash"
    );
    Ok(format!("<{name}{attributes}>{content}</{name}>"))
}

fn icon(path: &Path) -> Result<String> {
    let picture = BASE64_STANDARD.encode(text(path)?);
    Ok(format!(
        r#"<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,{picture}" />"#
    ))
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "start(\"PACKED\");";

    fn dist() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (
                "index.html",
                r#"<!doctype html><!-- a <link> --><meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; img-src data: >" />
<link rel="icon" href="/icon-1.svg"/><link rel="stylesheet" href="/style-2.css" integrity="sha384-x"/>
<script type="module" src="/start.js" data-app="/app-3.js" data-wasm="/app-3_bg.wasm"></script>
<link rel="manifest" href="app.webmanifest"><link rel="modulepreload" href="/app-3.js"><link rel="preload" href="/app-3_bg.wasm"><p>Hello</p>"#,
            ),
            ("icon-1.svg", "<svg/>"),
            ("style-2.css", "p { color: red }"),
            ("app-3.js", "export { init };"),
            ("app-3_bg.wasm", "app wasm"),
            ("hangtag-worker.js", "at(import.meta.url)\nexport { worker };\n"),
            ("hangtag-worker_bg.wasm", "worker wasm"),
            ("hangtag-processor.js", "\nexport { processor };\n"),
            ("hangtag-processor_bg.wasm", "processor wasm"),
            ("hangtag-sheet.js", "\nexport { sheet };\n"),
            ("hangtag-sheet_bg.wasm", "sheet wasm"),
        ];
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn everything_is_inside_and_nothing_is_asked_for() {
        let folder = dist();
        let html = of_page(folder.path(), START).unwrap();
        for address in
            ["src=", "href=\"/", "preload", "manifest", "default-src 'self'", "integrity"]
        {
            assert!(!html.contains(address), "{address} in {html}");
        }
        for part in [
            "<p>Hello</p>",
            "p { color: red }",
            "at(location.href)\n\nstart(\"H4s",
            "id=\"hangtag-sheet\"",
            "connect-src 'none'",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
        // Before anything that it is to hold for.
        assert!(html.find("Content-Security").unwrap() < html.find("<link rel").unwrap());
    }

    #[test]
    fn the_policy_has_the_hash_of_the_script_that_a_browser_sees() {
        let folder = dist();
        let html = of_page(folder.path(), START).unwrap();
        let script = html.split("<script type=\"module\">").nth(1).unwrap();
        let script = &script[..script.find("</script>").unwrap()];
        let hash = BASE64_STANDARD.encode(Sha256::digest(script));
        assert!(html.contains(&format!("script-src 'sha256-{hash}' 'wasm-unsafe-eval'")));
        assert!(!html.contains("unsafe-inline"));
    }

    #[test]
    fn a_worker_becomes_a_script_that_is_no_module() {
        assert!(!classic("a(import.meta.url)\nexport { a };\nb()").unwrap().contains("export"));
        assert!(classic("export default a;\n").is_err());
        assert!(classic("a(import.meta.env)\nexport { a };\n").is_err());
    }

    #[test]
    fn what_would_end_its_element_is_refused() {
        assert!(element("script", "", "let a = '</SCRIPT>';").is_err());
        assert!(element("style", "", "a { content: '<!--' }").is_err());
        assert!(element("style", "", "a {}\r\n").is_err());
        assert!(element("style", "", "a {}").is_ok());
    }
}
