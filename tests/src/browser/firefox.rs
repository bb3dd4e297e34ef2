//! Firefox through geckodriver, with Mesa's lavapipe where there is no GPU.

use super::BrowserOptions;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use thirtyfour::prelude::*;

/// The browser's own log of requests, in its profile's folder; Firefox adds an ending.
const NET_LOG: &str = "net-log";

pub fn driver(program: &Path, profile: &Path, options: BrowserOptions) -> Command {
    let mut command = Command::new(program);
    // Port 0 is any that is free. The second, of WebDriver BiDi, is not used, but is taken nevertheless.
    command.args(["--port=0", "--websocket-port=0", "--profile-root"]).arg(profile);
    if options.net_log {
        command.env("MOZ_LOG", "nsHttp:3").env("MOZ_LOG_FILE", profile.join(NET_LOG));
    }
    // Firefox complains there of what it misses of a desktop.
    command.stderr(Stdio::null());
    command
}

/// The port in geckodriver's line about it.
pub fn port(line: &str) -> Option<u16> {
    line.split_once("Listening on 127.0.0.1:")?.1.trim().parse().ok()
}

pub fn capabilities(program: &Path, options: BrowserOptions) -> Result<Capabilities> {
    if options.phone || options.tasks {
        bail!("Firefox plays no telephone, and has no trace of its tasks");
    }
    let firefox = json!({
        "binary": program,
        "args": ["-headless", "--width=1280", "--height=1000"],
        "prefs": preferences(options),
    });
    let mut caps = Capabilities::new();
    caps.set("browserName", "firefox")?;
    caps.set("moz:firefoxOptions", firefox)?;
    Ok(caps)
}

fn preferences(options: BrowserOptions) -> Value {
    let mut preferences = json!({
        // On Linux it is still off, and drivers that only play a GPU are on a list of those not to be trusted.
        "dom.webgpu.enabled": !options.without_webgpu,
        "gfx.webgpu.ignore-blocklist": true,
        // The page speaks the browser's language, and the tests read English.
        "intl.accept_languages": "en-US",
    });
    if options.without_storage {
        preferences["network.cookie.cookieBehavior"] = json!(2);
    }
    preferences
}

/// The addresses in the log of requests, without those that Firefox asks of its maker for itself. The log has their first
/// lines and hosts, and no schemes; nor has it what a page's policy stopped.
pub fn logged_requests(profile: &Path) -> Result<Vec<String>> {
    let log = std::fs::read_to_string(profile.join(format!("{NET_LOG}.moz_log")))?;
    let mut target = None;
    let requests = log.lines().filter_map(|line| {
        let (_, line) = line.split_once("E/nsHttp   ")?;
        if let Some((request, _)) = line.split_once(" HTTP/1.1") {
            target = request.split(' ').nth(1);
        }
        let host = line.strip_prefix("Host: ")?.trim();
        Some((host, target.take()?))
    });
    Ok(requests
        .filter(|(host, _)| !is_of_maker(host))
        .map(|(host, target)| format!("http://{host}{target}"))
        .collect())
}

fn is_of_maker(host: &str) -> bool {
    host.ends_with(".mozilla.com") || host.ends_with(".mozilla.org")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = "E/nsHttp http request [\nE/nsHttp   GET /v1/ HTTP/1.1\nE/nsHttp   Host: settings.mozilla.com\n\
            E/nsHttp uri=https://stopped.example/\n\
            E/nsHttp   GET /a?b HTTP/1.1\nE/nsHttp   Host: example.org:81\nE/nsHttp   Accept: */*\n";
        std::fs::write(folder.path().join("net-log.moz_log"), log).unwrap();
        assert_eq!(logged_requests(folder.path()).unwrap(), ["http://example.org:81/a?b"]);
    }

    #[test]
    fn the_port_is_in_what_the_driver_prints() {
        let line = "1764115000000\tgeckodriver\tINFO\tListening on 127.0.0.1:38033";
        assert_eq!(port(line), Some(38033));
        assert_eq!(port("1764115000000\tgeckodriver\tINFO\tStarting"), None);
    }
}
