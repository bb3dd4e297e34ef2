//! Browsers without a usable GPU: the processor answers.

use std::io::Cursor;
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use hangtag_extract::{Described, Extractor};
use hangtag_processor::ProcessorDecoder;
use hangtag_task::{FeatureValue, parse_feature_list};
use hangtag_tests::browser::BrowserOptions;
use hangtag_tests::require::require;
use hangtag_weights::registry::DEFAULT_MODEL;
use hangtag_weights::{Gguf, MemorySource, fetch, trained};

use crate::stage::{Stage, stage, tiny};
use crate::{FEATURES, TEXT, assert_same};

/// What the same decoder answers natively, where it has other instructions.
fn native(model: Vec<u8>, text: &str, features: &str) -> Result<Vec<FeatureValue>> {
    let gguf =
        pollster::block_on(Gguf::open(vec![MemorySource::new("model.gguf", model.clone())]))?;
    let described = Described::read(&gguf)?;
    let decoder = ProcessorDecoder::load(&mut Cursor::new(model), &described.config, 2048)?;
    let (mut extractor, features) =
        (Extractor::new(decoder, described), parse_feature_list(features)?);
    let mut observe = |_| ControlFlow::Continue(());
    Ok(pollster::block_on(extractor.extract(text, &features, &mut observe))?.features)
}

async fn without_webgpu(what: &str, options: BrowserOptions) -> Result<Option<Stage>> {
    stage(what, BrowserOptions { without_webgpu: true, ..options }).await
}

#[tokio::test]
async fn without_webgpu_the_processor_answers_and_the_page_says_why_it_is_slow() -> Result<()> {
    no_webgpu(BrowserOptions::default()).await
}

pub async fn no_webgpu(options: BrowserOptions) -> Result<()> {
    let Some(stage) = without_webgpu("no WebGPU", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let reasons = ["missing", "no-adapter"];
    stage.browser.attribute_becomes("no-gpu", "data-reason", &reasons).await?;
    let words = stage.browser.text("no-gpu").await?.unwrap_or_default();
    assert!(words.contains("Slow") && words.contains("WebGPU"), "{words}");
    let rows = stage.extract(TEXT, FEATURES).await?;
    assert_same(&rows, &native(tiny()?, TEXT, FEATURES)?);
    assert!(rows.iter().any(|row| row.span.is_some()), "no value was found in the text: {rows:?}");

    // A stop is heard while it works: reading all of this would take minutes.
    let long = "A lamp of brass and glass. ".repeat(200_000 / 27 + 1);
    stage.start(&long, "Color").await?;
    stage
        .browser
        .until("a text of 200,000 characters is not read in parts", async || {
            let status = stage.browser.text("status").await?.unwrap_or_default();
            Ok(status.contains("part").then_some(()))
        })
        .await?;
    stage.browser.click("stop").await?;
    // It had no answer yet, so the one before is shown again.
    stage.browser.attribute_becomes("results", "data-phase", &["finished"]).await?;
    assert_eq!(stage.rows().await?, rows);
    assert_eq!(stage.extract(TEXT, FEATURES).await?, rows);
    stage.is_isolated().await
}

#[tokio::test]
async fn the_real_model_answers_on_the_processor_as_natively() -> Result<()> {
    let (text, features) = ("Philips LED bulb E27, 9 W, warm white", "Brand, Socket, Power");
    let Some(stage) = without_webgpu("SmolLM2, no WebGPU", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let model = trained::find(DEFAULT_MODEL).context("the default model is not known")?;
    let found = trained::prepare(model, &fetch::cache_dir()?, &mut |_| {});
    let Some(folder) = require("page: SmolLM2, no WebGPU", found) else { return Ok(()) };
    let native =
        native(std::fs::read(folder.join(format!("{DEFAULT_MODEL}.gguf")))?, text, features)?;
    stage.site.add_package_folder("smollm2", &folder)?;
    stage.open("smollm2").await?;
    assert_same(&stage.extract(text, features).await?, &native);
    let seconds = stage.browser.attribute("stats", "data-seconds").await?.context("no time")?;
    println!("three features of a title on one thread: {seconds} s");
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_too_large_for_the_processor_is_refused_before_its_download() -> Result<()>
{
    let what = "a large model, no WebGPU";
    let Some(stage) = without_webgpu(what, BrowserOptions::default()).await? else {
        return Ok(());
    };
    let address = format!("{}&memory=1", stage.site.url("tiny"));
    stage.browser.driver().goto(address).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.click("model-load").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    let words = stage.browser.element("model-error").await?.text().await?;
    assert!(words.contains("on the processor it may have 1.0 MB"), "{words}");
    Ok(())
}
