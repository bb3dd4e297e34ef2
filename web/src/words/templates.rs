//! Words of ready templates and of the person's own.

use hangtag_task::Template;

use crate::units::plural;
use crate::words::Language::{self, Dutch, English};
use crate::words::Messages;

part! {
    /// Ready templates and the person's own.
    Templates {
        template,
        none,
        own,
        ready,
        save_as,
        name_of,
        name,
        save,
        cancel,
        own_title,
        export_all,
        import,
        choose,
        rename,
        duplicate,
        export,
        delete,
        delete_for_good,
        new_name,
        copy_of(name: &str),
        imported(count: usize),
        added(name: &str),
        deleted(name: &str),
        move_up,
        move_down,
        looks_like(category: &str),
        use_template(name: &str),
    }
}

pub const ENGLISH: Templates = Templates {
    template: "Template",
    none: "None",
    own: "Your own",
    ready: "Ready",
    save_as: "Save as template",
    name_of: "Name of the template",
    name: "Name",
    save: "Save",
    cancel: "Cancel",
    own_title: "Your templates",
    export_all: "Export all",
    import: "Import",
    choose: "Use",
    rename: "Rename",
    duplicate: "Duplicate",
    export: "Export",
    delete: "Delete",
    delete_for_good: "Delete for good",
    new_name: "New name",
    copy_of: |name| format!("{name} copy"),
    imported: |count| format!("{} added", plural(English, count, "template", "templates")),
    added: |name| format!("{name} added"),
    deleted: |name| format!("{name} deleted"),
    move_up: "Move up",
    move_down: "Move down",
    looks_like: |category| format!("Looks like {category}"),
    use_template: |name| format!("Use the template {name}"),
};

pub const DUTCH: Templates = Templates {
    template: "Sjabloon",
    none: "Geen",
    own: "Eigen sjablonen",
    ready: "Kant-en-klaar",
    save_as: "Opslaan als sjabloon",
    name_of: "Naam van het sjabloon",
    name: "Naam",
    save: "Opslaan",
    cancel: "Annuleren",
    own_title: "Je sjablonen",
    export_all: "Alles exporteren",
    import: "Importeren",
    choose: "Gebruiken",
    rename: "Hernoemen",
    duplicate: "Dupliceren",
    export: "Exporteren",
    delete: "Verwijderen",
    delete_for_good: "Definitief verwijderen",
    new_name: "Nieuwe naam",
    copy_of: |name| format!("{name} kopie"),
    imported: |count| format!("{} toegevoegd", plural(Dutch, count, "sjabloon", "sjablonen")),
    added: |name| format!("{name} toegevoegd"),
    deleted: |name| format!("{name} verwijderd"),
    move_up: "Omhoog",
    move_down: "Omlaag",
    looks_like: |category| format!("Lijkt te gaan over {category}"),
    use_template: |name| format!("Sjabloon {name} gebruiken"),
};

/// What a ready template is called. Its features stay English, as the model is.
pub fn ready_name(language: Language, template: &Template) -> &str {
    match language {
        English => &template.name,
        Dutch => dutch_name(&template.name).unwrap_or(&template.name),
    }
}

fn dutch_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "Clothing" => "Kleding",
        "Footwear" => "Schoenen",
        "Jewelry" => "Sieraden",
        "Cosmetics" => "Cosmetica",
        "Food" => "Voeding",
        "Kitchen" => "Keuken",
        "Furniture" => "Meubels",
        "Lighting" => "Verlichting",
        "Electronics" => "Elektronica",
        "Tools" => "Gereedschap",
        "Toys" => "Speelgoed",
        "Sports" => "Sport",
        _ => return None,
    })
}

impl Messages {
    /// That a text seems to suit a ready template.
    pub fn looks_like(&self, template: &Template) -> String {
        match self.language {
            English => self.templates.looks_like(&template.category),
            Dutch => self.templates.looks_like(&ready_name(Dutch, template).to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_template_has_a_dutch_name() {
        for template in hangtag_task::presets() {
            assert_eq!(ready_name(English, template), template.name);
            assert_ne!(ready_name(Dutch, template), template.name);
        }
    }
}
