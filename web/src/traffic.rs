//! The requests that the page and its workers make, as the browser tells of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
        assert_eq!(traffic.elsewhere["b.org"], 1);
        assert_eq!(Traffic::of(&requests, "own:1", Some(9.0)).since_loaded, Some(0));
    }

    #[test]
    fn a_port_of_its_own_is_another_site() {
        let traffic = Traffic::of(&[request("own:2", 1.0)], "own:1", None);
        assert_eq!((traffic.own, traffic.elsewhere.len()), (0, 1));
    }
}
