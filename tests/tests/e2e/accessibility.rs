//! The page against the rules of WCAG 2.2, levels A and AA, as axe-core checks them, and what axe cannot see.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use hangtag_tests::require::require;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use xtask::axe;

use crate::stage::{Stage, stage};
use crate::{FEATURES, TEXT};

/// axe's names of the rules.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

impl Stage {
    /// What is wrong with the page as it is now: rule, and the elements.
    async fn violations(&self, axe: &str) -> Result<Vec<String>> {
        let check = "
            const [tags, done] = arguments;
            // A fade is not a colour.
            const animations = document.getAnimations().map(one => one.finished.catch(() => {}));
            Promise.race([Promise.all(animations), new Promise(resolve => setTimeout(resolve, 1000))])
                .then(() => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }))
                .then(found => done(found.violations.map(one =>
                    `${one.id}: ${one.nodes.map(node => `${node.html} ${node.failureSummary}`).join('; ')}`)))
                .catch(error => done([`axe did not run: ${error}`]))";
        let found = self
            .browser
            .driver()
            .execute_async(format!("{axe};{check}"), vec![json!(RULES)])
            .await?;
        Ok(found.convert()?)
    }

    async fn is_accessible(&self, axe: &str, state: &str) -> Result<()> {
        assert_eq!(self.violations(axe).await?, Vec::<String>::new(), "{state}");
        Ok(())
    }

    async fn emulate(&self, feature: &str, value: &str) -> Result<()> {
        let media = json!({"features": [{"name": feature, "value": value}]});
        self.browser.driver().cdp().send_raw("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }

    async fn unfold_all(&self, open: bool) -> Result<()> {
        let body = "document.querySelectorAll('details').forEach(one => { one.open = arguments[0] }); return true";
        self.browser.script::<bool>(body, vec![json!(open)]).await.map(drop)
    }
}

#[tokio::test]
async fn the_pages_states_keep_to_the_rules() -> Result<()> {
    for phone in [false, true] {
        let options = BrowserOptions { phone, ..BrowserOptions::default() };
        let Some(stage) = stage("accessibility", options).await? else { return Ok(()) };
        let code = axe::code().ok_or("axe-core is not in the cache");
        let Some(axe) = require("page: accessibility", code) else { return Ok(()) };
        stage.open("tiny").await?;
        stage.browser.attribute_becomes("model-card", "data-state", &["absent"]).await?;
        for scheme in ["light", "dark"] {
            stage.emulate("prefers-color-scheme", scheme).await?;
            stage.is_accessible(&axe, &format!("empty, {scheme}, phone: {phone}")).await?;
        }
        stage.start(TEXT, " , ").await?;
        stage.is_accessible(&axe, &format!("bad input, phone: {phone}")).await?;
        stage.extract(TEXT, FEATURES).await?;
        stage.browser.click("accept-all").await?;
        for scheme in ["light", "dark"] {
            stage.emulate("prefers-color-scheme", scheme).await?;
            stage.is_accessible(&axe, &format!("results, {scheme}, phone: {phone}")).await?;
        }
        stage.browser.click("template-save").await?;
        stage.browser.element("template-name").await?.send_keys("Mine" + Key::Enter).await?;
        stage.browser.element("own-template").await?;
        stage.unfold_all(true).await?;
        stage.is_accessible(&axe, &format!("all unfolded, phone: {phone}")).await?;
        stage.unfold_all(false).await?;

        let files = crate::list::Files::new()?;
        stage.browser.click("view-list").await?;
        stage.is_accessible(&axe, &format!("no list, phone: {phone}")).await?;
        stage.open_list(&files.write("shop.csv", &crate::list::shop(8))?).await?;
        stage.browser.fill("features", "Brand, Color").await?;
        stage.browser.click("list-start").await?;
        stage.list_becomes("finished").await?;
        let first = "document.querySelector('[data-testid=product] button').click(); return true";
        stage.browser.script::<bool>(first, vec![]).await?;
        stage.browser.element("list-tag").await?;
        for scheme in ["light", "dark"] {
            stage.emulate("prefers-color-scheme", scheme).await?;
            stage.is_accessible(&axe, &format!("a list, {scheme}, phone: {phone}")).await?;
        }
    }
    Ok(())
}

/// Shows that the test above can fail.
#[tokio::test]
async fn what_is_against_the_rules_is_found() -> Result<()> {
    let Some(stage) = stage("accessibility, broken", BrowserOptions::default()).await? else {
        return Ok(());
    };
    let code = axe::code().ok_or("axe-core is not in the cache");
    let Some(axe) = require("page: accessibility, broken", code) else { return Ok(()) };
    stage.open("tiny").await?;
    let spoil = "document.querySelector('label[for=text]').remove();
        document.querySelector('h1').style.color = 'rgb(200, 200, 200)'; return true";
    stage.browser.script::<bool>(spoil, vec![]).await?;
    let found: Vec<String> = stage.violations(&axe).await?;
    let names: Vec<&str> = found.iter().filter_map(|one| one.split(':').next()).collect();
    assert_eq!(names, ["color-contrast", "label-title-only"], "{found:?}");
    Ok(())
}

#[tokio::test]
async fn the_keyboard_goes_from_top_to_bottom_and_nothing_moves_for_those_who_do_not_want_it()
-> Result<()> {
    let Some(stage) = stage("keyboard", BrowserOptions::default()).await? else { return Ok(()) };
    stage.emulate("prefers-reduced-motion", "reduce").await?;
    stage.open("tiny").await?;
    stage.extract(TEXT, "Brand, Color").await?;
    let said = stage.browser.text("engine-said").await?.unwrap_or_default();
    assert_eq!(said, "The model is ready", "what a screen reader is told");
    let moving: Vec<String> = stage
        .browser
        .script(
            "return [...document.querySelectorAll('*')].filter(one => {
                const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(one);
                const fades = transitionDuration.split(', ').some(time => parseFloat(time) > 0);
                return fades || (animationName !== 'none' && one.tagName !== 'PROGRESS') || scrollBehavior === 'smooth';
            }).map(one => `${one.tagName}.${one.className}`)",
            vec![],
        )
        .await?;
    assert_eq!(moving, Vec::<String>::new());

    // Every stop of the Tab key, in order; what is seen first is reached first.
    stage
        .browser
        .script::<bool>("document.querySelector('.skip').focus(); return true", vec![])
        .await?;
    let mut stops = Vec::new();
    let driver = stage.browser.driver();
    for _ in 0..80 {
        driver.action_chain().send_keys(Key::Tab).perform().await?;
        let stop: Value = stage
            .browser
            .script(
                "const one = document.activeElement;
                const outline = getComputedStyle(one);
                return one === document.body ? null : {
                    name: one.dataset.testid ?? one.id ?? one.className,
                    isSeen: outline.outlineStyle !== 'none' || outline.boxShadow !== 'none',
                }",
                vec![],
            )
            .await?;
        if stop.is_null() {
            break;
        }
        assert_eq!(stop["isSeen"], json!(true), "the keyboard's place is not to be seen: {stop}");
        stops.push(stop["name"].as_str().unwrap_or_default().to_owned());
    }
    let place = |name: &str| stops.iter().position(|stop| stop == name);
    let order = ["text", "features", "extract", "copy-table", "isolation-check"].map(place);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} of {stops:?}");
    Ok(())
}
