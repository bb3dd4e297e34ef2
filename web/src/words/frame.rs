//! Words that are always on the page: header, footer, the choice between text and list.

use crate::units::count;
use crate::words::Language::{Dutch, English};

part! {
    /// Header, footer and what else is always there.
    Frame {
        title,
        skip,
        tagline,
        language,
        starting,
        model_absent,
        downloading(percent: usize),
        loading,
        ready,
        stopped,
        loading_said,
        ready_said,
        stopped_said,
        licence_and_warning,
        kept_offline,
        new_version,
        reload,
        waits_for_tabs,
        what_to_read,
        one_text,
        a_list,
        crashed(problem: &str),
        saved(name: &str),
        download_refused,
    }
}

pub const ENGLISH: Frame = Frame {
    title: "Hangtag – product features from plain text",
    skip: "Skip to the features",
    tagline: "Product features from plain text, on your own device",
    language: "Language",
    starting: "Starting",
    model_absent: "Model not loaded",
    downloading: |percent| format!("Downloading {}%", count(English, percent)),
    loading: "Loading model",
    ready: "Ready",
    stopped: "Engine stopped",
    loading_said: "Loading the model",
    ready_said: "The model is ready",
    stopped_said: "The engine has stopped",
    licence_and_warning: "free software, MIT or Apache-2.0 · answers can be wrong: check them before you publish them",
    kept_offline: "kept on this device, opens without a network",
    new_version: "A new version of Hangtag is ready.",
    reload: "Reload",
    waits_for_tabs: "A new version of Hangtag comes when its other tabs are closed.",
    what_to_read: "What to read",
    one_text: "One text",
    a_list: "A list of products",
    crashed: |problem| {
        format!(
            "The page has stopped because of a defect: {problem}. Reload it; your text is kept."
        )
    },
    saved: |name| format!("{name} saved"),
    download_refused: "The browser did not allow the download",
};

pub const DUTCH: Frame = Frame {
    title: "Hangtag – productkenmerken uit gewone tekst",
    skip: "Naar de kenmerken",
    tagline: "Productkenmerken uit gewone tekst, op je eigen apparaat",
    language: "Taal",
    starting: "Wordt gestart",
    model_absent: "Model niet geladen",
    downloading: |percent| format!("Downloaden: {}%", count(Dutch, percent)),
    loading: "Model laden",
    ready: "Klaar",
    stopped: "Model gestopt",
    loading_said: "Het model wordt geladen",
    ready_said: "Het model staat klaar",
    stopped_said: "Het model is gestopt",
    licence_and_warning: "vrije software, MIT of Apache-2.0 · antwoorden kunnen fout zijn: controleer ze voordat je ze publiceert",
    kept_offline: "bewaard op dit apparaat, opent ook zonder internet",
    new_version: "Er is een nieuwe versie van Hangtag.",
    reload: "Vernieuwen",
    waits_for_tabs: "De nieuwe versie van Hangtag komt zodra de andere tabbladen ervan dicht zijn.",
    what_to_read: "Wat er gelezen wordt",
    one_text: "Eén tekst",
    a_list: "Lijst met producten",
    crashed: |problem| {
        format!(
            "De pagina is gestopt door een fout: {problem}. Vernieuw de pagina; je tekst is bewaard."
        )
    },
    saved: |name| format!("{name} opgeslagen"),
    download_refused: "De browser stond de download niet toe",
};
