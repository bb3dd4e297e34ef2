//! Two tabs: the model is on the GPU once, and nothing is lost when the tab that has it is closed.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use thirtyfour::WindowHandle;

use crate::TEXT;
use crate::recovery::{many, values};
use crate::stage::{Stage, stage};

impl Stage {
    /// Opens the page in another tab, and goes there.
    async fn second_tab(&self) -> Result<WindowHandle> {
        let second = self.browser.driver().new_tab().await?;
        self.browser.driver().switch_to_window(second.clone()).await?;
        self.allow_faults()?;
        self.open("tiny").await?;
        Ok(second)
    }
}

#[tokio::test]
async fn two_tabs_share_a_model_and_the_second_goes_on_when_the_first_is_closed() -> Result<()> {
    let Some(stage) = stage("two tabs", BrowserOptions::default()).await? else { return Ok(()) };
    let many = many();
    stage.allow_faults()?;
    stage.open("tiny").await?;
    let undisturbed = stage.extract(TEXT, &many).await?;
    assert!(stage.gpu_bytes().await? > 0, "buffers are not counted");
    let downloads = stage.site.weight_requests();

    let first = stage.browser.driver().window().await?;
    let second = stage.second_tab().await?;
    stage.model_becomes("ready").await?;
    stage.browser.element("model-in-other-tab").await?;
    assert_eq!(values(&stage.extract(TEXT, &many).await?), values(&undisturbed));
    assert_eq!(stage.gpu_bytes().await?, 0, "the second tab has weights of its own");

    // Stop reaches the other tab, which then has time for the next.
    stage.start(TEXT, &many).await?;
    stage.some_are_answered().await?;
    stage.browser.click("stop").await?;
    stage.browser.attribute_becomes("results", "data-phase", &["stopped"]).await?;
    stage.start(TEXT, &many).await?;
    stage.some_are_answered().await?;

    stage.browser.driver().switch_to_window(first).await?;
    stage.browser.driver().close_window().await?;
    stage.browser.driver().switch_to_window(second).await?;
    assert_eq!(values(&stage.finishes().await?), values(&undisturbed));
    assert!(stage.gpu_bytes().await? > 0, "who has answered?");
    assert_eq!(stage.count("[data-testid=model-in-other-tab]").await?, 0);
    assert_eq!(stage.site.weight_requests(), downloads, "it was downloaded again");
    Ok(())
}

#[tokio::test]
async fn a_model_deleted_in_one_tab_is_gone_in_the_other() -> Result<()> {
    let Some(stage) = stage("two tabs, no model", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.allow_faults()?;
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let first = stage.browser.driver().window().await?;
    let second = stage.second_tab().await?;
    stage.browser.element("model-in-other-tab").await?;
    let downloads = stage.site.weight_requests();

    stage.browser.driver().switch_to_window(first).await?;
    let unfold =
        "document.querySelectorAll('details').forEach(one => { one.open = true }); return true";
    stage.browser.script::<bool>(unfold, vec![]).await?;
    stage.browser.click("model-forget").await?;
    stage.model_becomes("absent").await?;
    stage.browser.driver().switch_to_window(second).await?;
    stage.model_becomes("absent").await?;
    assert_eq!(stage.site.weight_requests(), downloads, "it came back unasked");
    assert_eq!(values(&stage.extract(TEXT, "Brand, Color").await?), values(&rows));
    Ok(())
}

#[tokio::test]
async fn a_page_that_was_left_keeps_nobody_waiting_and_answers_when_it_is_back() -> Result<()> {
    left(BrowserOptions::default()).await
}

/// Browsers may keep a page that was left as it is, with its locks, to show it again at once.
pub async fn left(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("a page that was left", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let first = stage.browser.driver().window().await?;
    stage.browser.driver().goto("about:blank").await?;
    let second = stage.browser.driver().new_tab().await?;
    stage.browser.driver().switch_to_window(second.clone()).await?;
    stage.open("tiny").await?;
    assert_eq!(values(&stage.extract(TEXT, "Brand, Color").await?), values(&rows));

    stage.browser.driver().switch_to_window(first).await?;
    stage.browser.driver().back().await?;
    stage.model_becomes("ready").await?;
    assert_eq!(values(&stage.extract(TEXT, "Brand, Color").await?), values(&rows));

    stage.browser.driver().switch_to_window(second).await?;
    assert_eq!(values(&stage.extract(TEXT, "Brand, Color").await?), values(&rows));
    Ok(())
}
