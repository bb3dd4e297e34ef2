//! Words of the tag of one text: state of the run, table, corrections, downloads.

use crate::correction::Correction;
use crate::units::{count, plural};
use crate::words::Language::{Dutch, English};

part! {
    /// The tag of one text.
    Results {
        title,
        waiting,
        some_of(done: usize, features: usize),
        writing,
        reading_part(part: usize, parts: usize),
        reading,
        finished(found: usize, none: usize, time: &str),
        stopped(answers: usize),
        failed(answers: usize),
        progress,
        dismiss,
        empty,
        empty_more,
        this_visit,
        source,
        caption,
        feature,
        value,
        confidence,
        accept_all,
        key_correct,
        key_accept,
        key_none,
        key_undo,
        key_move,
        not_answered,
        undo,
        accepted,
        corrected,
        cleared,
        none,
        found_title,
        elsewhere,
        elsewhere_title,
        name_is_right(name: &str),
        is_right,
        correct_name(name: &str),
        correct,
        name_has_none(name: &str),
        has_none,
        value_of(name: &str),
        copy_table,
        copy_json,
        download_csv,
        download_json,
        table_copied,
        json_copied,
        copy_refused,
        training_row,
        training_row_title,
        nothing_to_train_on,
        training_saved(name: &str, products: usize),
        left_out(values: usize),
        tokens_read(count: usize),
        remembered(count: usize),
        in_parts(count: usize),
        tokens_written(count: usize),
    }
}

pub const ENGLISH: Results = Results {
    title: "Results",
    waiting: "Waiting for the model",
    some_of: |done, features| {
        format!("{} of {}", count(English, done), plural(English, features, "feature", "features"))
    },
    writing: "Writing the answers",
    reading_part: |part, parts| {
        format!("Reading part {} of {}", count(English, part), count(English, parts))
    },
    reading: "Reading the text",
    finished: |found, none, time| {
        format!("{} found, {} none, in {time}", count(English, found), count(English, none))
    },
    stopped: |answers| format!("Stopped after {}", plural(English, answers, "answer", "answers")),
    failed: |answers| format!("Failed after {}", plural(English, answers, "answer", "answers")),
    progress: "Extraction",
    dismiss: "Dismiss",
    empty: "Paste a product text, say which features you want, and press Extract.",
    empty_more: "Every feature gets a value or an explicit none. Values found in the text are marked in it.",
    this_visit: "This visit",
    source: "Product text with the found values marked",
    caption: "Features of the product text, with value and confidence",
    feature: "Feature",
    value: "Value",
    confidence: "Confidence",
    accept_all: "Accept all",
    key_correct: "correct",
    key_accept: "accept",
    key_none: "none",
    key_undo: "undo",
    key_move: "move",
    not_answered: "not answered",
    undo: "Undo",
    accepted: "accepted",
    corrected: "corrected",
    cleared: "cleared",
    none: "none",
    found_title: "Show in the text. Enter corrects, A accepts, Del says there is none",
    elsewhere: "not in the text",
    elsewhere_title: "This value is not in the text",
    name_is_right: |name| format!("{name} is right"),
    is_right: "It is right",
    correct_name: |name| format!("Correct {name}"),
    correct: "Correct it",
    name_has_none: |name| format!("{name}: there is none"),
    has_none: "There is none",
    value_of: |name| format!("Value of {name}"),
    copy_table: "Copy table",
    copy_json: "Copy JSON",
    download_csv: "Download CSV",
    download_json: "Download JSON",
    table_copied: "Table copied",
    json_copied: "JSON copied",
    copy_refused: "The browser did not allow copying; use a download",
    training_row: "Training row",
    training_row_title: "What you have accepted or corrected, as a row to train a model on",
    nothing_to_train_on: "Nothing to train on",
    training_saved: |name, products| {
        format!("{name} saved: {}", plural(English, products, "product", "products"))
    },
    left_out: |values| {
        format!(
            "left out because they are not in the text: {}",
            plural(English, values, "value", "values")
        )
    },
    tokens_read: |tokens| plural(English, tokens, "token read", "tokens read"),
    remembered: |tokens| format!("{} of them remembered", count(English, tokens)),
    in_parts: |parts| format!("in {}", plural(English, parts, "part", "parts")),
    tokens_written: |tokens| plural(English, tokens, "token written", "tokens written"),
};

pub const DUTCH: Results = Results {
    title: "Resultaten",
    waiting: "Wacht op het model",
    some_of: |done, features| {
        format!("{} van {}", count(Dutch, done), plural(Dutch, features, "kenmerk", "kenmerken"))
    },
    writing: "Antwoorden worden geschreven",
    reading_part: |part, parts| {
        format!("Leest deel {} van {}", count(Dutch, part), count(Dutch, parts))
    },
    reading: "De tekst wordt gelezen",
    finished: |found, none, time| {
        format!("{} gevonden, {} zonder waarde, in {time}", count(Dutch, found), count(Dutch, none))
    },
    stopped: |answers| format!("Gestopt na {}", plural(Dutch, answers, "antwoord", "antwoorden")),
    failed: |answers| format!("Mislukt na {}", plural(Dutch, answers, "antwoord", "antwoorden")),
    progress: "Voortgang",
    dismiss: "Sluiten",
    empty: "Plak een producttekst, noem de kenmerken die je wilt weten en druk op Invullen.",
    empty_more: "Elk kenmerk krijgt een waarde, of uitdrukkelijk ‘geen’. Waarden die in de tekst staan, worden daar gemarkeerd.",
    this_visit: "Dit bezoek",
    source: "Producttekst met de gevonden waarden gemarkeerd",
    caption: "Kenmerken uit de producttekst, met waarde en zekerheid",
    feature: "Kenmerk",
    value: "Waarde",
    confidence: "Zekerheid",
    accept_all: "Alles goedkeuren",
    key_correct: "verbeteren",
    key_accept: "goedkeuren",
    key_none: "geen waarde",
    key_undo: "terug",
    key_move: "bladeren",
    not_answered: "niet beantwoord",
    undo: "Terug",
    accepted: "akkoord",
    corrected: "verbeterd",
    cleared: "gewist",
    none: "geen",
    found_title: "Toon in de tekst. Enter verbetert, A keurt goed, Del zegt dat er geen waarde is",
    elsewhere: "niet in de tekst",
    elsewhere_title: "Deze waarde staat niet in de tekst",
    name_is_right: |name| format!("{name} klopt"),
    is_right: "Dit klopt",
    correct_name: |name| format!("{name} verbeteren"),
    correct: "Verbeteren",
    name_has_none: |name| format!("{name}: er is geen waarde"),
    has_none: "Er is geen waarde",
    value_of: |name| format!("Waarde van {name}"),
    copy_table: "Tabel kopiëren",
    copy_json: "JSON kopiëren",
    download_csv: "CSV downloaden",
    download_json: "JSON downloaden",
    table_copied: "Tabel gekopieerd",
    json_copied: "JSON gekopieerd",
    copy_refused: "De browser stond kopiëren niet toe; gebruik een download",
    training_row: "Trainingsregel",
    training_row_title: "Wat je hebt goedgekeurd of verbeterd, als regel om een model mee te trainen",
    nothing_to_train_on: "Er is niets om mee te trainen",
    training_saved: |name, products| {
        format!("{name} opgeslagen: {}", plural(Dutch, products, "product", "producten"))
    },
    left_out: |values| {
        format!(
            "weggelaten omdat ze niet in de tekst staan: {}",
            plural(Dutch, values, "waarde", "waarden")
        )
    },
    tokens_read: |tokens| plural(Dutch, tokens, "token gelezen", "tokens gelezen"),
    remembered: |tokens| format!("waarvan {} onthouden", count(Dutch, tokens)),
    in_parts: |parts| format!("in {}", plural(Dutch, parts, "deel", "delen")),
    tokens_written: |tokens| plural(Dutch, tokens, "token geschreven", "tokens geschreven"),
};

impl Results {
    /// What stands beside a value that a person has settled.
    pub fn by_hand(&self, correction: &Correction) -> &'static str {
        match correction {
            Correction::Accepted => self.accepted,
            Correction::Changed(_) => self.corrected,
            Correction::Cleared => self.cleared,
        }
    }

    /// What a person has written in place of a value, where the language's own word for none is "none".
    pub fn entry<'a>(&self, written: &'a str) -> &'a str {
        match written.trim().to_lowercase() == self.none {
            true => "",
            false => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_languages_own_none_is_none() {
        assert_eq!(DUTCH.entry(" Geen"), "");
        assert_eq!(DUTCH.entry("geen mouwen"), "geen mouwen");
        assert_eq!(ENGLISH.entry("geen"), "geen");
    }

    #[test]
    fn what_a_person_settled_is_named() {
        let each =
            [Correction::Accepted, Correction::Changed("red".to_owned()), Correction::Cleared];
        assert_eq!(
            each.each_ref().map(|one| ENGLISH.by_hand(one)),
            each.each_ref().map(Correction::name)
        );
        assert_eq!(
            each.each_ref().map(|one| DUTCH.by_hand(one)),
            ["akkoord", "verbeterd", "gewist"]
        );
    }
}
