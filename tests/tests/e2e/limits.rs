//! What is too large, and what is not what its name says.

use std::fs::File;

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use hangtag_tests::recorder::Request;

use crate::TEXT;
use crate::stage::{stage, tiny};

/// No GPU has room for anything. What a browser says then is an error of this kind.
const NO_ROOM: &str =
    "GPUDevice.prototype.popErrorScope = async () => new GPUOutOfMemoryError('no room');";

#[tokio::test]
async fn a_list_of_300_megabytes_is_refused_in_words_and_the_page_does_not_freeze() -> Result<()> {
    let options = BrowserOptions { tasks: true, ..BrowserOptions::default() };
    let Some(stage) = stage("a list of 300 MB", options).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("all.csv");
    // Takes no room on the disk; for the browser it is as any other.
    File::create(&path)?.set_len(300_000_000)?;
    stage.open("tiny").await?;
    stage.browser.click("view-list").await?;
    stage.browser.record_tasks("a huge list").await?;
    stage.browser.element("list-file").await?.send_keys(path.display().to_string()).await?;
    let words = stage.browser.element("list-problem").await?.text().await?;
    assert!(words.contains("300.0 MB") && words.contains("several files"), "{words}");
    let tasks = stage.browser.recorded_tasks("a huge list").await?;
    let longest = tasks.iter().copied().fold(0.0, f64::max);
    assert!(longest < 50.0, "a task of {longest:.1} ms");
    Ok(())
}

#[tokio::test]
async fn weights_that_the_server_got_wrong_are_named_and_good_ones_still_load() -> Result<()> {
    let Some(stage) = stage("wrong weights", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let good = tiny()?;
    let cases: [(&str, &[u8], &str); 3] = [
        ("html", b"<!DOCTYPE html><title>Sign in, please</title>", "model.gguf"),
        ("short", &good[..good.len() - 32], "is shorter than"),
        ("long", &[&good[..], &[0; 32]].concat(), "is longer than"),
    ];
    for (package, bytes, said) in cases {
        stage.site.add_package(package, &good)?;
        stage.site.replace_file(package, bytes)?;
        stage.open(package).await?;
        let states = ["absent", "failed"];
        let state = stage.browser.attribute_becomes("model-card", "data-state", &states).await?;
        if state == "absent" {
            stage.browser.click("model-load").await?;
            stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
        }
        let words = stage.browser.element("model-error").await?.text().await?;
        assert!(words.contains("model.gguf") && words.contains(said), "{package}: {words}");
        assert!(!words.contains("Check the connection"), "{package}: {words}");
    }
    stage.open("tiny").await?;
    assert_eq!(stage.extract(TEXT, "Brand").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_gpu_without_room_is_told_before_the_download() -> Result<()> {
    let Some(stage) = stage("no room", BrowserOptions::default()).await? else { return Ok(()) };
    stage.before_workers(NO_ROOM)?;
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.click("model-load").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    let words = stage.browser.element("model-error").await?.text().await?;
    assert!(words.contains("out of memory"), "{words}");
    let requests = stage.site.requests();
    let whole = |request: &&Request| request.target.contains(".gguf") && !request.has_range;
    assert_eq!(requests.iter().find(whole), None, "it was downloaded, though there is no room");
    Ok(())
}
