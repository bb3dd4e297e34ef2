//! Words of the choice of another model.

part! {
    /// The choice of another model.
    ModelChoice {
        choose,
        use_another,
        opening,
        drop,
        drop_hint,
        choose_folder,
        on_site,
        open,
        sites_own,
        others_refused,
        keeps_nothing(reason: &str),
        keeps(used: &str, quota: &str),
        room_unknown,
        kept,
        take,
        delete,
        choose_first,
        no_address,
        bad_address(path: &str),
        other_site(path: &str),
    }
}

pub const ENGLISH: ModelChoice = ModelChoice {
    choose: "Choose a model",
    use_another: "Use another model",
    opening: "Looking into it …",
    drop: "Drop a GGUF file, or choose one",
    drop_hint: "A model of the llama or phi-2 family; all parts of one in several. It stays on this device.",
    choose_folder: "Choose the folder of a package",
    on_site: "Or the path of a package on this site",
    open: "Open",
    sites_own: "The site's own",
    others_refused: "Other sites are refused: this page may talk to its own only, which is what keeps your texts here.",
    keeps_nothing: |reason| {
        format!(
            "This browser keeps nothing for this page, so a model is chosen at every visit ({reason})."
        )
    },
    keeps: |used, quota| format!("This browser keeps {used} for this page, and up to {quota}."),
    room_unknown: "This browser does not say how much it would keep.",
    kept: "Kept in this browser",
    take: "Use",
    delete: "Delete",
    choose_first: "Choose a model first: a GGUF file.",
    no_address: "The page has no address.",
    bad_address: |path| format!("“{path}” is no valid address."),
    other_site: |path| {
        format!(
            "{path} is on another site, and this page may talk to its own only: copy the package to this site, or choose it as a file."
        )
    },
};

pub const DUTCH: ModelChoice = ModelChoice {
    choose: "Kies een model",
    use_another: "Een ander model gebruiken",
    opening: "Wordt bekeken …",
    drop: "Sleep een GGUF-bestand hierheen of kies er een",
    drop_hint: "Een model van de familie llama of phi-2; bij meer delen alle delen. Het blijft op dit apparaat.",
    choose_folder: "Kies de map van een modelpakket",
    on_site: "Of het pad van een modelpakket op deze website",
    open: "Openen",
    sites_own: "Dat van de website",
    others_refused: "Andere websites worden geweigerd: deze pagina mag alleen met haar eigen website praten, en zo blijven je teksten hier.",
    keeps_nothing: |reason| {
        format!(
            "Deze browser bewaart niets voor deze pagina, dus je kiest bij elk bezoek een model ({reason})."
        )
    },
    keeps: |used, quota| {
        format!("Deze browser bewaart {used} voor deze pagina, en hooguit {quota}.")
    },
    room_unknown: "Deze browser zegt niet hoeveel hij kan bewaren.",
    kept: "In deze browser bewaard",
    take: "Gebruiken",
    delete: "Verwijderen",
    choose_first: "Kies eerst een model: een GGUF-bestand.",
    no_address: "De pagina heeft geen adres.",
    bad_address: |path| format!("‘{path}’ is geen geldig adres."),
    other_site: |path| {
        format!(
            "{path} staat op een andere website, en deze pagina mag alleen met haar eigen website praten: kopieer het pakket hierheen of kies het als bestand."
        )
    },
};
