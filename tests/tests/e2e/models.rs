//! Models from the person's own files, on the served page and on the page as one file.

use super::stage::{Stage, stage, tiny, write_tiny};
use super::{FEATURES, TEXT, assert_same, native_tiny};
use anyhow::{Context, Result};
use hangtag_tests::browser::{BrowserOptions, Kind};
use hangtag_tests::site::{dist, manifest_of};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The page as one file, opened as by a double click.
async fn open_bundle(stage: &Stage) -> Result<()> {
    let file = dist()?.with_file_name("hangtag.html");
    assert!(file.is_file(), "`cargo xtask bundle` has not written {}", file.display());
    stage.browser.driver().goto(format!("file://{}", file.display())).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await.map(|_| ())
}

/// Has the page look at these files; each on a line, as WebDriver wants several.
async fn pick(stage: &Stage, input: &str, files: &[&Path]) -> Result<()> {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    stage.browser.element(input).await?.send_keys(files.join("\n")).await?;
    Ok(())
}

/// Has the page look at a folder.
async fn pick_folder(stage: &Stage, folder: &Path) -> Result<()> {
    if stage.browser.kind() == Kind::Chromium {
        return pick(stage, "model-folder", &[folder]).await;
    }
    // geckodriver gives files only; the page gets the same list of them.
    let body = "const input = document.querySelector('[data-testid=model-folder]');
        input.webkitdirectory = false; input.multiple = true; input.value = ''; return true";
    stage.browser.script::<bool>(body, vec![]).await?;
    let files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    pick(stage, "model-folder", &files).await
}

async fn problem(stage: &Stage, word: &str) -> Result<String> {
    stage
        .browser
        .until(&format!("no problem names {word}"), async || {
            let words = stage.browser.text("model-problem").await?;
            Ok(words.filter(|words| words.contains(word)))
        })
        .await
}

#[tokio::test]
async fn the_page_as_one_file_answers_without_a_server_or_a_request() -> Result<()> {
    one_file(BrowserOptions::default()).await
}

pub async fn one_file(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("one file", options).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let model = write_tiny(folder.path())?;
    open_bundle(&stage).await?;
    stage.start(TEXT, FEATURES).await?;
    problem(&stage, "model first").await?;

    pick(&stage, "model-file", &[&model]).await?;
    let needs = stage.browser.element("model-needs").await?.text().await?;
    assert!(needs.contains("GPU memory"), "{needs}");
    let rows = stage.extract(TEXT, FEATURES).await?;
    if let Some(native) = native_tiny(TEXT, FEATURES)? {
        assert_same(&rows, &native);
    }

    let asked = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    let asked: Vec<String> = stage.browser.script(asked, vec![]).await?;
    assert_eq!(asked, Vec::<String>::new());
    assert_eq!(stage.site.requests().len(), 0);
    stage.is_isolated().await
}

#[tokio::test]
async fn the_page_as_one_file_reads_workbooks_too() -> Result<()> {
    one_file_workbook(BrowserOptions::default()).await
}

pub async fn one_file_workbook(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("one file, workbook", options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("broken.xlsx");
    fs::write(&path, b"no workbook at all")?;
    open_bundle(&stage).await?;
    stage.browser.click("view-list").await?;
    pick(&stage, "list-file", &[&path]).await?;
    // The reader's own words: its code has started, from inside the page.
    let words = stage.browser.element("list-problem").await?.text().await?;
    assert!(words.contains("broken.xlsx") && !words.contains("save it as CSV"), "{words}");
    Ok(())
}

#[tokio::test]
async fn wrong_files_are_named_and_the_model_stays() -> Result<()> {
    wrong_files(BrowserOptions::default()).await
}

pub async fn wrong_files(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("wrong files", options).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let place = |name: &str| folder.path().join(name);
    let good = tiny()?;
    let at = good.windows(5).position(|five| five == b"llama").context("no architecture")?;
    let mut other = good.clone();
    other[at..at + 5].copy_from_slice(b"gemma");
    fs::write(place("family.gguf"), &other)?;
    fs::write(place("page.gguf"), "<!DOCTYPE html><title>Sign in, please</title>")?;
    fs::write(place("cut.gguf"), &good[..good.len() / 2])?;
    fs::write(place("cat.jpg"), "a picture")?;
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    open_choice(&stage).await?;
    let cases = [
        ("family.gguf", "gemma"),
        ("page.gguf", "web page"),
        ("cut.gguf", "cut short"),
        ("cat.jpg", "cat.jpg"),
    ];
    for (name, word) in cases {
        pick(&stage, "model-file", &[&place(name)]).await?;
        problem(&stage, word).await?;
        assert_eq!(stage.browser.text("model-name").await?.as_deref(), Some("tiny"));
    }
    stage.browser.fill("model-path", "https://example.org/model").await?;
    stage.browser.click("model-open").await?;
    problem(&stage, "another site").await?;
    let state = stage.browser.attribute("model-card", "data-state").await?;
    assert_eq!(state.as_deref(), Some("ready"));
    assert_eq!(stage.rows().await?, rows);
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    Ok(())
}

#[tokio::test]
async fn a_folder_is_a_package_if_it_is_whole() -> Result<()> {
    folders(BrowserOptions::default()).await
}

pub async fn folders(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("folders", options).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let model = write_tiny(folder.path())?;
    fs::write(folder.path().join("manifest.json"), manifest_of("my model", &model)?)?;
    stage.open("tiny").await?;
    open_choice(&stage).await?;
    pick_folder(&stage, folder.path()).await?;
    name_becomes(&stage, "my model").await?;
    let rows = stage.extract(TEXT, FEATURES).await?;
    if let Some(native) = native_tiny(TEXT, FEATURES)? {
        assert_same(&rows, &native);
    }
    assert_eq!(stage.site.weight_requests(), 0);

    let mut changed = fs::read(&model)?;
    *changed.last_mut().context("an empty model")? ^= 1;
    fs::write(&model, changed)?;
    pick_folder(&stage, folder.path()).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.click("model-load").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    let words = stage.browser.element("model-error").await?.text().await?;
    assert!(words.contains("SHA-256"), "{words}");

    fs::remove_file(&model)?;
    pick_folder(&stage, folder.path()).await?;
    problem(&stage, "is missing").await?;
    Ok(())
}

#[tokio::test]
async fn a_file_of_ones_own_is_kept_used_again_and_deleted() -> Result<()> {
    keeping(BrowserOptions::default()).await
}

pub async fn keeping(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("keeping", options).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let model = write_tiny(folder.path())?;
    stage.open_default().await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    open_choice(&stage).await?;
    pick(&stage, "model-file", &[&model]).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    stage.browser.click("model-keep").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;

    fs::remove_file(&model)?;
    stage.open_default().await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    assert_eq!(stage.site.weight_requests(), 0);

    open_choice(&stage).await?;
    let room = stage.browser.text("model-room").await?.unwrap_or_default();
    assert!(room.contains("up to"), "{room}");
    stage.browser.click("kept-delete").await?;
    stage
        .browser
        .until("the kept model stays", async || {
            Ok((stage.count("[data-testid=kept-model]").await? == 0).then_some(()))
        })
        .await
}

#[tokio::test]
async fn without_storage_everything_works_and_nothing_is_kept() -> Result<()> {
    no_storage(BrowserOptions::default()).await
}

pub async fn no_storage(options: BrowserOptions) -> Result<()> {
    let options = BrowserOptions { without_storage: true, ..options };
    let Some(stage) = stage("no storage", options).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let model = write_tiny(folder.path())?;
    stage.open("tiny").await?;
    stage.extract(TEXT, "Brand").await?;
    let notice = stage.browser.element("model-notice").await?.text().await?;
    assert!(notice.contains("memory only"), "{notice}");
    open_choice(&stage).await?;
    let room = stage.browser.text("model-room").await?.unwrap_or_default();
    assert!(room.contains("keeps nothing"), "{room}");
    pick(&stage, "model-file", &[&model]).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    assert_eq!(stage.count("[data-testid=model-keep]").await?, 0);
    assert_eq!(stage.extract(TEXT, "Brand").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_short_memory_makes_the_batch_smaller_and_a_shorter_one_refuses() -> Result<()> {
    let Some(stage) = stage("short memory", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let go = async |megabytes: &str| {
        let url = format!("{}&memory={megabytes}", stage.site.url("tiny"));
        stage.browser.driver().goto(url).await?;
        stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await
    };
    go("0.1").await?;
    stage.browser.click("model-load").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    let words = stage.browser.element("model-error").await?.text().await?;
    assert!(words.contains("does not fit"), "{words}");
    let whole = |request: &&hangtag_tests::recorder::Request| !request.has_range;
    let requests = stage.site.requests();
    let weights: Vec<_> =
        requests.iter().filter(|request| request.target.contains(".gguf")).filter(whole).collect();
    assert!(weights.is_empty(), "it was downloaded, though it cannot fit: {weights:?}");

    go("1").await?;
    let rows = stage.extract(TEXT, FEATURES).await?;
    let words = stage.browser.element("model-reduced").await?.text().await?;
    assert!(words.contains("at once"), "{words}");
    if let Some(native) = native_tiny(TEXT, FEATURES)? {
        assert_same(&rows, &native);
    }
    Ok(())
}

async fn open_choice(stage: &Stage) -> Result<()> {
    let open = "document.querySelector('[data-testid=model-choice]').open = true; return true";
    stage.browser.element("model-choice").await?;
    stage.browser.script::<bool>(open, vec![]).await.map(|_| ())
}

async fn name_becomes(stage: &Stage, name: &str) -> Result<()> {
    stage
        .browser
        .until(&format!("the model is not called {name}"), async || {
            let shown = stage.browser.text("model-name").await?;
            Ok((shown.as_deref() == Some(name)).then_some(()))
        })
        .await
}

#[tokio::test]
async fn a_full_storage_is_said_and_the_model_runs_all_the_same() -> Result<()> {
    let Some(stage) = stage("full storage", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let model = write_tiny(folder.path())?;
    stage.open("tiny").await?;
    let origin = stage.site.origin();
    let quota = json!({"origin": origin.trim_end_matches('/'), "quotaSize": 1000});
    stage.browser.devtools("Storage.overrideQuotaForOrigin", &quota)?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let notice = stage.browser.element("model-notice").await?.text().await?;
    assert!(notice.contains("memory only"), "{notice}");

    open_choice(&stage).await?;
    pick(&stage, "model-file", &[&model]).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    Ok(())
}

#[tokio::test]
async fn a_kept_file_that_was_changed_is_fetched_again() -> Result<()> {
    changed_copy(BrowserOptions::default()).await
}

pub async fn changed_copy(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("changed copy", options).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let requests = stage.site.weight_requests();
    stage.browser.driver().goto(stage.site.url("none")).await?;
    let change = "const done = arguments[0];
        (async () => {
            const root = await navigator.storage.getDirectory();
            const folder = await root.getDirectoryHandle('hangtag-models');
            for await (const [name, file] of folder.entries()) {
                if (!name.endsWith('.gguf')) continue;
                const size = (await file.getFile()).size;
                const writer = await file.createWritable({ keepExistingData: true });
                await writer.write({ type: 'write', position: size - 1, data: new Uint8Array([77]) });
                await writer.close();
                return 'changed';
            }
        })().then(done, error => done(`${error}`))";
    let changed = stage.browser.driver().execute_async(change, vec![]).await?.json().clone();
    assert_eq!(changed, "changed");
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
    assert!(stage.site.weight_requests() > requests, "a damaged file was used");
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    Ok(())
}
