//! Words of a list of products: its file, its progress, its table, its downloads.

use hangtag_products::Encoding;

use crate::list::Filter;
use crate::units::{count, plural};
use crate::words::Language::{Dutch, English};

part! {
    /// A list of products.
    List {
        title,
        reading_short,
        drop,
        drop_hint,
        products(count: usize),
        columns(count: usize),
        damaged,
        columns_read,
        remove,
        remove_with_results,
        keep,
        start,
        pause,
        go_on,
        start_over,
        discard,
        changed(features: &str, columns: &str),
        results_title,
        reading,
        waiting,
        filling_in,
        paused,
        finished,
        done_of(done: usize, all: usize),
        speed(pace: &str, left: &str),
        a_second(products: &str),
        a_minute(products: usize),
        less_than_a_minute,
        about_minutes(minutes: usize),
        about_hours(hours: usize),
        about_hours_and_minutes(hours: usize, minutes: usize),
        filled_in,
        then_go_on,
        held_in_memory(reason: &str),
        other_tab,
        empty,
        empty_more,
        shown,
        all,
        review,
        failed,
        corrected,
        download_csv,
        csv_title,
        download_jsonl,
        download_xlsx,
        xlsx_title,
        writing(name: &str),
        not_written(problem: &str),
        cut_short(cells: usize),
        training_rows,
        training_rows_title,
        none_left,
        caption,
        product,
        line(number: &str),
        not_read(problem: &str),
    }
}

pub const ENGLISH: List = List {
    title: "List of products",
    reading_short: "Reading …",
    drop: "Drop a file, or choose one",
    drop_hint: "CSV, TSV, JSON Lines or XLSX, with a product a row. It stays on this device.",
    products: |products| plural(English, products, "product", "products"),
    columns: |columns| plural(English, columns, "column", "columns"),
    damaged: "UTF-8 with damaged places",
    columns_read: "Columns to read as the product text",
    remove: "Remove",
    remove_with_results: "Remove it with its results",
    keep: "Keep",
    start: "Start",
    pause: "Pause",
    go_on: "Go on",
    start_over: "Start over",
    discard: "Discard the results",
    changed: |features, columns| {
        format!(
            "This list is being filled in with {features} from {columns}. Start over to use what the fields say now."
        )
    },
    results_title: "Products",
    reading: "Reading the file",
    waiting: "Waiting for the model",
    filling_in: "Filling in",
    paused: "Paused",
    finished: "All filled in",
    done_of: |done, all| format!("{} of {}", count(English, done), count(English, all)),
    speed: |pace, left| format!("{pace} · {left} left"),
    a_second: |products| format!("{products} products a second"),
    a_minute: |products| plural(English, products, "product a minute", "products a minute"),
    less_than_a_minute: "less than a minute",
    about_minutes: |minutes| format!("about {}", plural(English, minutes, "minute", "minutes")),
    about_hours: |hours| format!("about {}", plural(English, hours, "hour", "hours")),
    about_hours_and_minutes: |hours, minutes| {
        format!(
            "about {} {}",
            plural(English, hours, "hour", "hours"),
            plural(English, minutes, "minute", "minutes")
        )
    },
    filled_in: "Products filled in",
    then_go_on: "Go on then continues where it stopped.",
    held_in_memory: |reason| {
        format!("A list is held in memory only here, and a reload loses it: {reason}.")
    },
    other_tab: "another tab keeps its list in this browser",
    empty: "Drop a file of products, say which features you want, and press Start.",
    empty_more: "Rows fill in as they are read. You may pause, close the page and go on another day: file and results are kept in this browser and nowhere else.",
    shown: "Products shown",
    all: "All",
    review: "To review",
    failed: "Not read",
    corrected: "Corrected",
    download_csv: "Download CSV",
    csv_title: "The file's columns, then value, confidence and place of each feature; place counts the characters of the columns read",
    download_jsonl: "Download JSONL",
    download_xlsx: "Download XLSX",
    xlsx_title: "The columns of the CSV, as a workbook. No cell is a formula",
    writing: |name| format!("Writing {name} …"),
    not_written: |problem| problem.to_owned(),
    cut_short: |cells| {
        let cells = plural(English, cells, "cell is", "cells are");
        format!("{cells} longer than a workbook holds and cut short")
    },
    training_rows: "Training rows",
    training_rows_title: "What you have accepted or corrected, as rows to train a model on",
    none_left: "No product is left here.",
    caption: "Products of the list, with the values found. Arrow keys go from product to product, Enter to its values.",
    product: "Product",
    line: |number| format!("Line {number}"),
    not_read: |problem| format!("This row was not read: {problem}."),
};

pub const DUTCH: List = List {
    title: "Lijst met producten",
    reading_short: "Wordt gelezen …",
    drop: "Sleep een bestand hierheen of kies er een",
    drop_hint: "CSV, TSV, JSON Lines of XLSX, met één product per rij. Het blijft op dit apparaat.",
    products: |products| plural(Dutch, products, "product", "producten"),
    columns: |columns| plural(Dutch, columns, "kolom", "kolommen"),
    damaged: "UTF-8 met beschadigde plekken",
    columns_read: "Kolommen met de producttekst",
    remove: "Verwijderen",
    remove_with_results: "Verwijderen, met de resultaten",
    keep: "Bewaren",
    start: "Starten",
    pause: "Pauzeren",
    go_on: "Verdergaan",
    start_over: "Opnieuw beginnen",
    discard: "Resultaten weggooien",
    changed: |features, columns| {
        format!(
            "Deze lijst wordt ingevuld met {features} uit {columns}. Begin opnieuw om te gebruiken wat er nu in de velden staat."
        )
    },
    results_title: "Producten",
    reading: "Het bestand wordt gelezen",
    waiting: "Wacht op het model",
    filling_in: "Wordt ingevuld",
    paused: "Gepauzeerd",
    finished: "Alles ingevuld",
    done_of: |done, all| format!("{} van {}", count(Dutch, done), count(Dutch, all)),
    speed: |pace, left| format!("{pace} · nog {left}"),
    a_second: |products| format!("{products} producten per seconde"),
    a_minute: |products| plural(Dutch, products, "product per minuut", "producten per minuut"),
    less_than_a_minute: "minder dan een minuut",
    about_minutes: |minutes| format!("ongeveer {}", plural(Dutch, minutes, "minuut", "minuten")),
    about_hours: |hours| format!("ongeveer {} uur", count(Dutch, hours)),
    about_hours_and_minutes: |hours, minutes| {
        format!(
            "ongeveer {} uur en {}",
            count(Dutch, hours),
            plural(Dutch, minutes, "minuut", "minuten")
        )
    },
    filled_in: "Ingevulde producten",
    then_go_on: "Met Verdergaan gaat het daarna door waar het stopte.",
    held_in_memory: |reason| {
        format!(
            "De lijst staat hier alleen in het geheugen en gaat verloren als je de pagina vernieuwt: {reason}."
        )
    },
    other_tab: "een ander tabblad bewaart zijn lijst in deze browser",
    empty: "Sleep een bestand met producten hierheen, noem de kenmerken die je wilt weten en druk op Starten.",
    empty_more: "Rijen worden ingevuld terwijl ze gelezen worden. Je kunt pauzeren, de pagina sluiten en een andere dag verdergaan: bestand en resultaten worden in deze browser bewaard en nergens anders.",
    shown: "Getoonde producten",
    all: "Alle",
    review: "Nakijken",
    failed: "Niet gelezen",
    corrected: "Verbeterd",
    download_csv: "CSV downloaden",
    csv_title: "De kolommen van het bestand, daarna waarde, zekerheid en plaats van elk kenmerk; de plaats telt de tekens van de gelezen kolommen",
    download_jsonl: "JSONL downloaden",
    download_xlsx: "XLSX downloaden",
    xlsx_title: "De kolommen van de CSV, als rekenblad. Geen enkele cel is een formule",
    writing: |name| format!("{name} wordt geschreven …"),
    not_written: |problem| format!("Het rekenblad is niet geschreven: {problem}"),
    cut_short: |cells| {
        let cells = plural(Dutch, cells, "cel is langer", "cellen zijn langer");
        format!("{cells} dan in een rekenblad past en daarom ingekort")
    },
    training_rows: "Trainingsregels",
    training_rows_title: "Wat je hebt goedgekeurd of verbeterd, als regels om een model mee te trainen",
    none_left: "Hier staan geen producten meer.",
    caption: "Producten van de lijst, met de gevonden waarden. Met de pijltjestoetsen ga je van product naar product, met Enter naar de waarden.",
    product: "Product",
    line: |number| format!("Regel {number}"),
    not_read: |problem| format!("Deze rij is niet gelezen: {problem}."),
};

impl List {
    /// What a filter is called.
    pub fn filter(&self, filter: Filter) -> &'static str {
        match filter {
            Filter::All => self.all,
            Filter::Review => self.review,
            Filter::Failed => self.failed,
            Filter::Corrected => self.corrected,
        }
    }

    /// What an encoding is called.
    pub fn encoding(&self, encoding: Encoding) -> &'static str {
        match encoding {
            Encoding::DamagedUtf8 => self.damaged,
            Encoding::Utf8 | Encoding::Utf16 | Encoding::Windows1252 => encoding.name(),
        }
    }
}
