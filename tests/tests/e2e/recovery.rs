//! Engines that die at work. The page has no door for that: the test puts a few lines before the worker's script, which lets
//! it throw or destroy its GPU device as a browser does, and listens to what the page asks of it.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;

use crate::TEXT;
use crate::list::{self, Files, the_downloads_hold_what_the_native_engine_gives};
use crate::stage::{Row, Stage, stage};

const FAULTS: &str = r#"
    const prelude = `
        const devices = [];
        const request = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (...wishes) {
            const device = await request.apply(this, wishes);
            devices.push(device);
            return device;
        };
        const faults = {
            throw: () => setTimeout(() => { throw new Error('a fault of the test') }),
            lose: () => devices.forEach(device => device.destroy()),
        };
        addEventListener('message', event => {
            const fault = faults[event.data];
            if (fault) {
                event.stopImmediatePropagation();
                fault();
            }
        });
    `;
    const make = URL.createObjectURL;
    URL.createObjectURL = blob => make.call(
        URL,
        blob.type === 'text/javascript' ? new Blob([prelude, blob], { type: blob.type }) : blob,
    );
    window.workers = [];
    window.asked = [];
    window.Worker = class extends Worker {
        constructor(...wishes) {
            super(...wishes);
            workers.push(this);
        }
        fault(name) {
            super.postMessage(name);
        }
        postMessage(message) {
            const { type, features } = JSON.parse(message);
            if (features) asked.push(features.length);
            if (type === 'load' && sessionStorage.fault) return this.fault(sessionStorage.fault);
            super.postMessage(message);
        }
    };
"#;

impl Stage {
    /// Lets every page that is opened from now on have its faults.
    fn allow_faults(&self) -> Result<()> {
        self.browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": FAULTS}))
    }

    async fn fault(&self, name: &str) -> Result<()> {
        let body = "workers.at(-1).fault(arguments[0]); return true";
        self.browser.script::<bool>(body, vec![json!(name)]).await.map(drop)
    }

    async fn workers(&self) -> Result<usize> {
        self.browser.script("return workers.length", vec![]).await
    }

    async fn finishes(&self) -> Result<Vec<Row>> {
        let ends = ["finished", "failed", "stopped"];
        let phase = self.browser.attribute_becomes("results", "data-phase", &ends).await?;
        assert_eq!(phase, "finished", "{:?}", self.browser.text("run-error").await?);
        self.rows().await
    }
}

fn values(rows: &[Row]) -> Vec<(&str, Option<&str>)> {
    rows.iter().map(|row| (row.name.as_str(), row.value.as_deref())).collect()
}

#[tokio::test]
async fn an_engine_that_dies_at_work_is_started_again_and_goes_on() -> Result<()> {
    let Some(stage) = stage("dying engines", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.allow_faults()?;
    let many: Vec<String> = (0..500).map(|i| format!("Property {i}")).collect();
    let many = many.join(", ");
    stage.open("tiny").await?;
    let undisturbed = stage.extract(TEXT, &many).await?;
    let downloads = stage.site.weight_requests();

    // An uncaught error, a lost GPU, and a message of another version.
    for fault in ["throw", "lose", "{\"type\":\"dance\"}"] {
        stage.open("tiny").await?;
        stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
        stage.start(TEXT, &many).await?;
        stage
            .browser
            .until(&format!("{fault}: no feature is answered"), async || {
                let pending = stage.count("[data-testid=row][data-state=pending]").await?;
                Ok((pending < 500).then_some(()))
            })
            .await?;
        stage.fault(fault).await?;
        let rows = stage.finishes().await?;
        assert_eq!(values(&rows), values(&undisturbed), "{fault}");
        let asked: Vec<usize> = stage.browser.script("return asked", vec![]).await?;
        assert_eq!(asked.len(), 2, "{fault}: asked for {asked:?} features");
        assert!(asked[0] == 500 && asked[1] < 500, "{fault}: asked for {asked:?} features");
        assert_eq!(stage.workers().await?, 2, "{fault}");
        stage.browser.element("model-restarted").await?;
        assert_eq!(stage.site.weight_requests(), downloads, "{fault}: downloaded again");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_goes_on_after_its_gpu_is_lost() -> Result<()> {
    let Some(stage) = stage("a GPU lost in a list", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.allow_faults()?;
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("shop.csv", &list::shop(40))?).await?;
    stage.browser.fill("features", list::FEATURES).await?;
    stage.browser.click("list-start").await?;
    stage
        .browser
        .until("no product is filled in", async || Ok((stage.done().await? > 2).then_some(())))
        .await?;
    stage.fault("lose").await?;
    stage.browser.element("model-restarted").await?;
    stage.list_becomes("finished").await?;
    assert_eq!(stage.done().await?, 40);
    assert_eq!(stage.workers().await?, 2);
    the_downloads_hold_what_the_native_engine_gives(&stage).await
}

#[tokio::test]
async fn an_engine_that_always_dies_is_given_up_with_a_button() -> Result<()> {
    let Some(stage) = stage("an engine beyond help", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.allow_faults()?;
    stage.open("tiny").await?;
    stage.browser.script::<bool>("sessionStorage.fault = 'throw'; return true", vec![]).await?;
    stage.start(TEXT, "Brand, Color").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["failed"]).await?;
    let error = stage.browser.text("model-error").await?.unwrap_or_default();
    assert!(error.contains("a fault of the test"), "{error}");
    assert_eq!(stage.workers().await?, 3, "it was started again another number of times than two");

    stage.browser.script::<bool>("sessionStorage.clear(); return true", vec![]).await?;
    stage.browser.click("model-restart").await?;
    stage.browser.attribute_becomes("model-card", "data-state", &["absent", "ready"]).await?;
    assert_eq!(stage.extract(TEXT, "Brand, Color").await?.len(), 2);
    assert_eq!(stage.count("[data-testid=model-error], [data-testid=run-error]").await?, 0);
    Ok(())
}
