//! The feature list as rows: kinds, order, what is marked, and the way to and from the plain field.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::TEXT;
use crate::stage::{Stage, stage};

impl Stage {
    /// Name and kind of every row.
    async fn feature_rows(&self) -> Result<Vec<(String, String)>> {
        let body = "return [...document.querySelectorAll('[data-testid=feature-row]')]
            .map(row => [row.querySelector('.name').value, row.dataset.kind])";
        self.browser.script(body, vec![]).await
    }

    pub(crate) async fn feature_rows_become(&self, wanted: &[(&str, &str)]) -> Result<()> {
        let mut rows = Vec::new();
        let found = self
            .browser
            .until("the rows are others", async || {
                rows = self.feature_rows().await?;
                let same = rows.iter().map(|(name, kind)| (name.as_str(), kind.as_str()));
                Ok(same.eq(wanted.iter().copied()).then_some(()))
            })
            .await;
        found.map_err(|error| error.context(format!("{rows:?} and not {wanted:?}")))
    }

    /// An element of the row of this name.
    async fn in_row(&self, name: &str, test_id: &str) -> Result<WebElement> {
        let body = "const [name, id] = arguments;
            const rows = [...document.querySelectorAll('[data-testid=feature-row]')];
            const row = rows.find(row => row.querySelector('.name').value === name);
            const found = row?.querySelector(`[data-testid=${id}]`);
            found?.scrollIntoView({ block: 'center' });
            return found";
        let driver = self.browser.driver();
        let found = driver.execute(body, vec![json!(name), json!(test_id)]).await?;
        Ok(found.element()?)
    }

    pub(crate) async fn choose_kind(&self, name: &str, kind: &str) -> Result<()> {
        let select = self.in_row(name, "feature-row-kind").await?;
        let option = select.find(By::Css(format!("option[value={kind}]"))).await?;
        Ok(option.click().await?)
    }

    async fn field(&self) -> Result<String> {
        self.browser.script("return document.getElementById('features').value", vec![]).await
    }

    /// The test id of the element that has the cursor, and what is in it.
    async fn focus_becomes(&self, test_id: &str, value: &str) -> Result<()> {
        let body = "const one = document.activeElement;
            return one.dataset.testid === arguments[0] && (one.value ?? '') === arguments[1]";
        self.browser
            .until(&format!("{test_id} with {value:?} has not the cursor"), async || {
                let names = vec![json!(test_id), json!(value)];
                let is_there: bool = self.browser.script(body, names).await?;
                Ok(is_there.then_some(()))
            })
            .await
    }
}

#[tokio::test]
async fn kinds_are_set_in_rows_and_decide_what_is_answered() -> Result<()> {
    let Some(stage) = stage("kinds", BrowserOptions::default()).await? else { return Ok(()) };
    stage.open("tiny").await?;
    stage.browser.fill("features", "Price, Color, Washable").await?;
    stage.browser.click("features-as-rows").await?;
    stage.choose_kind("Price", "number").await?;
    stage.in_row("Price", "feature-row-unit").await?.send_keys("EUR").await?;
    stage.choose_kind("Color", "choice").await?;
    assert!(!stage.in_row("Color", "feature-fault").await?.text().await?.is_empty());
    // Nothing is asked while a choice has no choices, and the cursor shows where.
    stage.browser.fill("text", TEXT).await?;
    stage.browser.click("extract").await?;
    let error = stage.browser.element("features-error").await?.text().await?;
    assert!(error.contains("Color"), "{error}");
    stage.focus_becomes("feature-row-choices", "").await?;
    stage.in_row("Color", "feature-row-choices").await?.send_keys("Red, WHITE").await?;
    stage.choose_kind("Washable", "boolean").await?;
    let wanted = [("Price", "number"), ("Color", "choice"), ("Washable", "boolean")];
    stage.feature_rows_become(&wanted).await?;

    stage.browser.click("extract").await?;
    stage.browser.attribute_becomes("results", "data-phase", &["finished"]).await?;
    let rows = stage.rows().await?;
    let value = |index: usize| rows[index].value.clone();
    let is_number = value(0).is_none_or(|value| value.starts_with(|c: char| c.is_ascii_digit()));
    assert!(is_number, "{rows:?}");
    let is_choice = value(1).is_none_or(|value| ["Red", "WHITE"].contains(&value.as_str()));
    assert!(is_choice, "{rows:?}");

    // The field says the same, and a reload forgets nothing.
    stage.browser.click("features-as-text").await?;
    assert_eq!(stage.field().await?, "Price, Color, Washable");
    let hint: String = stage
        .browser
        .script("return document.getElementById('features-hint').textContent", vec![])
        .await?;
    assert!(hint.contains("Price, Color, Washable"), "{hint}");
    stage.browser.fill("features", "Washable, Brand\nColor").await?;
    stage.open("tiny").await?;
    stage.browser.click("features-as-rows").await?;
    let wanted = [("Washable", "boolean"), ("Brand", "span"), ("Color", "choice")];
    stage.feature_rows_become(&wanted).await?;
    let choices = stage.in_row("Color", "feature-row-choices").await?;
    assert_eq!(choices.value().await?.as_deref(), Some("Red, WHITE"));
    Ok(())
}

#[tokio::test]
async fn rows_are_written_moved_and_removed_by_keyboard() -> Result<()> {
    let Some(stage) = stage("rows by keyboard", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.open("tiny").await?;
    stage.browser.fill("features", "Brand").await?;
    stage.browser.click("features-as-rows").await?;
    let keys = async |keys: &str| -> Result<()> {
        Ok(stage.browser.driver().action_chain().send_keys(keys).perform().await?)
    };
    let with_alt = async |key: Key| -> Result<()> {
        let chain = stage.browser.driver().action_chain();
        Ok(chain.key_down(Key::Alt).send_keys(key).key_up(Key::Alt).perform().await?)
    };
    stage.in_row("Brand", "feature-row-name").await?.click().await?;
    keys(&Key::Enter.value().to_string()).await?;
    stage.focus_becomes("feature-row-name", "").await?;
    let fault = stage.in_row("", "feature-fault").await?.text().await?;
    assert!(fault.contains("not asked"), "{fault}");
    // A comma begins the next one.
    keys("Size,").await?;
    stage.focus_becomes("feature-row-name", "").await?;
    keys("Brand").await?;
    stage.feature_rows_become(&[("Brand", "span"), ("Size", "span"), ("Brand", "span")]).await?;
    stage
        .browser
        .until("the second Brand is not marked", async || {
            Ok((stage.count(".name[aria-invalid=true]").await? == 1).then_some(()))
        })
        .await?;
    keys(" name").await?;
    stage.focus_becomes("feature-row-name", "Brand name").await?;
    assert_eq!(stage.count("[data-testid=feature-fault]").await?, 0);

    with_alt(Key::Up).await?;
    stage.focus_becomes("feature-row-name", "Brand name").await?;
    let order = [("Brand", "span"), ("Brand name", "span"), ("Size", "span")];
    stage.feature_rows_become(&order).await?;
    assert_eq!(
        stage.browser.text("features-said").await?.as_deref(),
        Some("Brand name is now 2 of 3")
    );

    // By button: the one that can go no further gives the cursor to its counterpart.
    let up = stage.in_row("Brand name", "feature-up").await?;
    up.send_keys(Key::Enter).await?;
    let order = [("Brand name", "span"), ("Brand", "span"), ("Size", "span")];
    stage.feature_rows_become(&order).await?;
    stage.focus_becomes("feature-down", "").await?;
    stage.in_row("Brand", "feature-remove").await?.click().await?;
    stage.focus_becomes("feature-row-name", "Size").await?;
    stage.browser.click("feature-add").await?;
    stage.focus_becomes("feature-row-name", "").await?;
    keys(&Key::Backspace.value().to_string()).await?;
    stage.feature_rows_become(&[("Brand name", "span"), ("Size", "span")]).await?;
    stage.browser.click("features-as-text").await?;
    assert_eq!(stage.field().await?, "Brand name, Size");
    Ok(())
}
