//! A model of Phi-2's true size on the page, with the limits that every WebGPU device has. The numbers are random: what is shown is that it
//! comes in shards, little memory is taken on the way, and it answers.
//!
//! Not among the other tests: it takes gigabytes, and a quarter of an hour on two cores. CONTRIBUTING.md has the command.

use anyhow::{Context, Result};
use hangtag_tests::browser::{BrowserOptions, Memory};
use hangtag_tests::full_size;
use hangtag_weights::Manifest;
use hangtag_weights::manifest::MANIFEST_FILE;
use std::fs;
use std::time::{Duration, Instant};

use crate::stage::{Stage, stage};

const PACKAGE: &str = "phi-2";
const TEXT: &str = "Red lamp";
const FEATURES: &str = "Color";
const PATIENCE: Duration = Duration::from_secs(3600);
/// What loading may take of the memory of the page and its worker, in bytes: JavaScript, wasm and all else of their process.
const MOST_GROWTH: u64 = 200_000_000;
/// Megabytes of GPU memory, too few for the model.
const SHORT_MEMORY: u32 = 1500;
/// What a refusal may fetch: the headers of 27 shards.
const MOST_HEADER_BYTES: u64 = 1_000_000;

/// Gives the engine the smallest limits that a WebGPU device may have, and holds the device to them.
const SMALLEST_LIMITS: &str = r"
    const smallest = { maxStorageBufferBindingSize: 128 << 20, maxBufferSize: 256 << 20 };
    const limits = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'limits').get;
    Object.defineProperty(GPUAdapter.prototype, 'limits', {
        get() {
            return new Proxy(limits.call(this), { get: (all, name) => smallest[name] ?? all[name] });
        },
    });
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...wishes) {
        const device = await request.apply(this, wishes);
        for (const [name, most] of Object.entries(smallest)) {
            if (device.limits[name] !== most) throw new Error(`${name} is ${device.limits[name]}`);
        }
        return device;
    };
";

#[tokio::test]
#[ignore = "takes gigabytes and a quarter of an hour; CONTRIBUTING.md has the command"]
async fn a_model_of_full_size_is_streamed_in_little_memory_and_answers() -> Result<()> {
    let package = full_size::phi_2()?;
    let manifest = Manifest::from_json(&fs::read_to_string(package.join(MANIFEST_FILE))?)?;
    println!("{} files, {} MB", manifest.files.len(), megabytes(manifest.total_size()));
    assert!(manifest.files.len() > 20, "{} shards", manifest.files.len());
    let options = BrowserOptions { patience: Some(PATIENCE), ..BrowserOptions::default() };
    let Some(stage) = stage("a model of full size", options).await? else { return Ok(()) };
    stage.site.add_package_folder(PACKAGE, &package)?;
    stage.before_workers(SMALLEST_LIMITS)?;
    what_cannot_fit_is_not_downloaded(&stage).await?;
    loading_takes_little_memory(&stage, manifest.total_size()).await?;
    a_question_is_answered(&stage).await?;
    the_next_visit_downloads_nothing(&stage).await
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

impl Stage {
    /// Bytes of JavaScript's heaps in page and worker, garbage left out. The memory of wasm is not among them.
    async fn script_bytes(&self) -> Result<u64> {
        let body = "const done = arguments[0];
            performance.measureUserAgentSpecificMemory().then(memory => done(memory.bytes), error => done(`${error}`))";
        let bytes = self.browser.driver().execute_async(body, vec![]).await?.json().clone();
        bytes.as_u64().with_context(|| bytes.to_string())
    }
}

async fn what_cannot_fit_is_not_downloaded(stage: &Stage) -> Result<()> {
    let url = format!("{}&memory={SHORT_MEMORY}", stage.site.url(PACKAGE));
    stage.browser.driver().goto(url).await?;
    stage.model_becomes("absent").await?;
    stage.browser.click("model-load").await?;
    stage.model_becomes("failed").await?;
    let words = stage.browser.element("model-error").await?.text().await?;
    println!("with {SHORT_MEMORY} MB: {words}");
    assert!(words.contains("does not fit"), "{words}");
    let bytes = stage.site.weight_bytes();
    println!(
        "fetched before the refusal: {bytes} bytes in {} requests",
        stage.site.weight_requests()
    );
    assert!(bytes < MOST_HEADER_BYTES, "{bytes} bytes were fetched of what cannot fit");
    Ok(())
}

async fn loading_takes_little_memory(stage: &Stage, size: u64) -> Result<()> {
    stage.open(PACKAGE).await?;
    stage.model_becomes("absent").await?;
    let (scripts, before) = (stage.script_bytes().await?, stage.browser.memory()?);
    let (fetched, start) = (stage.site.weight_bytes(), Instant::now());
    let (mut peak, mut downloaded) = (before, None);
    stage.browser.click("model-load").await?;
    stage
        .browser
        .until("the model is not loaded", async || {
            peak = peak.max(stage.browser.memory()?);
            if stage.site.weight_bytes() - fetched >= size {
                downloaded.get_or_insert_with(|| start.elapsed());
            }
            let state = stage.browser.attribute("model-card", "data-state").await?;
            Ok(state.filter(|state| state == "ready" || state == "failed"))
        })
        .await?;
    stage.model_becomes("ready").await?;
    let seconds = |time: Duration| time.as_secs();
    println!(
        "downloaded after {:?} s, loaded after {} s",
        downloaded.map(seconds),
        start.elapsed().as_secs()
    );
    let Memory { pages, gpu } = peak;
    let (pages, scripts) =
        (pages - before.pages, stage.script_bytes().await?.saturating_sub(scripts));
    println!(
        "page and worker grew by {} MB at most, their scripts' heaps by {} MB in the end",
        megabytes(pages),
        megabytes(scripts)
    );
    println!("the process that drives the GPU had {} MB at most", megabytes(gpu));
    println!("the page says: {:?}", stage.browser.text("model-memory").await?);
    assert!(pages < MOST_GROWTH && scripts < MOST_GROWTH, "{pages} and {scripts} bytes");
    Ok(())
}

async fn a_question_is_answered(stage: &Stage) -> Result<()> {
    let start = Instant::now();
    let rows = stage.extract(TEXT, FEATURES).await?;
    println!(
        "answered after {} s: {rows:?}; {:?}",
        start.elapsed().as_secs(),
        stage.browser.text("stats").await?
    );
    let [row] = rows.as_slice() else { anyhow::bail!("{rows:?}") };
    assert!(["value", "none"].contains(&row.state.as_str()) && row.confidence.is_some(), "{row:?}");
    Ok(())
}

async fn the_next_visit_downloads_nothing(stage: &Stage) -> Result<()> {
    let (requests, start) = (stage.site.weight_requests(), Instant::now());
    stage.open(PACKAGE).await?;
    stage.model_becomes("ready").await?;
    println!("loaded again after {} s", start.elapsed().as_secs());
    assert_eq!(stage.site.weight_requests(), requests, "it was downloaded again");
    Ok(())
}
