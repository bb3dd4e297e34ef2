//! A headless browser with WebGPU, driven through its own driver, and the page as the tests see it.

mod chromium;
mod firefox;
mod memory;
mod tasks;

pub use memory::Memory;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::prelude::*;

/// How long anything on the page may take if nothing else is said: software GPUs are slow, and a test fails by its own message,
/// not by this.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whose browser it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Chromium or Chrome, with chromedriver.
    #[default]
    Chromium,
    /// Firefox, with geckodriver.
    Firefox,
}

/// What kind of browser is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct BrowserOptions {
    /// Whose.
    pub kind: Kind,
    /// Take WebGPU away.
    pub without_webgpu: bool,
    /// Let pages keep nothing: no cookies, no databases, no files.
    pub without_storage: bool,
    /// A telephone of 360 by 740 points; of Chromium only.
    pub phone: bool,
    /// Write down every request, for [`Browser::end`].
    pub net_log: bool,
    /// Write down every task, for [`Browser::recorded_tasks`]; of Chromium only.
    pub tasks: bool,
    /// How long anything on the page may take; ten minutes if not given.
    pub patience: Option<Duration>,
}

/// A running browser with a profile of its own. Dropping it ends browser and driver.
pub struct Browser {
    driver: Option<WebDriver>,
    process: Child,
    port: u16,
    profile: TempDir,
    kind: Kind,
    patience: Duration,
}

impl Browser {
    /// Starts the driver at `driver` and with it the browser at `program`, both of the kind of `options`.
    ///
    /// # Errors
    /// When one of them does not start, or cannot do what is wanted.
    pub async fn start(driver: &Path, program: &Path, options: BrowserOptions) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let (command, caps) = match options.kind {
            Kind::Chromium => (
                chromium::driver(driver),
                chromium::capabilities(program, profile.path(), options)?,
            ),
            Kind::Firefox => (
                firefox::driver(driver, profile.path(), options),
                firefox::capabilities(program, options)?,
            ),
        };
        let (process, port) = start_driver(command)?;
        let (kind, patience) = (options.kind, options.patience.unwrap_or(PATIENCE));
        let mut browser = Self { driver: None, process, port, profile, kind, patience };
        let address = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::builder(address, caps).request_timeout(patience).connect().await?;
        driver.set_script_timeout(patience).await?;
        browser.driver = Some(driver);
        Ok(browser)
    }

    /// Whose browser it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The WebDriver session.
    ///
    /// # Panics
    /// Never after [`Browser::start`] has returned.
    pub fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("the session lives as long as the browser")
    }

    /// Runs a function body in the page, with `arguments`, and returns what it returns.
    ///
    /// # Errors
    /// When it throws, or returns something else than a `T`.
    pub async fn script<T: for<'a> Deserialize<'a>>(
        &self,
        body: &str,
        arguments: Vec<Value>,
    ) -> Result<T> {
        let returned =
            self.driver().execute(body, arguments).await.with_context(|| body.to_owned())?;
        Ok(returned.convert()?)
    }

    /// Runs a command of Chromium's developer tools.
    ///
    /// # Errors
    /// When chromedriver is gone or refuses, and in any other browser.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<()> {
        let body = json!({"cmd": command, "params": parameters}).to_string();
        let session = self.driver().handle().session_id().to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(
            stream,
            "POST /session/{session}/goog/cdp/execute HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        // It keeps the connection, so that there is no end to read to.
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        match &answer {
            b"HTTP/1.1 200" => Ok(()),
            other => bail!("{command}: {}", String::from_utf8_lossy(other)),
        }
    }

    /// The element with this test id, once it is there.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn element(&self, test_id: &str) -> Result<WebElement> {
        let selector = format!("[data-testid=\"{test_id}\"]");
        self.until(&format!("no element {test_id}"), async || {
            Ok(self.driver().find(By::Css(&selector)).await.ok())
        })
        .await
    }

    /// Loads the page again, as a person does; geckodriver's own command for it passes the service worker by.
    ///
    /// # Errors
    /// When no other page comes.
    pub async fn reload(&self) -> Result<()> {
        let body = "document.documentElement.dataset.old = ''; setTimeout(() => location.reload()); return true";
        self.script::<bool>(body, vec![]).await?;
        let is_new = "return document.documentElement.dataset.old === undefined || null";
        self.until("the page is not loaded again", async || {
            // Between two pages there is none to ask.
            Ok(self.script::<Option<bool>>(is_new, vec![]).await.ok().flatten())
        })
        .await
        .map(drop)
    }

    /// Text of the element with this test id, or `None` if there is none.
    ///
    /// # Errors
    /// When the session is gone.
    pub async fn text(&self, test_id: &str) -> Result<Option<String>> {
        let body = "return document.querySelector(`[data-testid=\"${arguments[0]}\"]`)?.textContent ?? null";
        self.script(body, vec![json!(test_id)]).await
    }

    /// Attribute of the element with this test id, or `None` if one or the other is absent.
    ///
    /// # Errors
    /// When the session is gone.
    pub async fn attribute(&self, test_id: &str, name: &str) -> Result<Option<String>> {
        let body = "return document.querySelector(`[data-testid=\"${arguments[0]}\"]`)?.getAttribute(arguments[1]) ?? null";
        self.script(body, vec![json!(test_id), json!(name)]).await
    }

    /// Clicks the element with this test id.
    ///
    /// # Errors
    /// When it does not come or is covered.
    pub async fn click(&self, test_id: &str) -> Result<()> {
        let element = self.element(test_id).await?;
        element.scroll_into_view().await?;
        Ok(element.click().await?)
    }

    /// Replaces what is in a text field. Keys are not pressed: chromedriver has none for emoji.
    ///
    /// # Errors
    /// When there is no such field.
    pub async fn fill(&self, test_id: &str, text: &str) -> Result<()> {
        self.element(test_id).await?;
        let body = "const field = document.querySelector(`[data-testid=\"${arguments[0]}\"]`);
            field.value = arguments[1];
            field.dispatchEvent(new Event('input', { bubbles: true }));
            field.dispatchEvent(new Event('change', { bubbles: true }));
            return true";
        self.script::<bool>(body, vec![json!(test_id), json!(text)]).await.map(|_| ())
    }

    /// Waits until the attribute of the element with this test id is one of `values`, and returns it.
    ///
    /// # Errors
    /// When it does not become so; with what the page says of itself.
    pub async fn attribute_becomes(
        &self,
        test_id: &str,
        name: &str,
        values: &[&str],
    ) -> Result<String> {
        let wanted = format!("{name} of {test_id} did not become {values:?}");
        self.until(&wanted, async || {
            let value = self.attribute(test_id, name).await?;
            Ok(value.filter(|value| values.contains(&value.as_str())))
        })
        .await
    }

    /// Asks `found` until it has something.
    ///
    /// # Errors
    /// When it has nothing for too long (`problem`, and the page's text), or fails.
    pub async fn until<T>(
        &self,
        problem: &str,
        mut found: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(value) = found().await? {
                return Ok(value);
            }
            if start.elapsed() > self.patience {
                let page: String = self.script("return document.body.innerText", vec![]).await?;
                let log = self
                    .driver()
                    .browser_log()
                    .await
                    .map(|log| format!("{log:?}"))
                    .unwrap_or_default();
                let patience = self.patience;
                bail!("{problem} within {patience:?}. The page:\n{page}\nIts console:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Browser {
    /// Ends the browser; the address of every request that it made for a page or worker, below the web platform and
    /// whatever the page knew of it. Needs [`BrowserOptions::net_log`].
    ///
    /// # Errors
    /// When there is no log.
    pub fn end(mut self) -> Result<Vec<String>> {
        self.shut_down();
        match self.kind {
            Kind::Chromium => chromium::logged_requests(self.profile.path()),
            Kind::Firefox => firefox::logged_requests(self.profile.path()),
        }
    }

    /// What its processes have of the computer's memory now. Linux tells; elsewhere it is an error.
    ///
    /// # Errors
    /// When the system does not tell, or no page is open.
    pub fn memory(&self) -> Result<Memory> {
        memory::of_descendants(self.process.id())
    }

    fn shut_down(&mut self) {
        let session = self.driver.take().map(|driver| {
            let session = driver.handle().session_id().to_string();
            driver.leak().ok();
            session
        });
        // Killed, a driver would leave its browser behind.
        let request = match (self.kind, session) {
            (Kind::Chromium, _) => Some("GET /shutdown".to_owned()),
            (Kind::Firefox, session) => session.map(|session| format!("DELETE /session/{session}")),
        };
        if let Some(request) = request {
            ask(self.port, &request).ok();
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Asks the driver for something and waits for its answer, whatever it is: it comes when the browser is gone.
fn ask(port: u16, request: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!("{request} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Times that a driver is started: chromedriver chooses a free port of IPv4, and ends if that of IPv6 is taken.
const STARTS: usize = 3;

/// The driver, and the port that it chose.
fn start_driver(mut command: Command) -> Result<(Child, u16)> {
    for _ in 1..STARTS {
        if let Ok(started) = try_start_driver(&mut command) {
            return Ok(started);
        }
    }
    try_start_driver(&mut command)
}

fn try_start_driver(command: &mut Command) -> Result<(Child, u16)> {
    let mut process = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let port = read_port(&mut process);
    if port.is_err() {
        process.kill().ok();
        process.wait().ok();
    }
    Ok((process, port?))
}

/// From what a driver prints.
fn read_port(process: &mut Child) -> Result<u16> {
    let stdout = process.stdout.take().context("the driver has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut seen = String::new();
    for line in lines.by_ref() {
        let line = line?;
        if let Some(port) = chromium::port(&line).or_else(|| firefox::port(&line)) {
            // Read on, so that the driver never waits for room to print.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(port);
        }
        seen.push_str(&line);
    }
    bail!("the driver names no port: {seen}")
}
