//! Values accepted, corrected and cleared by keyboard, and what becomes of them in downloads.

use anyhow::{Context, Result};
use hangtag_task::parse_jsonl;
use hangtag_tests::browser::BrowserOptions;
use thirtyfour::prelude::*;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

impl Stage {
    /// The value of a row, which holds its keys.
    async fn value_of(&self, index: usize) -> Result<WebElement> {
        let selector = format!("[data-testid=row][data-index=\"{index}\"] .found");
        Ok(self.browser.driver().find(By::Css(selector)).await?)
    }

    /// Presses keys on a value.
    pub async fn press(&self, index: usize, keys: impl Into<TypingData>) -> Result<()> {
        Ok(self.value_of(index).await?.send_keys(keys).await?)
    }

    /// Replaces a value as a person would: Enter, the new words, Enter.
    pub async fn retype(&self, index: usize, words: &str) -> Result<()> {
        self.press(index, Key::Enter).await?;
        let field = self.browser.element("edit").await?;
        // What is there is chosen once the cursor is in it.
        let chosen = "return document.activeElement.dataset.testid === 'edit' || null";
        self.browser
            .until("the cursor is not in the field", async || {
                self.browser.script::<Option<bool>>(chosen, vec![]).await
            })
            .await?;
        // Not `clear`, which leaves the field, and so saves.
        field.send_keys(Key::Control + "a").await?;
        field.send_keys(words).await?;
        Ok(field.send_keys(Key::Enter).await?)
    }

    /// Waits until a person's mark on a row is this one.
    pub async fn is_marked(&self, index: usize, mark: Option<&str>) -> Result<()> {
        let body = format!(
            "return document.querySelector('[data-testid=row][data-index=\"{index}\"]').dataset.byHand ?? null"
        );
        self.browser
            .until(&format!("row {index} is not {mark:?}"), async || {
                let found: Option<String> = self.browser.script(&body, vec![]).await?;
                Ok((found.as_deref() == mark).then_some(()))
            })
            .await
    }
}

#[tokio::test]
async fn values_are_settled_by_keyboard_and_become_training_rows() -> Result<()> {
    corrections(BrowserOptions::default()).await
}

pub async fn corrections(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("corrections", options).await? else { return Ok(()) };
    stage.open("tiny").await?;
    let rows = stage.extract(TEXT, FEATURES).await?;
    let values: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].state == "value").collect();
    let none = rows.iter().position(|row| row.state == "none").context("no feature is none")?;
    let &[first, second, ..] = values.as_slice() else {
        anyhow::bail!("fewer than two values: {rows:?}")
    };
    assert_eq!(stage.count("[data-testid=download-training]").await?, 0);

    stage.press(first, "a").await?;
    stage.is_marked(first, Some("accepted")).await?;
    stage.press(second, Key::Delete).await?;
    stage.is_marked(second, Some("cleared")).await?;
    stage.retype(none, "  Nordlys ").await?;
    stage.is_marked(none, Some("corrected")).await?;

    let now = stage.rows().await?;
    assert_eq!(now[first], rows[first]);
    assert_eq!((now[second].state.as_str(), now[second].span), ("none", None));
    let place = TEXT.find("Nordlys").context("not in the text")?;
    assert_eq!(now[none].value.as_deref(), Some("Nordlys"));
    assert_eq!(now[none].span, Some((place, place + 7)));
    // The cursor is back on the value, and the arrow keys go on from there.
    let active =
        "return document.activeElement.closest('[data-testid=row]')?.dataset.index ?? null";
    stage
        .browser
        .until("the cursor is not on the value", async || {
            let at: Option<String> = stage.browser.script(active, vec![]).await?;
            Ok((at == Some(none.to_string())).then_some(()))
        })
        .await?;

    let csv = stage.saved("download-csv").await?;
    let line =
        csv.lines().find(|line| line.starts_with(&now[none].name)).context("no such line")?;
    assert_eq!(line, format!("{},Nordlys,,{place},{},corrected", now[none].name, place + 7));
    let training = parse_jsonl(&stage.saved("download-training").await?)?;
    assert_eq!(training.len(), 1);
    assert_eq!(training[0].text, TEXT);
    let mut settled = [
        (rows[first].name.as_str(), rows[first].value.as_deref()),
        (rows[second].name.as_str(), None),
        (rows[none].name.as_str(), Some("Nordlys")),
    ];
    settled.sort_by_key(|(name, _)| rows.iter().position(|row| row.name == *name));
    let written: Vec<_> = training[0]
        .features
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    assert_eq!(written, settled);

    // Undone, it is the model's answer again.
    for index in [first, second, none] {
        stage.press(index, "u").await?;
        stage.is_marked(index, None).await?;
    }
    assert_eq!(stage.rows().await?, rows);
    Ok(())
}
