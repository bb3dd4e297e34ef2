//! What a whole session asks of the network, by the browser's own log, and what the page says of it.

use std::fs;

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

/// Ends the browser; what it asked for in the name of the page, at other sites than the page's own.
fn foreign_requests(stage: Stage) -> Result<(usize, Vec<String>)> {
    let origin = stage.site.origin();
    let requests = stage.browser.end()?;
    let count = requests.len();
    let is_foreign = |url: &String| !url.starts_with(&origin) && !url.starts_with("data:");
    Ok((count, requests.into_iter().filter(is_foreign).collect()))
}

impl Stage {
    async fn requests_since_loaded(&self) -> Result<Option<String>> {
        self.browser.attribute("requests", "data-since-loaded").await
    }
}

#[tokio::test]
async fn a_whole_session_reaches_no_other_site_and_the_page_says_so() -> Result<()> {
    session(BrowserOptions::default()).await
}

pub async fn session(options: BrowserOptions) -> Result<()> {
    let options = BrowserOptions { net_log: true, ..options };
    let Some(stage) = stage("a session's requests", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.extract(TEXT, FEATURES).await?;
    stage.extract(TEXT, "Brand, Weave").await?;
    let said = stage.browser.text("requests").await?.unwrap_or_default();
    assert!(said.contains("all to this site"), "{said}");
    assert!(said.contains("None since the model was loaded."), "{said}");
    // The engine's requests are among them: manifest and model.
    let seen = "return performance.getEntriesByType('resource').length";
    let of_page: usize = stage.browser.script(seen, vec![]).await?;
    let count: usize =
        stage.browser.attribute("requests", "data-count").await?.unwrap_or_default().parse()?;
    assert!(count > of_page + 2, "the page counts {count}, {of_page} of its own");

    // The reader of workbooks tells of itself as well.
    let workbook =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/products/tests/golden/shop.xlsx");
    stage.open_list(&fs::canonicalize(workbook)?).await?;
    stage
        .browser
        .until("the requests of the reader of workbooks are not counted", async || {
            let since = stage.requests_since_loaded().await?.unwrap_or_default();
            Ok((since.parse::<usize>().unwrap_or(0) >= 3).then_some(()))
        })
        .await?;
    assert_eq!(stage.browser.attribute("requests", "data-elsewhere").await?.as_deref(), Some("0"));
    stage.browser.click("isolation-check").await?;
    stage.browser.attribute_becomes("isolation-result", "data-result", &["blocked"]).await?;
    stage.browser.element("kept-offline").await?;
    stage.browser.reload().await?;
    stage.browser.element("features").await?;

    let (count, foreign) = foreign_requests(stage)?;
    assert!(count > 20, "the browser's log has only {count} requests");
    assert_eq!(foreign, Vec::<String>::new());
    Ok(())
}

/// Shows that the test above can fail: without its policy, a page's request to another site is in the log and on the page.
#[tokio::test]
async fn a_request_to_another_site_would_be_seen() -> Result<()> {
    elsewhere(BrowserOptions::default()).await
}

pub async fn elsewhere(options: BrowserOptions) -> Result<()> {
    let options = BrowserOptions { net_log: true, ..options };
    let Some(stage) = stage("a request elsewhere", options).await? else { return Ok(()) };
    let path = stage.site.folder().join("index.html");
    let open = fs::read_to_string(&path)?.replace("connect-src 'self'", "connect-src *");
    fs::write(&path, open)?;
    stage.open("tiny").await?;
    // The same server by another name: another origin, and no network needed.
    let elsewhere = stage.site.origin().replace("127.0.0.1", "localhost");
    let body = "const done = arguments[1];
        fetch(arguments[0], { mode: 'no-cors' }).then(() => done(true), () => done(false))";
    stage.browser.driver().execute_async(body, vec![json!(elsewhere)]).await?;
    stage.browser.attribute_becomes("requests", "data-elsewhere", &["1"]).await?;
    let said = stage.browser.text("requests").await?.unwrap_or_default();
    assert!(said.contains("1 to localhost:"), "{said}");
    let (_, foreign) = foreign_requests(stage)?;
    assert_eq!(foreign, [elsewhere]);
    Ok(())
}

#[tokio::test]
async fn code_of_another_hash_does_not_start() -> Result<()> {
    for kind in [".js", "_bg.wasm"] {
        // A browser each: files whose names have a hash stay in its cache.
        let Some(stage) = stage("integrity", BrowserOptions::default()).await? else {
            return Ok(());
        };
        let app = stage.site.file("hangtag-web-", kind)?;
        fs::write(&app, [&fs::read(&app)?[..], b"\n"].concat())?;
        stage.browser.driver().goto(stage.site.url("tiny")).await?;
        stage
            .browser
            .until(&format!("a changed {kind} is not refused"), async || {
                let crash = "return document.getElementById('crash')?.textContent ?? ''";
                let said: String = stage.browser.script(crash, vec![]).await?;
                Ok(said.starts_with("The page could not start").then_some(()))
            })
            .await?;
    }
    Ok(())
}
