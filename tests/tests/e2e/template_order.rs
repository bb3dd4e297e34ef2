//! Own templates are moved and keep the kinds of their features, also as files.

use anyhow::Result;
use hangtag_task::{Kind, Template};
use hangtag_tests::browser::BrowserOptions;

use crate::stage::{Stage, stage};

impl Stage {
    /// Saves what the fields say as a template.
    async fn save_template(&self, name: &str) -> Result<()> {
        self.browser.click("template-save").await?;
        let field = self.browser.element("template-name").await?;
        field.clear().await?;
        field.send_keys(name).await?;
        self.browser.click("template-save-name").await
    }
}

#[tokio::test]
async fn own_templates_are_moved_and_keep_their_kinds() -> Result<()> {
    let Some(stage) = stage("the order of templates", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    stage.browser.fill("features", "Weight, Gender").await?;
    stage.browser.click("features-as-rows").await?;
    stage.choose_kind("Weight", "number").await?;
    stage.browser.element("feature-row-unit").await?.send_keys("kg").await?;
    stage.save_template("Heavy").await?;
    stage.choose_kind("Weight", "span").await?;
    stage.save_template("Light").await?;
    stage.own_templates_become(&["Heavy", "Light"]).await?;

    stage.unfold_templates().await?;
    stage.on_template("Light", "template-up").await?;
    stage.own_templates_become(&["Light", "Heavy"]).await?;
    // The button that can do no more gives the cursor to the other, and the order stays.
    let focused = "return document.activeElement.dataset.testid";
    stage
        .browser
        .until("the cursor is lost", async || {
            let focused: Option<String> = stage.browser.script(focused, vec![]).await?;
            Ok((focused.as_deref() == Some("template-down")).then_some(()))
        })
        .await?;
    stage.browser.click("features-as-text").await?;
    stage.open("tiny").await?;
    stage.own_templates_become(&["Light", "Heavy"]).await?;

    stage.browser.click("features-as-rows").await?;
    stage.browser.fill("template", "own:Heavy").await?;
    stage.feature_rows_become(&[("Weight", "number"), ("Gender", "span")]).await?;
    stage.unfold_templates().await?;
    let exported: Vec<Template> = serde_json::from_str(&stage.saved("templates-export").await?)?;
    let names: Vec<&str> = exported.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(names, ["Light", "Heavy"]);
    let weight = &exported[1].features[0];
    assert_eq!((weight.kind, weight.unit.as_deref()), (Kind::Number, Some("kg")));

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shoes.json");
    std::fs::write(
        &file,
        r#"{"name": "Shoes", "features": [{"name": "Heel", "kind": "number", "unit": "cm"}, {"name": "Fit"}]}"#,
    )?;
    let import = stage.browser.element("templates-import").await?;
    import.send_keys(file.display().to_string()).await?;
    stage.own_templates_become(&["Light", "Heavy", "Shoes"]).await?;
    stage.browser.fill("template", "own:Shoes").await?;
    stage.feature_rows_become(&[("Heel", "number"), ("Fit", "span")]).await
}
