//! Words about what keeps the text on the device, with the count of requests.

use crate::traffic::Traffic;
use crate::units::{count, plural};
use crate::words::Language::{Dutch, English};

part! {
    /// What keeps the text on the device, and how to see that it does. Backticks are around code.
    Privacy {
        title,
        enforced,
        no_server,
        no_server_at_all,
        policy,
        policy_of_bundle,
        kept,
        verify,
        developer_tools,
        offline,
        proof,
        made(places: &str),
        one_to(host: &str),
        all_to(requests: usize, host: &str),
        some_to(requests: usize, own: usize, host: &str, others: &str),
        others_to(requests: usize, host: &str),
        not_loaded,
        none_since,
        one_since,
        some_since,
        check,
        blocked,
        open,
    }
}

pub const ENGLISH: Privacy = Privacy {
    title: "Private by construction",
    enforced: "What is enforced",
    no_server: "The model runs on your own device. There is no server that reads texts: this site only hands out files.",
    no_server_at_all: "The model runs on your own device. There is no server at all: this page is one file on your own device.",
    policy: "The page's Content-Security-Policy says `connect-src 'self'`: your browser refuses requests to any other site, from the page and from the engine.",
    policy_of_bundle: "The page's Content-Security-Policy says `connect-src 'none'`: your browser refuses every request, from the page and from the engine.",
    kept: "Model, last text, feature list and an open list of products stay in this browser's storage until you delete them. No cookies, no analytics, no outside fonts or scripts.",
    verify: "How to verify it",
    developer_tools: "Open the developer tools (F12), tab Network, and press Extract: nothing is sent. The count below is the browser's own record of the same.",
    offline: "Or go offline once the model is loaded. It works just the same.",
    proof: "Or let your browser prove it: the button makes page and engine try to reach another site.",
    made: |places| format!("Since you opened it, this page has made {places}."),
    one_to: |host| format!("1 request, to this site ({host})"),
    all_to: |requests, host| {
        format!("{}, all to this site ({host})", plural(English, requests, "request", "requests"))
    },
    some_to: |requests, own, host, others| {
        let requests = plural(English, requests, "request", "requests");
        format!("{requests}: {} to this site ({host}), {others}", count(English, own))
    },
    others_to: |requests, host| format!("{} to {host}", count(English, requests)),
    not_loaded: "The model is not loaded yet.",
    none_since: "None since the model was loaded.",
    one_since: "One of them since the model was loaded.",
    some_since: "Some of them since the model was loaded.",
    check: "Try to reach another site",
    blocked: "Refused by your browser, for page and engine",
    open: "Not refused: this copy of Hangtag is served without its policy",
};

pub const DUTCH: Privacy = Privacy {
    title: "Privé van opzet",
    enforced: "Wat is afgedwongen",
    no_server: "Het model draait op je eigen apparaat. Er is geen server die teksten leest: deze website geeft alleen bestanden.",
    no_server_at_all: "Het model draait op je eigen apparaat. Er is helemaal geen server: deze pagina is één bestand op je eigen apparaat.",
    policy: "De Content-Security-Policy van de pagina zegt `connect-src 'self'`: je browser weigert verzoeken aan elke andere website, van de pagina en van het model.",
    policy_of_bundle: "De Content-Security-Policy van de pagina zegt `connect-src 'none'`: je browser weigert elk verzoek, van de pagina en van het model.",
    kept: "Model, laatste tekst, kenmerken en een open productlijst blijven in de opslag van deze browser tot je ze verwijdert. Geen cookies, geen statistieken, geen lettertypen of scripts van elders.",
    verify: "Hoe je dat nagaat",
    developer_tools: "Open de hulpmiddelen voor ontwikkelaars (F12), tabblad Netwerk, en druk op Invullen: er wordt niets verstuurd. De telling hieronder is wat de browser daar zelf van bijhoudt.",
    offline: "Of verbreek de internetverbinding als het model geladen is. Alles werkt gewoon door.",
    proof: "Of laat je browser het bewijzen: met de knop proberen pagina en model een andere website te bereiken.",
    made: |places| format!("Sinds je deze pagina opende, deed ze {places}."),
    one_to: |host| format!("1 verzoek, aan deze website ({host})"),
    all_to: |requests, host| {
        format!(
            "{}, allemaal aan deze website ({host})",
            plural(Dutch, requests, "verzoek", "verzoeken")
        )
    },
    some_to: |requests, own, host, others| {
        let requests = plural(Dutch, requests, "verzoek", "verzoeken");
        format!("{requests}: {} aan deze website ({host}), {others}", count(Dutch, own))
    },
    others_to: |requests, host| format!("{} aan {host}", count(Dutch, requests)),
    not_loaded: "Het model is nog niet geladen.",
    none_since: "Geen enkel sinds het model is geladen.",
    one_since: "Eén daarvan sinds het model is geladen.",
    some_since: "Een deel daarvan sinds het model is geladen.",
    check: "Probeer een andere website te bereiken",
    blocked: "Geweigerd door je browser, voor pagina en model",
    open: "Niet geweigerd: deze kopie van Hangtag wordt zonder haar beveiliging aangeboden",
};

impl Privacy {
    /// How many requests a page from `own_host` has made, and where they went.
    pub fn traffic(&self, traffic: &Traffic, own_host: &str) -> String {
        let others: Vec<String> =
            traffic.elsewhere.iter().map(|(host, &count)| self.others_to(count, host)).collect();
        let places = match (traffic.own, others.is_empty()) {
            (1, true) => self.one_to(own_host),
            (own, true) => self.all_to(own, own_host),
            (own, false) => self.some_to(traffic.count(), own, own_host, &others.join(", ")),
        };
        self.made(&places)
    }

    /// How many there were since the model was loaded.
    pub fn since_loaded(&self, traffic: &Traffic) -> &'static str {
        match traffic.since_loaded {
            None => self.not_loaded,
            Some(0) => self.none_since,
            Some(1) => self.one_since,
            Some(_) => self.some_since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Request;

    #[test]
    fn the_words_tell_where_requests_went() {
        let request = |host: &str| Request { host: host.to_owned(), began_ms: 1.0 };
        let requests = [request("own"), request("own"), request("b.org")];
        let traffic = Traffic::of(&requests, "own", Some(3.0));
        let said = ENGLISH.traffic(&traffic, "own");
        assert_eq!(
            said,
            "Since you opened it, this page has made 3 requests: 2 to this site (own), 1 to b.org."
        );
        assert_eq!(ENGLISH.since_loaded(&traffic), "None since the model was loaded.");

        let own = Traffic::of(&requests[..2], "own", Some(0.0));
        assert!(ENGLISH.traffic(&own, "own").ends_with("made 2 requests, all to this site (own)."));
        assert!(
            DUTCH.traffic(&own, "own").ends_with("2 verzoeken, allemaal aan deze website (own).")
        );
        assert_eq!(DUTCH.since_loaded(&own), DUTCH.some_since);

        let one = Traffic::of(&requests[..1], "own", None);
        assert!(ENGLISH.traffic(&one, "own").ends_with("made 1 request, to this site (own)."));
        assert_eq!(ENGLISH.since_loaded(&one), "The model is not loaded yet.");
    }
}
