//! The page on a site of its own, in a browser of its own, and the tiny model on it.

use anyhow::{Context, Result};
use hangtag_tests::browser::{Browser, BrowserOptions, Kind};
use hangtag_tests::goldens;
use hangtag_tests::require::require;
use hangtag_tests::site::{Site, dist};
use hangtag_tests::variants::Variant;
use hangtag_weights::DType;
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use xtask::programs;

/// The page on a site of its own, in a browser of its own.
pub struct Stage {
    pub site: Site,
    pub browser: Browser,
}

/// `None` after saying loudly what is missing. The package `models/tiny` is there.
pub async fn stage(what: &str, options: BrowserOptions) -> Result<Option<Stage>> {
    let what = format!("page: {what}, {:?}", options.kind);
    let Some(dist) = require(&what, dist()) else { return Ok(None) };
    let found =
        |program: Option<PathBuf>, name: &str| program.ok_or(format!("{name} is not installed"));
    let (program, driver) = match options.kind {
        Kind::Chromium => {
            (found(programs::chrome(), "Chromium"), found(programs::chromedriver(), "chromedriver"))
        }
        Kind::Firefox => {
            (found(programs::firefox(), "Firefox"), found(programs::geckodriver(), "geckodriver"))
        }
    };
    let Some(program) = require(&what, program) else { return Ok(None) };
    let Some(driver) = require(&what, driver) else { return Ok(None) };
    let site = Site::of(&dist)?;
    site.add_package("tiny", &tiny()?)?;
    let browser = Browser::start(&driver, &program, options).await?;
    Ok(Some(Stage { site, browser }))
}

/// The golden llama with 4-bit weights. The newline's row of the output matrix is made larger, so that most answers are
/// short: "none", or a few letters that are likely to be in the text.
pub fn tiny() -> Result<Vec<u8>> {
    let mut variant = Variant::read(&goldens::open("llama")?)?;
    let tokens = variant.metadata.get_str_array("tokenizer.ggml.tokens")?;
    let newline = tokens.iter().position(|token| token == "Ċ").context("no newline token")?;
    let output = variant.tensor_mut("output.weight");
    let hidden_size = output.len() / 320;
    output[newline * hidden_size..][..hidden_size].iter_mut().for_each(|weight| *weight *= 3.0);
    variant.to_bytes(DType::Q4_0, DType::Q8_0)
}

/// [`tiny`] as a file in `folder`.
pub fn write_tiny(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("tiny.gguf");
    std::fs::write(&path, tiny()?)?;
    Ok(path)
}

/// A row of the page's table.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    pub name: String,
    pub state: String,
    pub value: Option<String>,
    pub span: Option<(usize, usize)>,
    pub confidence: Option<f32>,
}

/// The same answer. The engine tries drafted tokens as far as that saves time, so a question that is asked again may go in
/// other steps, and the last digits of its confidence be others.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        let [own, its] = [self, other].map(|row| row.confidence.unwrap_or(f32::NAN));
        let is_as_sure = self.confidence == other.confidence || (own - its).abs() < 1e-4;
        let [own, its] = [self, other].map(|row| (&row.name, &row.state, &row.value, row.span));
        own == its && is_as_sure
    }
}

impl Stage {
    pub async fn open(&self, package: &str) -> Result<()> {
        self.browser.driver().goto(self.site.url(package)).await?;
        self.browser.element("features").await.map(|_| ())
    }

    /// The page with no package named in its address.
    pub async fn open_default(&self) -> Result<()> {
        self.browser.driver().goto(self.site.origin()).await?;
        self.browser.element("features").await.map(|_| ())
    }

    /// Runs these lines of JavaScript before the scripts of every page that is opened from now on.
    pub fn before_page(&self, lines: &str) -> Result<()> {
        let script = json!({"source": format!("{{ {lines} }}")});
        self.browser.devtools("Page.addScriptToEvaluateOnNewDocument", &script)
    }

    /// Runs these lines of JavaScript before the script of every worker of the pages that are opened from now on.
    pub fn before_workers(&self, lines: &str) -> Result<()> {
        let lines = serde_json::to_string(lines)?;
        self.before_page(&format!(
            "const make = URL.createObjectURL;
            URL.createObjectURL = blob => make.call(
                URL,
                blob.type === 'text/javascript' ? new Blob([{lines}, blob], {{ type: blob.type }}) : blob,
            );"
        ))
    }

    /// Has page and engine try to reach another site, which the browser must refuse.
    pub async fn is_isolated(&self) -> Result<()> {
        self.browser.click("isolation-check").await?;
        let ends = ["blocked", "open"];
        let verdict =
            self.browser.attribute_becomes("isolation-result", "data-result", &ends).await?;
        assert_eq!(verdict, "blocked");
        Ok(())
    }

    /// Fills in both fields, presses Extract and waits for the end, which must be a good one.
    pub async fn extract(&self, text: &str, features: &str) -> Result<Vec<Row>> {
        self.start(text, features).await?;
        let phase = self
            .browser
            .attribute_becomes("results", "data-phase", &["finished", "failed", "stopped"])
            .await?;
        let error = self.browser.text("run-error").await?;
        assert_eq!(phase, "finished", "{error:?}");
        self.rows().await
    }

    pub async fn start(&self, text: &str, features: &str) -> Result<()> {
        self.browser.fill("text", text).await?;
        self.browser.fill("features", features).await?;
        self.browser.click("extract").await
    }

    pub async fn rows(&self) -> Result<Vec<Row>> {
        let body = "
            const number = text => text === undefined ? null : Number(text);
            return [...document.querySelectorAll('[data-testid=row]')].map(row => {
                const cell = name => row.querySelector(`[data-testid=${name}]`);
                const { start, end } = cell('value').dataset;
                const state = row.dataset.state;
                return {
                    name: cell('feature-name').textContent,
                    state,
                    value: state === 'value' ? cell('value').querySelector('.found').textContent : null,
                    span: start === undefined ? null : [number(start), number(end)],
                    confidence: number(cell('confidence')?.dataset.confidence),
                };
            })";
        self.browser.script(body, vec![]).await
    }

    /// Waits until the model's card says so.
    pub async fn model_becomes(&self, state: &str) -> Result<()> {
        let states = [state, "failed"];
        let is = self.browser.attribute_becomes("model-card", "data-state", &states).await?;
        assert_eq!(is, state, "{:?}", self.browser.text("model-error").await?);
        Ok(())
    }

    /// Number of elements that match a CSS selector.
    pub async fn count(&self, selector: &str) -> Result<usize> {
        self.browser
            .script("return document.querySelectorAll(arguments[0]).length", vec![json!(selector)])
            .await
    }
}
