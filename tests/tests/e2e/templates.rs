//! Own templates: saved, found again, renamed, copied, deleted, exchanged as files.

use anyhow::Result;
use hangtag_task::{Template, presets};
use hangtag_tests::browser::BrowserOptions;
use thirtyfour::prelude::*;

use crate::stage::{Stage, stage};

impl Stage {
    async fn own_templates(&self) -> Result<Vec<String>> {
        let body = "return [...document.querySelectorAll('[data-testid=own-template]')].map(one => one.dataset.name)";
        self.browser.script(body, vec![]).await
    }

    pub(crate) async fn own_templates_become(&self, names: &[&str]) -> Result<()> {
        self.browser
            .until(&format!("the own templates are not {names:?}"), async || {
                Ok((self.own_templates().await? == names).then_some(()))
            })
            .await
    }

    /// The button of an own template.
    pub(crate) async fn on_template(&self, name: &str, button: &str) -> Result<()> {
        let selector = format!("[data-name=\"{name}\"] [data-testid={button}]");
        let button = self.browser.driver().find(By::Css(selector)).await?;
        button.scroll_into_view().await?;
        Ok(button.click().await?)
    }

    async fn feature_field(&self) -> Result<String> {
        self.browser.script("return document.getElementById('features').value", vec![]).await
    }

    pub(crate) async fn unfold_templates(&self) -> Result<()> {
        let body = "document.querySelector('[data-testid=own-templates]').open = true; return true";
        self.browser.script::<bool>(body, vec![]).await.map(drop)
    }
}

#[tokio::test]
async fn own_templates_are_kept_and_exchanged() -> Result<()> {
    templates(BrowserOptions::default()).await
}

pub async fn templates(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("templates", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.browser.fill("features", "Brand, Weave").await?;
    stage.browser.click("template-save").await?;
    stage.browser.element("template-name").await?.send_keys("My shirts").await?;
    stage.browser.click("template-save-name").await?;
    stage.own_templates_become(&["My shirts"]).await?;

    stage.browser.fill("template", "0").await?;
    assert_ne!(stage.feature_field().await?, "Brand, Weave");
    stage.open("tiny").await?;
    stage.browser.fill("template", "own:My shirts").await?;
    assert_eq!(stage.feature_field().await?, "Brand, Weave");

    stage.unfold_templates().await?;
    stage.on_template("My shirts", "template-copy").await?;
    stage.own_templates_become(&["My shirts", "My shirts copy"]).await?;
    stage.on_template("My shirts", "template-rename").await?;
    let field = stage.browser.element("template-new-name").await?;
    field.clear().await?;
    field.send_keys("Shirts" + Key::Enter).await?;
    stage.own_templates_become(&["Shirts", "My shirts copy"]).await?;
    let chosen: String =
        stage.browser.script("return document.getElementById('template').value", vec![]).await?;
    assert_eq!(chosen, "own:Shirts");
    stage.on_template("My shirts copy", "template-delete").await?;
    assert_eq!(stage.own_templates().await?.len(), 2, "deleted without asking");
    stage.on_template("My shirts copy", "template-delete").await?;
    stage.own_templates_become(&["Shirts"]).await?;

    let exported = Template::from_json(&stage.saved("templates-export").await?)?;
    assert_eq!((exported.name.as_str(), exported.features.len()), ("Shirts", 2));
    let folder = tempfile::tempdir()?;
    let [good, bad] = ["good.json", "bad.json"].map(|name| folder.path().join(name));
    std::fs::write(&good, serde_json::to_string(&presets()[..2])?)?;
    std::fs::write(&bad, "{\"name\": \"A\", \"features\": []}")?;
    let import = stage.browser.element("templates-import").await?;
    import.send_keys(bad.display().to_string()).await?;
    stage
        .browser
        .until("the bad file is not named", async || {
            let said = stage.browser.text("templates-said").await?.unwrap_or_default();
            Ok(said.starts_with("bad.json: ").then_some(()))
        })
        .await?;
    import.send_keys(good.display().to_string()).await?;
    let names = ["Shirts", &presets()[0].name, &presets()[1].name];
    stage.own_templates_become(&names).await
}
