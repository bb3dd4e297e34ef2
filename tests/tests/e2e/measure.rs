//! The page measures the GPU, and makes way for work.

use anyhow::{Context, Result};
use hangtag_tests::browser::BrowserOptions;

use crate::TEXT;
use crate::stage::{Stage, stage};

async fn state_becomes(stage: &Stage, state: &str) -> Result<()> {
    stage.browser.attribute_becomes("measurement", "data-state", &[state]).await.map(drop)
}

#[tokio::test]
async fn the_gpu_is_measured_unless_there_is_work() -> Result<()> {
    let Some(stage) = stage("measurement", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    stage.browser.click("model-load").await?;
    stage.browser.click("measure").await?;
    state_becomes(&stage, "running").await?;
    stage.browser.click("measure-stop").await?;
    state_becomes(&stage, "no").await?;

    // Work that comes in ends a measurement, and is done.
    stage.browser.click("measure").await?;
    assert_eq!(stage.extract(TEXT, "Brand").await?.len(), 1);
    state_becomes(&stage, "no").await?;

    stage.browser.click("measure").await?;
    state_becomes(&stage, "done").await?;
    let figures = stage.browser.text("measure-figures").await?.context("no figures")?;
    for words in ["Writing 32 answers at once", "tokens a second", "times as fast"] {
        assert!(figures.contains(words), "{figures}");
    }
    assert_eq!(stage.count("[data-testid=measure-figures] dt").await?, 6, "{figures}");
    Ok(())
}
