//! Engines that die at work. The page has no door for that: the test puts a few lines before the worker's script, which lets
//! it throw or destroy its GPU device as a browser does and count what it takes of the GPU, and listens to what the page asks.

use anyhow::Result;
use hangtag_tests::browser::BrowserOptions;
use serde_json::json;

use crate::TEXT;
use crate::list::{self, Files, the_downloads_hold_what_the_native_engine_gives};
use crate::stage::{Row, Stage, stage};

const IN_WORKER: &str = r"
    const devices = [];
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...wishes) {
        const device = await request.apply(this, wishes);
        devices.push(device);
        return device;
    };
    const create = GPUDevice.prototype.createBuffer;
    let gpuBytes = 0;
    GPUDevice.prototype.createBuffer = function (wish) {
        postMessage({ gpuBytes: gpuBytes += wish.size });
        return create.call(this, wish);
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
";

const IN_PAGE: &str = r#"
    window.workers = [];
    window.asked = [];
    window.Worker = class extends Worker {
        constructor(...wishes) {
            super(...wishes);
            this.gpuBytes = 0;
            this.addEventListener('message', event => {
                if (event.data.gpuBytes) {
                    event.stopImmediatePropagation();
                    this.gpuBytes = event.data.gpuBytes;
                }
            });
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
    pub fn allow_faults(&self) -> Result<()> {
        self.before_workers(IN_WORKER)?;
        self.before_page(IN_PAGE)
    }

    async fn fault(&self, name: &str) -> Result<()> {
        let body = "workers.at(-1).fault(arguments[0]); return true";
        self.browser.script::<bool>(body, vec![json!(name)]).await.map(drop)
    }

    async fn workers(&self) -> Result<usize> {
        self.browser.script("return workers.length", vec![]).await
    }

    /// Bytes of GPU buffers that the page's worker has made so far.
    pub async fn gpu_bytes(&self) -> Result<u64> {
        self.browser.script("return workers.at(-1).gpuBytes", vec![]).await
    }

    /// Waits until some of the [`MANY`] features are answered.
    pub async fn some_are_answered(&self) -> Result<()> {
        self.browser
            .until("no feature is answered", async || {
                let pending = self.count("[data-testid=row][data-state=pending]").await?;
                Ok((pending < MANY).then_some(()))
            })
            .await
    }

    /// Waits for the end of a run, which must be a good one.
    pub async fn finishes(&self) -> Result<Vec<Row>> {
        let ends = ["finished", "failed", "stopped"];
        let phase = self.browser.attribute_becomes("results", "data-phase", &ends).await?;
        assert_eq!(phase, "finished", "{:?}", self.browser.text("run-error").await?);
        self.rows().await
    }
}

/// So many features that a run can be disturbed before its end.
const MANY: usize = 70;

/// The names of [`MANY`] features.
pub fn many() -> String {
    let names: Vec<String> = (0..MANY).map(|i| format!("Property {i}")).collect();
    names.join(", ")
}

pub fn values(rows: &[Row]) -> Vec<(&str, Option<&str>)> {
    rows.iter().map(|row| (row.name.as_str(), row.value.as_deref())).collect()
}

#[tokio::test]
async fn an_engine_that_dies_at_work_is_started_again_and_goes_on() -> Result<()> {
    let Some(stage) = stage("dying engines", BrowserOptions::default()).await? else {
        return Ok(());
    };
    stage.allow_faults()?;
    let many = many();
    stage.open("tiny").await?;
    let undisturbed = stage.extract(TEXT, &many).await?;
    let downloads = stage.site.weight_requests();

    // An uncaught error, a lost GPU, and a message of another version.
    for fault in ["throw", "lose", "{\"type\":\"dance\"}"] {
        stage.open("tiny").await?;
        stage.browser.attribute_becomes("model-card", "data-state", &["ready"]).await?;
        stage.start(TEXT, &many).await?;
        stage.some_are_answered().await?;
        stage.fault(fault).await?;
        let rows = stage.finishes().await?;
        assert_eq!(values(&rows), values(&undisturbed), "{fault}");
        let asked: Vec<usize> = stage.browser.script("return asked", vec![]).await?;
        assert_eq!(asked.len(), 2, "{fault}: asked for {asked:?} features");
        assert!(asked[0] == MANY && asked[1] < MANY, "{fault}: asked for {asked:?} features");
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
