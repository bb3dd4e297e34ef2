//! Words of the feature list with its kinds.

use hangtag_task::{Kind, MAX_NAME_CHARS};

use crate::feature_list::Fault;
use crate::units::count;
use crate::words::Language::{Dutch, English};

part! {
    /// The feature list as a field and as rows with kinds.
    Features {
        how_written,
        as_text,
        as_rows,
        with_kind(names: &str),
        with_kind_and_more(names: &str, more: usize),
        span,
        number,
        choice,
        boolean,
        free,
        nameless,
        removed(name: &str),
        moved(name: &str, place: usize, all: usize),
        name,
        name_of(place: usize),
        kind_of(name: &str),
        move_up(name: &str),
        move_up_title,
        move_down(name: &str),
        move_down_title,
        remove(name: &str),
        remove_title,
        unit,
        unit_of(name: &str),
        choices,
        choices_of(name: &str),
        add,
        keys,
        no_name,
        twice,
        long_name(most: usize),
        no_choices,
        choice_twice(choice: &str),
    }
}

pub const ENGLISH: Features = Features {
    how_written: "How the features are written",
    as_text: "Quick list",
    as_rows: "With kinds",
    with_kind: |names| format!("with a kind: {names}"),
    with_kind_and_more: |names, more| {
        format!("with a kind: {names} and {} more", count(English, more))
    },
    span: "Words of the text",
    number: "Number",
    choice: "One of several",
    boolean: "Yes or no",
    free: "Any words",
    nameless: "the feature without a name",
    removed: |name| format!("{name} removed"),
    moved: |name, place, all| {
        format!("{name} is now {} of {}", count(English, place), count(English, all))
    },
    name: "Name",
    name_of: |place| format!("Name of feature {}", count(English, place)),
    kind_of: |name| format!("Kind of {name}"),
    move_up: |name| format!("Move {name} up"),
    move_up_title: "Move up (Alt + ↑)",
    move_down: |name| format!("Move {name} down"),
    move_down_title: "Move down (Alt + ↓)",
    remove: |name| format!("Remove {name}"),
    remove_title: "Remove",
    unit: "Unit",
    unit_of: |name| format!("Unit of {name}"),
    choices: "Choices",
    choices_of: |name| format!("Choices of {name}"),
    add: "Add a feature",
    keys: "Enter adds one, Alt with ↑ or ↓ moves it",
    no_name: "Without a name it is not asked.",
    twice: "This name is there already.",
    long_name: |most| format!("The name has more than {} characters.", count(English, most)),
    no_choices: "Give the choices, separated by commas.",
    choice_twice: |choice| format!("{choice} is there twice."),
};

pub const DUTCH: Features = Features {
    how_written: "Hoe de kenmerken zijn opgeschreven",
    as_text: "Snelle lijst",
    as_rows: "Met soorten",
    with_kind: |names| format!("met een soort: {names}"),
    with_kind_and_more: |names, more| {
        format!("met een soort: {names} en nog {}", count(Dutch, more))
    },
    span: "Uit de tekst",
    number: "Getal",
    choice: "Eén van enkele",
    boolean: "Ja of nee",
    free: "Vrije woorden",
    nameless: "het kenmerk zonder naam",
    removed: |name| format!("{name} verwijderd"),
    moved: |name, place, all| {
        format!("{name} is nu {} van {}", count(Dutch, place), count(Dutch, all))
    },
    name: "Naam",
    name_of: |place| format!("Naam van kenmerk {}", count(Dutch, place)),
    kind_of: |name| format!("Soort van {name}"),
    move_up: |name| format!("{name} omhoog"),
    move_up_title: "Omhoog (Alt + ↑)",
    move_down: |name| format!("{name} omlaag"),
    move_down_title: "Omlaag (Alt + ↓)",
    remove: |name| format!("{name} verwijderen"),
    remove_title: "Verwijderen",
    unit: "Eenheid",
    unit_of: |name| format!("Eenheid van {name}"),
    choices: "Keuzes",
    choices_of: |name| format!("Keuzes van {name}"),
    add: "Kenmerk toevoegen",
    keys: "Enter voegt er een toe, Alt met ↑ of ↓ verplaatst",
    no_name: "Zonder naam wordt dit niet gevraagd.",
    twice: "Deze naam staat er al.",
    long_name: |most| format!("De naam heeft meer dan {} tekens.", count(Dutch, most)),
    no_choices: "Noem de keuzes, gescheiden door komma's.",
    choice_twice: |choice| format!("{choice} staat er twee keer."),
};

impl Features {
    /// A kind, as it is offered.
    pub fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Span => self.span,
            Kind::Number => self.number,
            Kind::Choice => self.choice,
            Kind::Boolean => self.boolean,
            Kind::Free => self.free,
        }
    }

    /// A feature's name, or what it is called without one.
    pub fn named<'a>(&self, name: &'a str) -> &'a str {
        if name.is_empty() { self.nameless } else { name }
    }

    /// What is to be mended in a row.
    pub fn fault(&self, fault: &Fault) -> String {
        match fault {
            Fault::NoName => self.no_name.to_owned(),
            Fault::Twice => self.twice.to_owned(),
            Fault::LongName => self.long_name(MAX_NAME_CHARS),
            Fault::NoChoices => self.no_choices.to_owned(),
            Fault::ChoiceTwice(choice) => self.choice_twice(choice),
        }
    }

    /// A word about the features that have a kind; nothing where none has.
    pub fn with_kinds(&self, names: &[&str], told: usize) -> Option<String> {
        let shown = names.iter().take(told).copied().collect::<Vec<_>>().join(", ");
        match names.len().checked_sub(told) {
            _ if names.is_empty() => None,
            None | Some(0) => Some(self.with_kind(&shown)),
            Some(more) => Some(self.with_kind_and_more(&shown, more)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_names_with_kinds_are_told() {
        assert_eq!(ENGLISH.with_kinds(&[], 2), None);
        assert_eq!(ENGLISH.with_kinds(&["A", "B"], 2).unwrap(), "with a kind: A, B");
        assert_eq!(DUTCH.with_kinds(&["A", "B", "C"], 2).unwrap(), "met een soort: A, B en nog 1");
    }
}
