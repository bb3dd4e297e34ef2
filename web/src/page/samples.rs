//! Texts to try, written for this page; their brands do not exist. They are English, as the model is.

use super::speech::Pick;

/// A text and features that suit it.
pub struct Sample {
    /// What the button says.
    pub label: Pick,
    /// The product text.
    pub text: &'static str,
    /// The feature list.
    pub features: &'static str,
}

/// The samples, in the order of their buttons.
pub const SAMPLES: [Sample; 3] = [
    Sample {
        label: |words| words.ask.running_shoe,
        text: "Aurelo Stride 4 women's road running shoe. Breathable knit upper in sea green over a white foam \
               midsole with an 8 mm drop; 246 g in EU 38. Laces of recycled polyester. Neutral support for daily \
               training on asphalt. Machine washable at 30 °C.",
        features: "Brand, Model, Color, Target group, Weight, Heel drop, Upper material, Waterproof",
    },
    Sample {
        label: |words| words.ask.desk_lamp,
        text: "LUMO Arc LED desk lamp, matt black aluminium. Height 42 cm, base 16 cm, arm turns by 270°. \
               Dimmable in five steps, 2700–6500 K, 9 W, 720 lm. USB-C socket for charging a phone. \
               24-month warranty. Bulb built in.",
        features: "Brand, Color, Material, Height, Power, Luminous flux, Dimmable, Battery life",
    },
    Sample {
        label: |words| words.ask.olive_oil,
        text: "Tenuta Brisa extra virgin olive oil, 500 ml in a dark glass bottle. Cold pressed within six hours \
               from hand-picked Coratina olives, harvest of 2025, Puglia, Italy. Organic. Peppery, with a note of \
               green almond. Store in a cool, dark place.",
        features: "Brand, Volume, Packaging, Olive variety, Country of origin, Organic, Best before",
    },
];
