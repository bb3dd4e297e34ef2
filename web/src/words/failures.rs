//! What fails in the engine: what it is and what to do, by its kind. The engine's own, exact words are English.

use crate::ask::sentence;
use crate::protocol::FailureKind;
use crate::words::{Language, Messages};

part! {
    /// What fails in the engine.
    Failures {
        no_gpu,
        no_gpu_advice,
        device_lost,
        device_lost_advice,
        out_of_memory,
        out_of_memory_advice,
        network,
        network_advice,
        server,
        server_advice,
        hash_mismatch,
        hash_mismatch_advice,
        model,
        model_advice,
        input,
        input_advice,
        internal,
        internal_advice,
        restarted,
    }
}

pub const ENGLISH: Failures = Failures {
    no_gpu: "No GPU could be used.",
    no_gpu_advice: "Switch on WebGPU or use another browser.",
    device_lost: "The GPU went away.",
    device_lost_advice: "The browser took the GPU away, often after sleep, a driver update or too much load. Restart the engine; the model is read from this device.",
    out_of_memory: "There is too little memory.",
    out_of_memory_advice: "Close other tabs or programs that use the GPU, ask for fewer features at once, or choose a smaller model.",
    network: "A file could not be fetched.",
    network_advice: "Check the connection and try again: the download goes on where it stopped.",
    server: "The server does not have the right file.",
    server_advice: "Check the address of the model. If it is right, whoever runs the site has to put that file there.",
    hash_mismatch: "A file is damaged.",
    hash_mismatch_advice: "The damaged file was deleted. Try again; if it happens twice, the file on the server is wrong.",
    model: "This model cannot be used.",
    model_advice: "Try again, or use another model; if it happens twice, this one is damaged or not supported.",
    input: "This cannot be asked.",
    input_advice: "Change the text or the features and try again.",
    internal: "Something went wrong in the engine.",
    internal_advice: "Restart the engine; earlier results stay.",
    restarted: "The engine was started again by itself. It goes on with what was not done; answers stay.",
};

pub const DUTCH: Failures = Failures {
    no_gpu: "Er is geen bruikbare grafische kaart.",
    no_gpu_advice: "Zet WebGPU aan of gebruik een andere browser.",
    device_lost: "De grafische kaart is weggevallen.",
    device_lost_advice: "De browser heeft de grafische kaart afgenomen, vaak na slaapstand, een nieuw stuurprogramma of te veel belasting. Start opnieuw; het model wordt van dit apparaat gelezen.",
    out_of_memory: "Er is te weinig geheugen.",
    out_of_memory_advice: "Sluit andere tabbladen of programma's die de grafische kaart gebruiken, vraag minder kenmerken tegelijk of kies een kleiner model.",
    network: "Een bestand kon niet worden opgehaald.",
    network_advice: "Controleer de verbinding en probeer het opnieuw: de download gaat verder waar hij stopte.",
    server: "De server heeft niet het juiste bestand.",
    server_advice: "Controleer het adres van het model. Klopt het, dan moet de beheerder van de site dat bestand daar neerzetten.",
    hash_mismatch: "Een bestand is beschadigd.",
    hash_mismatch_advice: "Het beschadigde bestand is verwijderd. Probeer het opnieuw; gebeurt het nog eens, dan klopt het bestand op de server niet.",
    model: "Dit model is niet te gebruiken.",
    model_advice: "Probeer het opnieuw of gebruik een ander model; gebeurt het nog eens, dan is dit model beschadigd of wordt het niet ondersteund.",
    input: "Dit kan niet worden gevraagd.",
    input_advice: "Verander de tekst of de kenmerken en probeer het opnieuw.",
    internal: "Er ging iets mis in het rekenwerk.",
    internal_advice: "Start opnieuw; eerdere resultaten blijven staan.",
    restarted: "Het model is vanzelf opnieuw gestart en gaat verder met wat nog niet klaar was; antwoorden blijven staan.",
};

impl Failures {
    /// What has happened, in a few words.
    pub fn what(&self, kind: FailureKind) -> &'static str {
        self.of(kind).0
    }

    /// What the reader can do about it.
    pub fn advice(&self, kind: FailureKind) -> &'static str {
        self.of(kind).1
    }

    fn of(&self, kind: FailureKind) -> (&'static str, &'static str) {
        match kind {
            FailureKind::NoGpu => (self.no_gpu, self.no_gpu_advice),
            FailureKind::DeviceLost => (self.device_lost, self.device_lost_advice),
            FailureKind::OutOfMemory => (self.out_of_memory, self.out_of_memory_advice),
            FailureKind::Network => (self.network, self.network_advice),
            FailureKind::Server => (self.server, self.server_advice),
            FailureKind::HashMismatch => (self.hash_mismatch, self.hash_mismatch_advice),
            FailureKind::Model => (self.model, self.model_advice),
            FailureKind::Input => (self.input, self.input_advice),
            FailureKind::Internal => (self.internal, self.internal_advice),
        }
    }
}

impl Messages {
    /// Why a model cannot be used, in the engine's English, behind an introduction in other languages.
    pub fn refusal(&self, english: &str) -> String {
        match self.language {
            Language::English => sentence(english),
            Language::Dutch => format!("{} {}", self.failures.model, sentence(english)),
        }
    }
}
