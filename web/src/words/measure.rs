//! Words of the GPU's measurement.

use crate::units::plural;
use crate::words::Language::{Dutch, English};

part! {
    /// How fast the model is on this GPU.
    Measure {
        measure,
        again,
        measuring,
        failed(reason: &str),
        reading,
        writing(answers: usize),
        rate(tokens: &str),
        one_by_one(features: usize, tokens: usize),
        together,
        faster(time: &str, times: &str),
    }
}

pub const ENGLISH: Measure = Measure {
    measure: "Measure this GPU",
    again: "Measure again",
    measuring: "Measuring this GPU, for up to a minute …",
    failed: |reason| format!("It could not be measured: {reason}"),
    reading: "Reading a text",
    writing: |answers| format!("Writing {} at once", plural(English, answers, "answer", "answers")),
    rate: |tokens| format!("{tokens} tokens a second"),
    one_by_one: |features, tokens| {
        format!(
            "{} of a text of {}, one by one",
            plural(English, features, "feature", "features"),
            plural(English, tokens, "token", "tokens")
        )
    },
    together: "The same, together",
    faster: |time, times| format!("{time}, {times} times as fast"),
};

pub const DUTCH: Measure = Measure {
    measure: "Deze grafische kaart meten",
    again: "Opnieuw meten",
    measuring: "De grafische kaart wordt gemeten, hooguit een minuut …",
    failed: |reason| format!("Meten is niet gelukt: {reason}"),
    reading: "Een tekst lezen",
    writing: |answers| {
        format!("{} tegelijk schrijven", plural(Dutch, answers, "antwoord", "antwoorden"))
    },
    rate: |tokens| format!("{tokens} tokens per seconde"),
    one_by_one: |features, tokens| {
        format!(
            "{} van een tekst van {}, een voor een",
            plural(Dutch, features, "kenmerk", "kenmerken"),
            plural(Dutch, tokens, "token", "tokens")
        )
    },
    together: "Dezelfde, allemaal tegelijk",
    faster: |time, times| format!("{time}, {times} keer zo snel"),
};
