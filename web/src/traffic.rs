//! The requests that the page and its workers make, as the browser tells of them, and what to say of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::plural;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Where it went: name and port.
    pub host: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: f64,
}

/// How many requests there were, and where they went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Requests to the page's own site.
    pub own: usize,
    /// Requests to other sites, by host.
    pub elsewhere: BTreeMap<String, usize>,
    /// Requests that began when the model had been loaded; nothing while it has not.
    pub since_loaded: Option<usize>,
}

impl Traffic {
    /// Counts requests of a page from `own_host` whose model was loaded at `loaded_ms`.
    pub fn of(requests: &[Request], own_host: &str, loaded_ms: Option<f64>) -> Self {
        let mut traffic = Self { own: 0, elsewhere: BTreeMap::new(), since_loaded: None };
        for request in requests {
            match request.host == own_host {
                true => traffic.own += 1,
                false => *traffic.elsewhere.entry(request.host.clone()).or_default() += 1,
            }
        }
        let later = |loaded_ms: f64| requests.iter().filter(move |one| one.began_ms > loaded_ms);
        traffic.since_loaded = loaded_ms.map(|loaded_ms| later(loaded_ms).count());
        traffic
    }

    /// All requests.
    pub fn count(&self) -> usize {
        self.own + self.elsewhere.values().sum::<usize>()
    }

    /// Where the requests went, for a page from `own_host`.
    pub fn places(&self, own_host: &str) -> String {
        let requests = plural(self.count(), "request", "requests");
        if self.elsewhere.is_empty() {
            return match self.own {
                1 => format!("{requests}, to this site ({own_host})"),
                _ => format!("{requests}, all to this site ({own_host})"),
            };
        }
        let others: Vec<String> =
            self.elsewhere.iter().map(|(host, count)| format!("{count} to {host}")).collect();
        format!("{requests}: {} to this site ({own_host}), {}", self.own, others.join(", "))
    }

    /// How many there were since the model was loaded.
    pub fn since_loaded_words(&self) -> &'static str {
        match self.since_loaded {
            None => "The model is not loaded yet.",
            Some(0) => "None since the model was loaded.",
            Some(1) => "One of them since the model was loaded.",
            Some(_) => "Some of them since the model was loaded.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, began_ms: f64) -> Request {
        Request { host: host.to_owned(), began_ms }
    }

    #[test]
    fn requests_are_counted_by_place_and_time() {
        let requests = [request("own:1", 5.0), request("b.org", 7.0), request("own:1", 9.0)];
        let traffic = Traffic::of(&requests, "own:1", Some(7.0));
        assert_eq!((traffic.own, traffic.count(), traffic.since_loaded), (2, 3, Some(1)));
        assert_eq!(traffic.places("own:1"), "3 requests: 2 to this site (own:1), 1 to b.org");
        assert_eq!(Traffic::of(&requests, "own:1", Some(9.0)).since_loaded, Some(0));
    }

    #[test]
    fn a_port_of_its_own_is_another_site() {
        let traffic = Traffic::of(&[request("own:2", 1.0)], "own:1", None);
        assert_eq!((traffic.own, traffic.elsewhere.len()), (0, 1));
    }

    #[test]
    fn the_words_are_plain() {
        let requests = [request("own", 1.0), request("own", 2.0)];
        let traffic = Traffic::of(&requests, "own", Some(3.0));
        assert_eq!(traffic.places("own"), "2 requests, all to this site (own)");
        assert_eq!(traffic.since_loaded_words(), "None since the model was loaded.");
        let before = Traffic::of(&requests[..1], "own", None);
        assert_eq!(before.places("own"), "1 request, to this site (own)");
        assert_eq!(before.since_loaded_words(), "The model is not loaded yet.");
    }
}
