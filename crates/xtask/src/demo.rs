//! `cargo xtask demo`: from a fresh clone to the page in a browser.

use std::path::PathBuf;

use anyhow::Result;
use xtask::serve::Server;

use crate::steps::Steps;
use crate::tools::{TRUNK, Tool, WASM, WASM_BINDGEN, ensure_wasm_target};
use crate::{page, weights};

/// Gets what is missing, builds the page, and serves it unless told not to.
pub fn demo(port: u16, serve: bool) -> Result<()> {
    prepare()?;
    if !serve {
        return Ok(());
    }
    let server = Server::start(&page::dist(), port)?;
    println!("\nHangtag is at {}   (Ctrl+C ends it)", server.url());
    server.wait();
    Ok(())
}

/// Gets what is missing, builds the page and puts the model beside it; the model's folder in the cache.
pub fn prepare() -> Result<PathBuf> {
    let mut steps = Steps::new(7);
    build_page(&mut steps)?;
    let model = steps.run("Model", weights::ensure_model)?;
    steps.run("Model package", || Ok(((), weights::package(&model, &page::dist())?)))?;
    Ok(model)
}

/// Gets what the page needs, without a model, and builds it.
pub fn build() -> Result<()> {
    build_page(&mut Steps::new(5))
}

fn build_page(steps: &mut Steps) -> Result<()> {
    steps.run(&format!("Rust for {WASM}"), || Ok(((), ensure_wasm_target()?)))?;
    for tool in [TRUNK, WASM_BINDGEN] {
        steps.run(&tool.title(), || tool_note(&tool))?;
    }
    steps.run("Crates", || Ok(((), page::ensure_crates()?)))?;
    steps.run("Page", || Ok(((), page::build()?)))
}

fn tool_note(tool: &Tool) -> Result<((), String)> {
    let (_, note) = tool.ensure()?;
    Ok(((), note))
}
