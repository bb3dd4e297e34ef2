//! Words of the model's card.

use crate::units::{count, plural};
use crate::words::Language::{Dutch, English};

part! {
    /// The model's card: what it is, where it is, how far it is.
    Model {
        model,
        looking,
        quality,
        quality_untrained,
        on_software,
        no_site,
        load,
        load_rest(size: &str),
        download(size: &str),
        from_site,
        from_files,
        from_kept,
        licence_is(licence: &str),
        takes(size: &str),
        takes_memory(size: &str),
        takes_more_than(size: &str),
        takes_more_memory_than(size: &str),
        reduced(features: usize, tokens: usize),
        no_room(free: &str),
        keep_copy(size: &str),
        preparing,
        other_tab,
        in_other_tab,
        done_of(done: &str, total: &str, a_second: &str),
        copying,
        checking,
        uploading,
        reading,
        progress,
        pause,
        nothing_downloaded,
        downloaded(size: &str),
        loaded_in(time: &str, came: &str),
        in_memory(reason: &str),
        not_copied(reason: &str),
        restart,
        delete,
        how_good,
        about,
        made_from,
        adapter,
        no_adapter,
        trained_on,
        licence,
        on_device,
        kept,
        not_kept,
        part_kept(size: &str),
        gpu,
        runs_on,
        processor,
        name_hidden,
        in_bytes,
        in_floats,
        subgroups,
        gpu_memory,
        main_memory,
        memory(weights: &str, cache: &str, scratch: &str),
        context,
        room(tokens: usize, features: usize),
    }
}

pub const ENGLISH: Model = Model {
    model: "Model",
    looking: "Starting …",
    quality: "A small model: many answers are right, some are wrong or missing. Check those that matter.",
    quality_untrained: "This model names no training for product features: check every answer.",
    on_software: "This browser plays the GPU on the CPU: everything works, slowly. Hardware acceleration may be switched off in its settings.",
    no_site: "There is no site behind this page, so the model comes from a file: drop one below, and it is read here.",
    load: "Load",
    load_rest: |size| format!("Go on: {size} to download"),
    download: |size| format!("Download {size}"),
    from_site: "Comes from this site once, when it is first needed, and is then kept in your browser.",
    from_files: "Is read from your file when it is first needed, and sent nowhere.",
    from_kept: "Is kept in this browser.",
    licence_is: |licence| format!("Licence: {licence}."),
    takes: |size| format!("Takes {size} of GPU memory."),
    takes_memory: |size| format!("Takes {size} of memory."),
    takes_more_than: |size| {
        format!("Takes somewhat more than {size} of GPU memory, which is checked first.")
    },
    takes_more_memory_than: |size| {
        format!("Takes about twice {size} of memory, which is checked first.")
    },
    reduced: |features, tokens| {
        format!(
            "The GPU's memory is short, so {} answered at once and {} read at a time: slower, and just as good.",
            plural(English, features, "feature is", "features are"),
            plural(English, tokens, "token is", "tokens are")
        )
    },
    no_room: |free| format!("This browser would keep {free} more, too little for a copy."),
    keep_copy: |size| format!("Keep a copy in this browser for the next visit ({size})"),
    preparing: "Preparing …",
    other_tab: "Another tab is loading it …",
    in_other_tab: "Another tab has it loaded and answers for this one too, so that it takes the memory only once. When that tab is closed, this one loads it.",
    done_of: |done, total, a_second| format!("{done} of {total} · {a_second}/s"),
    copying: "Copying it into this browser",
    checking: "Checking the file on this device",
    uploading: "Loading onto the GPU",
    reading: "Loading into memory",
    progress: "Loading the model",
    pause: "Pause",
    nothing_downloaded: "read from this device, nothing downloaded",
    downloaded: |size| format!("{size} downloaded"),
    loaded_in: |time, came| format!("Loaded in {time} · {came}"),
    in_memory: |reason| {
        format!("Held in memory only, so the next visit downloads it again: {reason}")
    },
    not_copied: |reason| format!("Read from your file; no copy was kept: {reason}"),
    restart: "Restart the engine",
    delete: "Delete from this device",
    how_good: "How good it is",
    about: "About this model",
    made_from: "Made from",
    adapter: "Adapter",
    no_adapter: "None: the base as it was published",
    trained_on: "Trained on",
    licence: "Licence",
    on_device: "On this device",
    kept: "Kept in this browser",
    not_kept: "No",
    part_kept: |size| format!("{size} of it"),
    gpu: "GPU",
    runs_on: "Runs on",
    processor: "the processor, without a GPU",
    name_hidden: "name hidden by the browser",
    in_bytes: "products in bytes",
    in_floats: "products in floats",
    subgroups: "subgroups",
    gpu_memory: "GPU memory",
    main_memory: "Memory",
    memory: |weights, cache, scratch| {
        format!("{weights} weights + {cache} cache + {scratch} scratch")
    },
    context: "Context",
    room: |tokens, features| {
        format!(
            "{} tokens of text and answers, {} at once",
            count(English, tokens),
            plural(English, features, "feature", "features")
        )
    },
};

pub const DUTCH: Model = Model {
    model: "Model",
    looking: "Wordt gestart …",
    quality: "Een klein model dat Engels leest: veel antwoorden kloppen, sommige zijn fout of ontbreken. Controleer wat belangrijk is.",
    quality_untrained: "Bij dit model staat niet dat het voor productkenmerken is getraind: controleer elk antwoord.",
    on_software: "In deze browser doet de processor het werk van de grafische kaart: alles werkt, maar langzaam. Misschien staat hardwareversnelling uit in de instellingen.",
    no_site: "Achter deze pagina zit geen website, dus het model komt uit een bestand: sleep er hieronder een heen, dan wordt het hier gelezen.",
    load: "Laden",
    load_rest: |size| format!("Verdergaan: nog {size} te downloaden"),
    download: |size| format!("{size} downloaden"),
    from_site: "Komt één keer van deze website, zodra het nodig is, en wordt daarna in je browser bewaard.",
    from_files: "Wordt uit je bestand gelezen zodra het nodig is en nergens heen gestuurd.",
    from_kept: "Wordt in deze browser bewaard.",
    licence_is: |licence| format!("Licentie: {licence}."),
    takes: |size| format!("Gebruikt {size} geheugen van de grafische kaart."),
    takes_memory: |size| format!("Gebruikt {size} geheugen."),
    takes_more_than: |size| {
        format!(
            "Gebruikt iets meer dan {size} geheugen van de grafische kaart; dat wordt eerst nagekeken."
        )
    },
    takes_more_memory_than: |size| {
        format!("Gebruikt ongeveer twee keer {size} geheugen; dat wordt eerst nagekeken.")
    },
    reduced: |features, tokens| {
        format!(
            "De grafische kaart heeft weinig geheugen. Daarom worden {} tegelijk beantwoord en {} per keer gelezen: langzamer, maar even goed.",
            plural(Dutch, features, "kenmerk", "kenmerken"),
            plural(Dutch, tokens, "token", "tokens")
        )
    },
    no_room: |free| format!("Deze browser kan nog {free} bewaren, te weinig voor een kopie."),
    keep_copy: |size| format!("Bewaar een kopie in deze browser voor het volgende bezoek ({size})"),
    preparing: "Wordt voorbereid …",
    other_tab: "Een ander tabblad is het aan het laden …",
    in_other_tab: "Een ander tabblad heeft het al geladen en antwoordt ook voor dit tabblad; zo kost het maar één keer geheugen. Gaat dat tabblad dicht, dan laadt dit tabblad het.",
    done_of: |done, total, a_second| format!("{done} van {total} · {a_second}/s"),
    copying: "Wordt naar deze browser gekopieerd",
    checking: "Het bestand op dit apparaat wordt gecontroleerd",
    uploading: "Wordt op de grafische kaart geladen",
    reading: "Wordt in het geheugen geladen",
    progress: "Het model wordt geladen",
    pause: "Pauzeren",
    nothing_downloaded: "van dit apparaat gelezen, niets gedownload",
    downloaded: |size| format!("{size} gedownload"),
    loaded_in: |time, came| format!("Geladen in {time} · {came}"),
    in_memory: |reason| {
        format!(
            "Staat alleen in het geheugen en wordt bij het volgende bezoek opnieuw gedownload: {reason}"
        )
    },
    not_copied: |reason| format!("Uit je bestand gelezen; er is geen kopie bewaard: {reason}"),
    restart: "Opnieuw starten",
    delete: "Van dit apparaat verwijderen",
    how_good: "Hoe goed het is",
    about: "Over dit model",
    made_from: "Gemaakt van",
    adapter: "Aanpassing",
    no_adapter: "Geen: het basismodel zoals het is gepubliceerd",
    trained_on: "Getraind met",
    licence: "Licentie",
    on_device: "Op dit apparaat",
    kept: "In deze browser bewaard",
    not_kept: "Nee",
    part_kept: |size| format!("{size} ervan"),
    gpu: "Grafische kaart",
    runs_on: "Draait op",
    processor: "de processor, zonder grafische kaart",
    name_hidden: "naam door de browser verborgen",
    in_bytes: "rekent met bytes",
    in_floats: "rekent met kommagetallen",
    subgroups: "subgroepen",
    gpu_memory: "Videogeheugen",
    main_memory: "Geheugen",
    memory: |weights, cache, scratch| {
        format!("{weights} gewichten + {cache} cache + {scratch} werkruimte")
    },
    context: "Context",
    room: |tokens, features| {
        format!(
            "{} tokens voor tekst en antwoorden, {} tegelijk",
            count(Dutch, tokens),
            plural(Dutch, features, "kenmerk", "kenmerken")
        )
    },
};
