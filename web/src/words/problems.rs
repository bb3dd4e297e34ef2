//! What is wrong with what was typed, or with a file. The crates' own errors are typed; their English is theirs.

use hangtag_products::{ListError, RowError};
use hangtag_task::{MAX_FEATURES, MAX_NAME_CHARS, TaskError};

use crate::ask::{AskError, Problem, sentence};
use crate::templates::TemplateError;
use crate::units::count;
use crate::words::Language::{self, Dutch, English};
use crate::words::Messages;

part! {
    /// What is wrong with what was typed, or with a file.
    Problems {
        no_text,
        no_columns,
        in_file(name: &str, problem: &str),
        file_too_large(size: &str, most: &str),
        file_unreadable,
        workbook(detail: &str),
        name_taken(name: &str),
        not_json(detail: &str),
        no_templates,
        no_name,
        name_too_long(most: usize),
        template_gone,
        template_not_kept,
    }
}

pub const ENGLISH: Problems = Problems {
    no_text: "Paste a product text first.",
    no_columns: "Choose at least one column to read.",
    in_file: |name, problem| format!("{name}: {problem}"),
    file_too_large: |size, most| {
        format!("it has {size}, and {most} is the most that fits here: cut it into several files.")
    },
    file_unreadable: "the browser could not read it.",
    workbook: |detail| format!("{detail}."),
    name_taken: |name| format!("There is a template named {name} already."),
    not_json: |detail| format!("This is not JSON: {detail}."),
    no_templates: "This file holds no templates.",
    no_name: "Give the template a name.",
    name_too_long: |most| format!("The name has more than {} characters.", count(English, most)),
    template_gone: "It is gone.",
    template_not_kept: "The browser did not keep it; export it to a file.",
};

pub const DUTCH: Problems = Problems {
    no_text: "Plak eerst een producttekst.",
    no_columns: "Kies minstens één kolom om te lezen.",
    in_file: |name, problem| format!("{name}: {problem}"),
    file_too_large: |size, most| {
        format!(
            "het is {size} groot, en hier past hooguit {most}: verdeel het over meer bestanden."
        )
    },
    file_unreadable: "de browser kon het niet lezen.",
    workbook: |detail| format!("het rekenblad is niet te lezen ({detail}). Sla het op als CSV."),
    name_taken: |name| format!("Er is al een sjabloon met de naam {name}."),
    not_json: |detail| format!("Dit is geen JSON: {detail}."),
    no_templates: "In dit bestand staan geen sjablonen.",
    no_name: "Geef het sjabloon een naam.",
    name_too_long: |most| format!("De naam heeft meer dan {} tekens.", count(Dutch, most)),
    template_gone: "Het sjabloon is er niet meer.",
    template_not_kept: "De browser heeft het niet bewaard; exporteer het naar een bestand.",
};

impl Messages {
    /// What is wrong with the fields, as a sentence.
    pub fn ask_error(&self, error: &AskError) -> String {
        match &error.problem {
            Problem::NoText => self.problems.no_text.to_owned(),
            Problem::Features(error) => task_error(self.language, error),
        }
    }

    /// What is wrong with a template, as a sentence.
    pub fn template_error(&self, error: &TemplateError) -> String {
        let problems = &self.problems;
        match error {
            TemplateError::NameTaken(name) => problems.name_taken(name),
            TemplateError::NotJson(detail) => problems.not_json(detail),
            TemplateError::NoTemplates => problems.no_templates.to_owned(),
            TemplateError::NoName => problems.no_name.to_owned(),
            TemplateError::NameTooLong { most } => problems.name_too_long(*most),
            TemplateError::Gone => problems.template_gone.to_owned(),
            TemplateError::NotKept => problems.template_not_kept.to_owned(),
            TemplateError::Features(error) => task_error(self.language, error),
            TemplateError::Asked(error) => self.ask_error(error),
        }
    }

    /// Why a file is no list, to stand behind its name.
    pub fn list_error(&self, error: &ListError) -> String {
        match self.language {
            English => format!("{error}."),
            Dutch => dutch_list_error(error),
        }
    }

    /// Why there is no text of a product, to stand in a sentence.
    pub fn row_error(&self, error: &RowError) -> String {
        match self.language {
            English => error.to_string(),
            Dutch => dutch_row_error(error),
        }
    }
}

fn task_error(language: Language, error: &TaskError) -> String {
    match language {
        English => sentence(&error.to_string()),
        Dutch => dutch_task_error(error),
    }
}

fn dutch_task_error(error: &TaskError) -> String {
    let number = |value: &usize| count(Dutch, *value);
    match error {
        TaskError::NoFeatures => {
            "Noem minstens één kenmerk, gescheiden door komma's, bijvoorbeeld Brand, Color."
                .to_owned()
        }
        TaskError::TooManyFeatures { count } => format!(
            "Er zijn {} kenmerken genoemd, en {} is het meeste: vraag de rest in een tweede keer.",
            number(count),
            number(&MAX_FEATURES)
        ),
        TaskError::BlankName { position } => {
            format!("Kenmerk {position} heeft geen naam: geef het er een of haal het weg.")
        }
        TaskError::NameTooLong { position, start, characters } => format!(
            "De naam van kenmerk {position}, “{start}…”, heeft {} tekens, en {} is het meeste: ontbreken er komma's tussen de namen?",
            number(characters),
            number(&MAX_NAME_CHARS)
        ),
        TaskError::NameNotOneLine { position, name } => format!(
            "In de naam van kenmerk {position}, {name:?}, staat een regeleinde of een stuurteken: schrijf hem op één regel."
        ),
        TaskError::DuplicateFeature { name } => {
            format!("Het kenmerk “{name}” staat er twee keer: haal er een weg.")
        }
        TaskError::NoChoices { name } => {
            format!("Het kenmerk “{name}” is een keuze zonder keuzes: noem ze.")
        }
        TaskError::BadChoice { name, choice } => format!(
            "De keuzes van het kenmerk “{name}” moeten verschillen en mogen niet leeg zijn: zie “{choice}”."
        ),
        TaskError::UnusedChoices { name } => format!(
            "Het kenmerk “{name}” heeft keuzes, maar is geen keuze: maak er een keuze van of haal ze weg."
        ),
        TaskError::Template { message } => format!("Het sjabloon is niet te lezen: {message}."),
        TaskError::BlankTemplateName => "Het sjabloon heeft geen naam: geef het er een.".to_owned(),
        TaskError::BlankText => "De producttekst is leeg: plak een omschrijving.".to_owned(),
        TaskError::WindowTooSmall { max_prefix_tokens } => {
            format!("{} tokens zijn te weinig om een tekst in te lezen.", number(max_prefix_tokens))
        }
        TaskError::Tokenizer(message) => {
            format!("De tekst is niet in de tokens van het model te verdelen: {message}.")
        }
    }
}

fn dutch_list_error(error: &ListError) -> String {
    match error {
        ListError::Empty => "het bestand is leeg.".to_owned(),
        ListError::NoProducts => "er staan geen producten in het bestand.".to_owned(),
        ListError::Packed => {
            "dit is een rekenblad of een ander ingepakt bestand, geen tekst: sla het eerst op als CSV.".to_owned()
        }
        ListError::Workbook(message) => format!("het rekenblad is niet te lezen: {message}."),
        ListError::NotText => {
            "dit is geen tekstbestand: een lijst is CSV, TSV of JSON Lines.".to_owned()
        }
        ListError::TooLarge { what, count: given, most } => {
            let what = if *what == "rows" { "rijen" } else { "kolommen" };
            format!(
                "de lijst heeft {} {what}, en in een rekenblad passen er {}: sla hem op als CSV.",
                count(Dutch, *given),
                count(Dutch, *most)
            )
        }
        ListError::Csv(message) => format!("de CSV is niet te lezen: {message}."),
    }
}

fn dutch_row_error(error: &RowError) -> String {
    match error {
        RowError::OpenQuote => "hier begint een aanhalingsteken dat niet wordt gesloten".to_owned(),
        RowError::Width { cells, columns } => {
            format!(
                "{} cellen waar de kop er {} heeft",
                count(Dutch, *cells),
                count(Dutch, *columns)
            )
        }
        RowError::NotUtf8 => "de tekst is geen UTF-8".to_owned(),
        RowError::NotObject => "geen JSON-object".to_owned(),
        RowError::NotJson(message) => format!("geen JSON: {message}"),
        RowError::NotString { column } => format!("{column:?} is geen tekst"),
        RowError::Empty => "de tekst is leeg".to_owned(),
        RowError::NoColumn { columns } => {
            let names: Vec<String> = columns.iter().map(|name| format!("{name:?}")).collect();
            format!("geen {}", names.join(" of "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_crates_are_told_in_both_languages() {
        let (name, start) = ("‹name›".to_owned(), "‹start›".to_owned());
        let errors = [
            TaskError::NoFeatures,
            TaskError::TooManyFeatures { count: 1_001 },
            TaskError::BlankName { position: 7 },
            TaskError::NameTooLong { position: 7, start, characters: 300 },
            TaskError::DuplicateFeature { name: name.clone() },
            TaskError::NoChoices { name },
            TaskError::BlankText,
        ];
        let given = ["", "1.001", "7", "‹start›", "‹name›", "‹name›", ""];
        for (error, given) in errors.iter().zip(given) {
            let [english, dutch] = Language::EACH.map(|language| task_error(language, error));
            assert!(english != dutch && dutch.contains(given), "{dutch}");
            assert!(
                english.ends_with(['.', '?']) && dutch.ends_with(['.', '?']),
                "{english} {dutch}"
            );
        }
        let row = RowError::Width { cells: 1_001, columns: 2 };
        let words = Language::EACH.map(|language| language.messages().row_error(&row));
        assert_eq!(
            words,
            ["1001 fields where the header has 2", "1.001 cellen waar de kop er 2 heeft"]
        );
        for error in [ListError::Empty, ListError::NotText, ListError::Csv("‹x›".to_owned())] {
            let [english, dutch] =
                Language::EACH.map(|language| language.messages().list_error(&error));
            assert!(english != dutch && !dutch.is_empty(), "{english} {dutch}");
        }
    }
}
