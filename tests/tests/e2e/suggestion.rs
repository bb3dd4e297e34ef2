//! A ready template is suggested for a text, and taken only when its button is pressed.

use anyhow::Result;
use hangtag_task::presets;
use hangtag_tests::browser::BrowserOptions;

use crate::stage::{Stage, stage};

impl Stage {
    async fn suggestion_becomes(&self, words: &str) -> Result<()> {
        self.browser
            .until(&format!("the suggestion is not {words:?}"), async || {
                let said = self.browser.text("suggestion").await?.unwrap_or_default();
                Ok((said.contains(words) && said.is_empty() == words.is_empty()).then_some(()))
            })
            .await
    }
}

#[tokio::test]
async fn a_suggested_template_is_taken_only_when_its_button_is_pressed() -> Result<()> {
    let Some(stage) = stage("a suggestion", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    stage.browser.fill("features", "Brand, Weave").await?;
    stage.suggestion_becomes("").await?;
    stage.browser.fill("text", "Trail running shoe with a rubber outsole and laces").await?;
    stage.suggestion_becomes("Looks like footwear: shoe, outsole").await?;
    let list = "return document.getElementById('features').value";
    assert_eq!(stage.browser.script::<String>(list, vec![]).await?, "Brand, Weave");
    stage.browser.fill("text", "A gift card, sent by mail within a day").await?;
    stage.suggestion_becomes("").await?;

    stage.browser.fill("text", "Trail running shoe with a rubber outsole and laces").await?;
    stage.browser.click("suggestion-use").await?;
    stage.suggestion_becomes("").await?;
    let footwear = presets().iter().find(|preset| preset.name == "Footwear");
    let names = footwear.map(|preset| preset.features.iter().map(|feature| feature.name.as_str()));
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    assert_eq!(stage.browser.script::<String>(list, vec![]).await?, names);
    Ok(())
}
