//! The page in Dutch: by the browser's wish or a choice, without a reload, and remembered.

use anyhow::{Context, Result};
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

impl Stage {
    /// Chooses a language, and waits until the page says that it speaks it.
    async fn speak(&self, tag: &str) -> Result<()> {
        self.browser.fill("language", tag).await?;
        self.speaks(tag).await
    }

    async fn speaks(&self, tag: &str) -> Result<()> {
        self.browser
            .until(&format!("the page does not speak {tag}"), async || {
                let spoken: String =
                    self.browser.script("return document.documentElement.lang", vec![]).await?;
                Ok((spoken == tag).then_some(()))
            })
            .await
    }

    async fn says(&self, test_id: &str, words: &str) -> Result<()> {
        self.browser
            .until(&format!("{test_id} does not say {words:?}"), async || {
                let said = self.browser.text(test_id).await?.unwrap_or_default();
                Ok(said.contains(words).then_some(()))
            })
            .await
    }

    /// Every word that is seen, heard or shown when pointed at.
    async fn all_words(&self) -> Result<String> {
        let body = "
            const named = [...document.querySelectorAll('[aria-label], [title], [placeholder]')];
            const names = named.flatMap(one => ['aria-label', 'title', 'placeholder'].map(name => one.getAttribute(name) ?? ''));
            const parts = [...document.querySelectorAll('header, main, footer')].map(part => part.textContent);
            return [document.title, ...parts, ...names].join('\\n')";
        self.browser.script(body, vec![]).await
    }
}

#[tokio::test]
async fn a_change_of_language_loses_nothing_and_is_remembered() -> Result<()> {
    let Some(stage) = stage("Dutch", BrowserOptions::default()).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.speaks("en").await?;
    stage.says("extract", "Extract").await?;
    stage.start(TEXT, "Brand, Brand").await?;
    stage.says("features-error", "is named twice").await?;

    stage.speak("nl").await?;
    stage.says("extract", "Invullen").await?;
    stage.says("features-error", "staat er twee keer").await?;
    stage.says("engine-state", "Model niet geladen").await?;
    let title: String = stage.browser.script("return document.title", vec![]).await?;
    assert!(title.contains("productkenmerken"), "{title}");
    let typed: String =
        stage.browser.script("return document.querySelector('#text').value", vec![]).await?;
    assert_eq!(typed, TEXT);

    let rows = stage.extract(TEXT, FEATURES).await?;
    assert!(rows.iter().any(|row| row.state == "none"), "no feature is none: {rows:?}");
    stage.says("status", "gevonden").await?;
    stage.says("engine-said", "Het model staat klaar").await?;
    stage.says("requests", "aan deze website").await?;
    let stats = stage.browser.text("stats").await?.context("no figures")?;
    let time = stats.split(" s").next().unwrap_or_default();
    assert!(stats.contains("tokens gelezen") && !time.contains('.'), "{stats}");
    let none = "return [...document.querySelectorAll('[data-state=none] .found')].map(one => one.textContent)";
    let none: Vec<String> = stage.browser.script(none, vec![]).await?;
    assert!(none.iter().all(|word| word == "geen"), "{none:?}");
    let words = stage.all_words().await?;
    for english in ["Confidence", "Download ", "features", "Copy", "your browser", "Undo"] {
        assert!(!words.contains(english), "{english:?} is left in:\n{words}");
    }

    // A word of the language's own for none, and files that are the same in every language.
    let value = rows.iter().position(|row| row.state == "value").context("no value")?;
    stage.retype(value, "geen").await?;
    stage.is_marked(value, Some("cleared")).await?;
    let dutch = [stage.saved("download-csv").await?, stage.saved("download-json").await?];
    stage.speak("en").await?;
    stage.says("status", "found").await?;
    assert_eq!([stage.saved("download-csv").await?, stage.saved("download-json").await?], dutch);
    stage.press(value, "u").await?;
    stage.is_marked(value, None).await?;
    assert_eq!(stage.rows().await?, rows);

    stage.speak("nl").await?;
    stage.open("tiny").await?;
    stage.speaks("nl").await?;
    stage.says("extract", "Invullen").await
}

#[tokio::test]
async fn the_browsers_language_is_taken_until_one_is_chosen() -> Result<()> {
    let Some(stage) = stage("a Dutch browser", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let agent: String = stage.browser.script("return navigator.userAgent", vec![]).await?;
    let wish = json!({"userAgent": agent, "acceptLanguage": "de,nl-BE,en"});
    stage.browser.driver().cdp().send_raw("Emulation.setUserAgentOverride", wish).await?;
    stage.open("tiny").await?;
    stage.speaks("nl").await?;
    stage.browser.click("view-list").await?;
    stage.says("list-drop", "Sleep een bestand hierheen").await?;
    stage.speak("en").await?;
    stage.says("list-drop", "Drop a file").await?;
    stage.open("tiny").await?;
    stage.speaks("en").await
}
