//! Words of the fields for text and features.

use crate::units::plural;
use crate::words::Language::{Dutch, English};

part! {
    /// The fields for text and features, and the buttons under them.
    Ask {
        text,
        text_placeholder,
        characters(count: usize),
        try_one,
        running_shoe,
        desk_lamp,
        olive_oil,
        clear,
        features,
        feature_count(count: usize),
        features_hint,
        extract,
        stop,
    }
}

pub const ENGLISH: Ask = Ask {
    text: "Product text",
    text_placeholder: "Paste a title, a description or a whole product page.",
    characters: |count| plural(English, count, "character", "characters"),
    try_one: "Try",
    running_shoe: "Running shoe",
    desk_lamp: "Desk lamp",
    olive_oil: "Olive oil",
    clear: "Clear",
    features: "Features",
    feature_count: |count| plural(English, count, "feature", "features"),
    features_hint: "Separate with commas or lines",
    extract: "Extract",
    stop: "Stop",
};

pub const DUTCH: Ask = Ask {
    text: "Producttekst",
    // The model was trained on English alone.
    text_placeholder: "Plak een titel, een omschrijving of een hele productpagina, in het Engels.",
    characters: |count| plural(Dutch, count, "teken", "tekens"),
    try_one: "Probeer",
    running_shoe: "Hardloopschoen",
    desk_lamp: "Bureaulamp",
    olive_oil: "Olijfolie",
    clear: "Wissen",
    features: "Kenmerken",
    feature_count: |count| plural(Dutch, count, "kenmerk", "kenmerken"),
    features_hint: "In het Engels, gescheiden door komma's of regels",
    extract: "Invullen",
    stop: "Stoppen",
};
