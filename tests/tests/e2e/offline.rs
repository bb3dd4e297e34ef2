//! The page without a network, and new versions of it.

use std::fs;

use anyhow::{Context, Result};
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;
use xtask::offline::write_service_worker;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

impl Stage {
    /// Puts another version of the page on the site, told by its description: the title is the language's.
    fn publish(&self, version: &str) -> Result<()> {
        self.describe(version)?;
        Ok(write_service_worker(self.site.folder())?)
    }

    fn describe(&self, version: &str) -> Result<()> {
        const START: &str = "name=\"description\"";
        let path = self.site.folder().join("index.html");
        let page = fs::read_to_string(&path)?;
        let (start, rest) = page.split_once(START).context("the page has no description")?;
        let (_, end) = rest.split_once('>').context("its description has no end")?;
        Ok(fs::write(&path, format!("{start}{START} content=\"{version}\">{end}"))?)
    }

    async fn version(&self) -> Result<String> {
        let body = "return document.querySelector('meta[name=description]')?.content ?? ''";
        self.browser.script(body, vec![]).await
    }

    async fn is_kept(&self) -> Result<()> {
        self.browser.element("kept-offline").await.map(drop)
    }

    async fn version_becomes(&self, version: &str) -> Result<()> {
        self.browser
            .until(&format!("the page is not version {version:?}"), async || {
                // Between two pages there is none to ask.
                let shown = self.version().await.unwrap_or_default();
                Ok((shown == version).then_some(()))
            })
            .await?;
        self.browser.element("features").await.map(drop)
    }

    async fn says_of_new_version(&self, words: &str) -> Result<()> {
        self.browser
            .until(&format!("no word of a new version with {words:?}"), async || {
                let said = self.browser.text("new-version").await?.unwrap_or_default();
                Ok(said.contains(words).then_some(()))
            })
            .await
    }

    /// Waits until one version of the page is kept and no other, not even in part.
    async fn one_version_is_kept(&self) -> Result<()> {
        let body = "const done = arguments[0];
            caches.keys().then(names => done(names.filter(name => name.startsWith('hangtag http')).length))";
        self.browser
            .until("more than one version of the page is kept", async || {
                let kept = self.browser.driver().execute_async(body, vec![]).await?;
                Ok((kept.json() == &json!(1)).then_some(()))
            })
            .await
    }

    /// Has the browser look for a new version, and waits until it has one or has given it up.
    async fn look_for_update(&self) -> Result<()> {
        let body = "const done = arguments[0];
            (async () => {
                const registration = await navigator.serviceWorker.getRegistration();
                await registration.update();
                const worker = registration.installing;
                if (worker) await new Promise(resolve => worker.addEventListener('statechange', resolve));
            })().then(() => done(null), error => done(`${error}`))";
        self.browser.driver().execute_async(body, vec![]).await?;
        Ok(())
    }
}

#[tokio::test]
async fn after_the_first_visit_the_page_works_without_a_network() -> Result<()> {
    offline(BrowserOptions::default()).await
}

pub async fn offline(options: BrowserOptions) -> Result<()> {
    let Some(mut stage) = stage("offline", options).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, FEATURES).await?;
    stage.is_kept().await?;
    stage.site.stop();

    stage.browser.reload().await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
    assert_eq!(stage.extract(TEXT, FEATURES).await?, rows);
    stage.browser.driver().goto(stage.site.url("tiny")).await?;
    assert_eq!(stage.extract(TEXT, FEATURES).await?, rows);

    // The reader of workbooks is there as well, though the first visit had no use for it.
    let workbook =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/products/tests/golden/shop.xlsx");
    stage.open_list(&fs::canonicalize(workbook)?).await?;

    // Else none of this would show anything.
    let body =
        "const done = arguments[1]; fetch(arguments[0]).then(() => done(true), () => done(false))";
    let answered = stage
        .browser
        .driver()
        .execute_async(body, vec![json!("models/tiny/manifest.json")])
        .await?;
    assert_eq!(answered.json(), &json!(false), "the server was not stopped");
    Ok(())
}

#[tokio::test]
async fn a_new_version_takes_over_whole_at_the_next_load() -> Result<()> {
    new_versions(BrowserOptions::default()).await
}

pub async fn new_versions(options: BrowserOptions) -> Result<()> {
    let Some(mut stage) = stage("new versions", options).await? else {
        return Ok(());
    };
    stage.publish("One")?;
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, FEATURES).await?;
    stage.is_kept().await?;

    // Half of a new version is none.
    stage.publish("Two")?;
    stage.describe("Two, cut")?;
    stage.look_for_update().await?;
    stage.open("tiny").await?;
    stage.look_for_update().await?;
    stage.version_becomes("One").await?;
    stage.one_version_is_kept().await?;
    assert_eq!(stage.browser.text("new-version").await?.unwrap_or_default(), "");

    // A whole one waits, says so, and comes with the button.
    stage.describe("Two")?;
    stage.open("tiny").await?;
    stage.version_becomes("One").await?;
    stage.browser.click("reload").await?;
    stage.version_becomes("Two").await?;
    stage.one_version_is_kept().await?;

    // Or with any other load, if no other tab has the old one open.
    stage.publish("Three")?;
    stage.look_for_update().await?;
    stage.says_of_new_version("is ready").await?;
    let driver = stage.browser.driver().clone();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second).await?;
    stage.open("tiny").await?;
    stage.version_becomes("Two").await?;
    stage.says_of_new_version("when its other tabs are closed").await?;
    driver.close_window().await?;
    driver.switch_to_window(first).await?;
    stage.site.stop();
    // The closed tab may take a moment to be gone for the browser, and until then the old version stays.
    stage
        .browser
        .until("the new version does not come when the other tab is closed", async || {
            stage.browser.reload().await?;
            stage.browser.element("features").await?;
            Ok((stage.version().await? == "Three").then_some(()))
        })
        .await?;
    stage.version_becomes("Three").await?;
    stage.one_version_is_kept().await?;
    assert_eq!(stage.extract(TEXT, FEATURES).await?, rows);
    Ok(())
}
