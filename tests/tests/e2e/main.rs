//! The built page in a headless Chromium and Firefox, with a tiny model for the flows and once with the real one.

mod accessibility;
mod corrections;
mod feature_rows;
mod firefox;
mod full_size;
mod language;
mod limits;
mod list;
mod list_workbook;
mod measure;
mod models;
mod offline;
mod processor;
mod recovery;
mod responsiveness;
mod stage;
mod suggestion;
mod tabs;
mod template_order;
mod templates;
mod traffic;

use anyhow::{Context, Result};
use hangtag_engine::EngineOptions;
use hangtag_extract::Extractor;
use hangtag_task::{Feature, FeatureValue, parse_feature_list};
use hangtag_tests::browser::BrowserOptions;
use hangtag_tests::engines::gpu;
use hangtag_tests::require::require;
use hangtag_weights::registry::DEFAULT_MODEL;
use hangtag_weights::{ByteSource, FileSource, Gguf, MemorySource, fetch, trained};
use serde_json::json;
use std::ops::ControlFlow;
use thirtyfour::prelude::*;

use stage::{Row, Stage, stage, tiny};

const TEXT: &str = "Linen shirt with long sleeves, color white, size M. Washable? Yes. Brand: Nordlys. Price 39.90 EUR.";
const FEATURES: &str = "Brand, Color, Size, Material, Sleeves, Price, Care, Collar, Origin, Season";

/// What the native engine answers; `None` without a GPU.
fn native<S: ByteSource>(
    model: S,
    text: &str,
    features: &str,
) -> Result<Option<Vec<FeatureValue>>> {
    let Some(gpu) = gpu("the page against the native engine", false) else { return Ok(None) };
    let features: Vec<Feature> = parse_feature_list(features)?;
    let gguf = pollster::block_on(Gguf::open(vec![model]))?;
    let options = EngineOptions::default();
    let mut extractor = pollster::block_on(Extractor::load(gguf, gpu, options, |_| {}))?;
    let mut observe = |_| ControlFlow::Continue(());
    Ok(Some(pollster::block_on(extractor.extract(text, &features, &mut observe))?.features))
}

/// [`native`], with the tiny model.
fn native_tiny(text: &str, features: &str) -> Result<Option<Vec<FeatureValue>>> {
    native(MemorySource::new("tiny.gguf", tiny()?), text, features)
}

#[track_caller]
fn assert_same(rows: &[Row], native: &[FeatureValue]) {
    assert_eq!(rows.len(), native.len());
    for (row, value) in rows.iter().zip(native) {
        assert_eq!((&row.name, &row.value), (&value.name, &value.value));
        assert_eq!(row.span, value.span.map(|span| (span.start, span.end)), "{row:?}");
        assert_eq!(row.state, if value.value.is_some() { "value" } else { "none" }, "{row:?}");
        let confidence = row.confidence.unwrap_or(f32::NAN);
        assert!(
            (confidence - value.confidence).abs() < 0.02,
            "{row:?}, natively {}",
            value.confidence
        );
    }
}

#[tokio::test]
async fn a_text_becomes_the_table_that_the_native_engine_gives() -> Result<()> {
    extraction(BrowserOptions::default()).await
}

async fn extraction(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("extraction", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    assert_eq!(
        stage.site.weight_requests(),
        0,
        "weights were fetched before anybody asked for them"
    );
    let rows = stage.extract(TEXT, FEATURES).await?;
    let Some(native) = native_tiny(TEXT, FEATURES)? else { return Ok(()) };
    assert_same(&rows, &native);
    // Else the rest of this test, and the one above, would show little.
    assert!(rows.iter().any(|row| row.span.is_some()), "no value was found in the text: {rows:?}");
    assert!(rows.iter().any(|row| row.state == "none"), "no feature is none: {rows:?}");

    pointing_at_a_row_shows_its_value_in_the_text(&stage, &rows).await?;
    let seconds = stage.browser.attribute("stats", "data-seconds").await?.context("no time")?;
    assert!(seconds.parse::<f64>()? > 0.0);

    // The keyboard does it too, and the first result stays.
    let field = stage.browser.element("features").await?;
    field.clear().await?;
    field.send_keys("Brand, Weave").await?;
    field.send_keys(Key::Control + Key::Enter).await?;
    stage
        .browser
        .until("the second run has no two rows", async || {
            let rows = stage.rows().await?;
            Ok((rows.len() == 2 && rows.iter().all(|row| row.state != "pending")).then_some(()))
        })
        .await?;
    // Beside other questions, so the last digits of its confidence may be others.
    let again = &stage.rows().await?[0];
    assert_eq!((&again.value, again.span), (&rows[0].value, rows[0].span));
    stage.browser.click("earlier-1").await?;
    assert_eq!(stage.rows().await?, rows);
    Ok(())
}

async fn each_value_has_its_own_colour(stage: &Stage) -> Result<()> {
    let colours = "
        const marks = [...document.querySelectorAll('[data-testid=source] mark')];
        const values = new Set(marks.map(mark => mark.dataset.features.split(' ')[0] % 8));
        const colours = new Set(marks.map(mark => getComputedStyle(mark).backgroundColor));
        return [values.size, colours.size]";
    let (values, colours): (usize, usize) = stage.browser.script(colours, vec![]).await?;
    assert_eq!(colours, values, "of the values' colours");
    Ok(())
}

async fn pointing_at_a_row_shows_its_value_in_the_text(stage: &Stage, rows: &[Row]) -> Result<()> {
    let index =
        rows.iter().position(|row| row.span.is_some()).context("no value was found in the text")?;
    let (start, end) = rows[index].span.context("no span")?;
    let mark = format!("[data-testid=source] mark[data-features~=\"{index}\"]");
    let marked: String = stage.browser.script(
        "return [...document.querySelectorAll(arguments[0])].map(mark => mark.textContent).join('')",
        vec![json!(mark)],
    ).await?;
    assert_eq!(marked, TEXT.chars().skip(start).take(end - start).collect::<String>());
    each_value_has_its_own_colour(stage).await?;
    assert_eq!(stage.count(&format!("{mark}.active")).await?, 0);

    let row = stage
        .browser
        .driver()
        .find(By::Css(format!("[data-testid=row][data-index=\"{index}\"]")))
        .await?;
    row.scroll_into_view().await?;
    stage.browser.driver().action_chain().move_to_element_center(&row).perform().await?;
    stage
        .browser
        .until("the value is not highlighted", async || {
            Ok((stage.count(&format!("{mark}.active")).await? > 0).then_some(()))
        })
        .await?;
    let heading = stage.browser.driver().find(By::Css("h1, h2")).await?;
    heading.scroll_into_view().await?;
    stage.browser.driver().action_chain().move_to_element_center(&heading).perform().await?;
    stage
        .browser
        .until("the value stays highlighted", async || {
            Ok((stage.count("[data-testid=source] mark.active").await? == 0).then_some(()))
        })
        .await
}

#[tokio::test]
async fn stop_keeps_what_is_there_and_the_next_run_is_right() -> Result<()> {
    stop(BrowserOptions::default()).await
}

async fn stop(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("Stop", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let first = stage.extract(TEXT, "Brand, Color").await?;

    let many: Vec<String> = (0..500).map(|i| format!("Property {i}")).collect();
    stage.start(TEXT, &many.join(", ")).await?;
    stage
        .browser
        .until("the run of 500 features gives no answer", async || {
            let answered = stage.rows().await?.iter().filter(|row| row.state != "pending").count();
            Ok((answered > 0).then_some(()))
        })
        .await?;
    stage.browser.click("stop").await?;
    stage.browser.attribute_becomes("results", "data-phase", &["stopped"]).await?;
    let rows = stage.rows().await?;
    assert_eq!(rows.len(), 500);
    assert!(rows.iter().any(|row| row.state != "pending"), "answers were lost");
    assert!(rows.iter().any(|row| row.state == "pending"), "it was not stopped, it had ended");

    let long = "A lamp of brass and glass. ".repeat(200_000 / 27 + 1);
    stage.start(&long, "Color").await?;
    stage
        .browser
        .until("a text of 200,000 characters is not read in parts", async || {
            let status = stage.browser.text("status").await?.unwrap_or_default();
            Ok((status.contains("part") || status.contains("1 of")).then_some(()))
        })
        .await?;
    stage.browser.click("stop").await?;
    stage.browser.attribute_becomes("results", "data-phase", &["stopped"]).await?;

    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, first);
    Ok(())
}

#[tokio::test]
async fn bad_input_is_named_and_leaves_results_alone() -> Result<()> {
    bad_input(BrowserOptions::default()).await
}

async fn bad_input(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("bad input", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let too_many: Vec<String> = (0..1001).map(|i| format!("F{i}")).collect();
    let cases = [
        ("  \n ", "Brand", "text-error", ""),
        (TEXT, " , ", "features-error", ""),
        (TEXT, "Brand, Color, Brand", "features-error", "Brand"),
        (TEXT, &too_many.join(","), "features-error", "1000"),
    ];
    for (text, features, place, word) in cases {
        stage.start(text, features).await?;
        let message =
            stage.browser.element(place).await?.text().await?.replace([',', '\u{202f}'], "");
        assert!(
            !message.is_empty() && message.contains(word),
            "{message:?} does not name {word:?}"
        );
        assert_eq!(stage.rows().await?, rows, "{message}");
    }
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    assert_eq!(stage.browser.text("features-error").await?, None);

    // Strange, and right: as the native engine has it.
    for (text, features) in [
        ("👟 ### Product\nשמלה אדומה Größe M 👩‍👩‍👧", "###, Färbung, مقاس, 🎨"),
        ("<script>alert(1)</script> &amp; <b>brass</b>", "<i>Color</i>, \"Size\""),
    ] {
        let rows = stage.extract(text, features).await?;
        let Some(native) = native_tiny(text, features)? else { return Ok(()) };
        assert_same(&rows, &native);
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_package_is_named_and_a_good_one_still_loads() -> Result<()> {
    bad_packages(BrowserOptions::default()).await
}

async fn bad_packages(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("bad packages", options).await? else {
        return Ok(());
    };
    let good = tiny()?;
    stage.site.add_package("cut", &good[..good.len() / 2])?;
    stage.site.add_package("nonsense", b"this is no model at all, but it has a hash")?;
    // The same length, so that the file stays whole.
    let at = good.windows(5).position(|five| five == b"llama").context("no architecture")?;
    let mut other = good.clone();
    other[at..at + 5].copy_from_slice(b"gemma");
    stage.site.add_package("family", &other)?;
    stage.site.add_package("changed", &good)?;
    stage.site.replace_file("changed", &other)?;
    let cases = [
        ("cut", "model.gguf"),
        ("nonsense", "model.gguf"),
        ("family", "gemma"),
        ("changed", "model.gguf"),
        ("missing", "missing"),
    ];
    for (package, word) in cases {
        stage.open(package).await?;
        if stage
            .browser
            .attribute_becomes("model-card", "data-state", &["absent", "failed"])
            .await?
            == "absent"
        {
            stage.browser.click("model-load").await?;
        }
        stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
        let message = stage.browser.element("model-error").await?.text().await?;
        assert!(
            message.to_lowercase().contains(word),
            "{package}: {message:?} does not name {word:?}"
        );
        assert!(!message.contains("Check the connection"), "{package}: {message:?}");
    }
    let elsewhere = format!("{}?model=https://example.org/model", stage.site.origin());
    stage.browser.driver().goto(elsewhere).await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;

    stage.open("tiny").await?;
    assert_eq!(stage.extract(TEXT, "Brand").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_second_visit_downloads_nothing_until_the_model_is_deleted() -> Result<()> {
    second_visit(BrowserOptions::default()).await
}

async fn second_visit(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("second visit", options).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, "Brand, Color").await?;
    let size = tiny()?.len().to_string();
    assert_eq!(stage.browser.attribute("model-downloaded", "data-bytes").await?, Some(size));
    let requests = stage.site.weight_requests();
    assert!(requests > 0, "the recorder saw no download, so it would see none later either");

    stage.browser.driver().goto("about:blank").await?;
    stage.open("tiny").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
    assert_eq!(
        stage.browser.attribute("model-downloaded", "data-bytes").await?.as_deref(),
        Some("0")
    );
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    assert_eq!(stage.site.weight_requests(), requests, "{:?}", stage.site.requests());

    let forget =
        "document.querySelectorAll('details').forEach(one => { one.open = true }); return true";
    stage.browser.script::<bool>(forget, vec![]).await?;
    stage.browser.click("model-forget").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?, rows);
    assert!(stage.site.weight_requests() > requests, "the model was not deleted");
    Ok(())
}

#[tokio::test]
async fn nothing_leaves_the_origin() -> Result<()> {
    privacy(BrowserOptions::default()).await
}

async fn privacy(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("privacy", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let policy = "const done = arguments[0];
        fetch('/').then(page => done(page.headers.get('content-security-policy')), error => done(`${error}`))";
    let policy = stage.browser.driver().execute_async(policy, vec![]).await?.json().clone();
    let policy = policy.as_str().context("no Content-Security-Policy")?.to_owned();
    assert!(policy.contains("connect-src 'self'") || !policy.contains("connect-src"), "{policy}");
    assert!(
        policy.contains("default-src 'self'") || policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert!(
        !policy.contains("http:") && !policy.contains("https:") && !policy.contains('*'),
        "{policy}"
    );

    let secret = "zanzibarine";
    stage.extract(&format!("Lamp of {secret}, 40 cm"), "Material, Height").await?;
    let seen: Vec<String> = stage
        .browser
        .script("return performance.getEntriesByType('resource').map(entry => entry.name)", vec![])
        .await?;
    assert!(!seen.is_empty());
    let origin = stage.site.origin();
    let own =
        |name: &&String| name.starts_with(&origin) || name.starts_with(&format!("blob:{origin}"));
    assert_eq!(seen.iter().find(|name| !own(name)), None);
    for request in stage.site.requests() {
        assert!(request.method == "GET" || request.method == "HEAD", "{request:?}");
        assert!(!request.target.contains(secret), "{request:?}");
    }

    stage.is_isolated().await
}

#[tokio::test]
async fn a_phone_of_360_points_needs_no_scrolling_sideways() -> Result<()> {
    let options = BrowserOptions { phone: true, ..BrowserOptions::default() };
    let Some(stage) = stage("phone", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.extract(TEXT, FEATURES).await?;
    let widths: (f64, f64) = stage
        .browser
        .script("return [document.documentElement.scrollWidth, window.innerWidth]", vec![])
        .await?;
    assert_eq!(widths, (360.0, 360.0));
    Ok(())
}

#[tokio::test]
async fn the_real_model_answers_on_the_page_as_natively() -> Result<()> {
    real_model(BrowserOptions::default()).await
}

async fn real_model(options: BrowserOptions) -> Result<()> {
    let text = "Philips LED bulb E27, 9 W, warm white";
    let features = "Brand, Socket, Power, Color";
    let Some(stage) = stage("SmolLM2", options).await? else { return Ok(()) };
    let model = trained::find(DEFAULT_MODEL).context("the default model is not known")?;
    let found = trained::prepare(model, &fetch::cache_dir()?, &mut |_| {});
    let Some(folder) = require("page: SmolLM2", found) else { return Ok(()) };
    let path = folder.join(format!("{DEFAULT_MODEL}.gguf"));
    let Some(native) = native(FileSource::open(&path)?, text, features)? else { return Ok(()) };
    stage.site.add_package_folder("smollm2", &folder)?;
    stage.open("smollm2").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
    // Folded away, so not seen by `text`.
    let facts = "return ['model-name', 'model-adapter', 'model-trained-on', 'card']
        .map(name => document.querySelector(`[data-testid=${name}]`).textContent)";
    let [name, adapter, trained_on, card]: [String; 4] =
        stage.browser.script(facts, vec![]).await?;
    let expected = (DEFAULT_MODEL, DEFAULT_MODEL, model.trained_on);
    assert_eq!((name.as_str(), adapter.as_str(), trained_on.as_str()), expected);
    let title = model.card.lines().next().unwrap_or_default().trim_start_matches("# ");
    assert!(card.starts_with(title), "{card}");
    let rows = stage.extract(text, features).await?;
    assert_same(&rows, &native);
    Ok(())
}
