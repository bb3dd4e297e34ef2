//! Chromium or Chrome through chromedriver, with SwiftShader where there is no GPU.

use super::{BrowserOptions, tasks};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;

/// The browser's own log of requests, in its profile folder.
const NET_LOG: &str = "net-log.json";

pub fn driver(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--port=0");
    command
}

/// The port in chromedriver's line about it.
pub fn port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("started successfully on port ")?;
    rest.trim_end_matches('.').parse().ok()
}

pub fn capabilities(
    program: &Path,
    profile: &Path,
    options: BrowserOptions,
) -> Result<Capabilities> {
    let mut caps = DesiredCapabilities::chrome();
    caps.set_binary(&program.display().to_string())?;
    let net_log = format!("--log-net-log={}", profile.join(NET_LOG).display());
    let profile = format!("--user-data-dir={}", profile.display());
    let webgpu = match options.without_webgpu {
        true => "--disable-features=WebGPU,WebGPUService",
        false => "--enable-unsafe-webgpu",
    };
    let fixed = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1280,1000",
        "--no-first-run",
        // The page speaks the browser's language, and the tests read English.
        "--accept-lang=en-US",
    ];
    for argument in fixed.into_iter().chain([webgpu, &profile]) {
        caps.add_arg(argument)?;
    }
    if options.net_log {
        caps.add_arg(&net_log)?;
    }
    if options.phone {
        let screen = json!({"deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2.0, "touch": true}});
        caps.add_experimental_option("mobileEmulation", screen)?;
    }
    if options.without_storage {
        let forbidden = json!({"profile.default_content_setting_values.cookies": 2});
        caps.add_experimental_option("prefs", forbidden)?;
    }
    let mut logs = json!({"browser": "ALL"});
    if options.tasks {
        logs["performance"] = json!("ALL");
        let trace = json!({"enableNetwork": false, "enablePage": false, "traceCategories": tasks::CATEGORIES});
        caps.add_experimental_option("perfLoggingPrefs", trace)?;
    }
    let mut caps = Capabilities::from(caps);
    caps.set("goog:loggingPrefs", logs)?;
    Ok(caps)
}

/// The addresses in the log of requests.
pub fn logged_requests(profile: &Path) -> Result<Vec<String>> {
    let log = std::fs::read_to_string(profile.join(NET_LOG))?;
    // One event a line. What Chromium asks for itself names no site that it asks for.
    let requests = log.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line.trim_end_matches(',')).ok()?;
        let params = event.get("params")?;
        params.get("initiator")?.as_str().filter(|site| site.starts_with("http"))?;
        Some(params.get("url")?.as_str()?.to_owned())
    });
    Ok(requests.collect())
}
