//! Whether the page stays alive while the engine works: no task of its thread takes 50 ms.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

/// From here on browsers call a task long, and people notice.
const LONG_MS: f64 = 50.0;

/// Of the processor's time, not by the clock: the processor plays the GPU as well, and may be busy with others' work.
fn tasks() -> BrowserOptions {
    BrowserOptions { tasks: true, ..BrowserOptions::default() }
}

impl Stage {
    /// Milliseconds of the longest task since the recording of this name began.
    async fn longest_task(&self, name: &str) -> Result<f64> {
        let mut tasks = self.browser.recorded_tasks(name).await?;
        tasks.sort_by(|a, b| b.total_cmp(a));
        eprintln!(
            "{name}: {} tasks, the longest {:.1?} ms",
            tasks.len(),
            &tasks[..tasks.len().min(5)]
        );
        assert!(tasks.len() > 20, "too few tasks were recorded to say anything");
        Ok(tasks[0])
    }

    async fn stays_alive(&self, name: &str) -> Result<()> {
        let longest = self.longest_task(name).await?;
        assert!(longest < LONG_MS, "{name}: a task of {longest:.1} ms");
        Ok(())
    }
}

#[tokio::test]
async fn the_page_stays_alive_while_a_model_loads_and_a_list_is_filled_in() -> Result<()> {
    let Some(stage) = stage("long tasks", tasks()).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.record_tasks("a model loads and reads a text").await?;
    stage.extract(TEXT, FEATURES).await?;
    stage.stays_alive("a model loads and reads a text").await?;

    let files = crate::list::Files::new()?;
    stage.open_list(&files.write("shop.csv", &crate::list::shop(1000))?).await?;
    stage.browser.fill("features", "Brand, Color").await?;
    stage.browser.record_tasks("a list is filled in").await?;
    stage.browser.click("list-start").await?;
    stage
        .browser
        .until("40 products are not filled in", async || {
            Ok((stage.done().await? >= 40).then_some(()))
        })
        .await?;
    stage.stays_alive("a list is filled in").await
}

/// Shows that the tests above can fail.
#[tokio::test]
async fn a_long_task_is_seen() -> Result<()> {
    let Some(stage) = stage("a long task", tasks()).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.record_tasks("a busy loop").await?;
    // Work, not a wait: on a busy machine the processor does little of it in a second.
    let busy = "const done = arguments[0];
        setTimeout(() => {
            window.sum = 0;
            for (let turn = 0; turn < 3e8; turn += 1) window.sum += Math.sqrt(turn);
            setTimeout(done, 100);
        })";
    stage.browser.driver().execute_async(busy, vec![]).await?;
    assert!(stage.longest_task("a busy loop").await? >= LONG_MS);
    Ok(())
}
