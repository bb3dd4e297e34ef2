//! A guess which ready template suits a product text, by words that speak for each. No model is asked: it is made while a
//! person types, and it can say why.

use std::cmp::Reverse;
use std::collections::HashMap;

use hangtag_task::presets;

/// Characters of a text that are looked at; what a product is stands at its beginning.
const MAX_CHARS: usize = 4000;

/// Words of a text that are as good as its title.
const TITLE_WORDS: usize = 12;

const FOR_A_THING: u32 = 2;
const FOR_A_THING_IN_THE_TITLE: u32 = 4;
const FOR_A_HINT: u32 = 1;

/// What speaks for the best template at least: a thing in the title and a hint.
const ENOUGH: u32 = 5;

/// How many times as much must speak for the best template as for the next.
const LEAD: u32 = 2;

/// Most words that are told as the reason.
const MAX_REASONS: usize = 3;

/// A ready template that a text seems to be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// Its place among [`presets`].
    pub preset: usize,
    /// Words of the text that speak for it, the strongest first.
    pub reasons: Vec<String>,
}

/// Words that speak for a template.
struct Evidence {
    template: &'static str,
    /// What the product may be. Words joined by a hyphen also stand beside each other; those that begin with one are the
    /// ends of compounds.
    things: &'static str,
    /// What is said of such products.
    hints: &'static str,
}

/// The template that clearly more words speak for than for any other; none where that is not clear.
pub fn guess(text: &str) -> Option<Guess> {
    let words = Words::of(text);
    let mut best: Vec<(u32, &Evidence, Vec<Found>)> = EVIDENCE
        .iter()
        .map(|evidence| {
            let found = words.that_speak_for(evidence);
            (found.iter().map(|found| found.weight).sum(), evidence, found)
        })
        .collect();
    best.sort_by_key(|(score, ..)| Reverse(*score));
    let [(score, evidence, found), (next, ..), ..] = best.as_slice() else { return None };
    if *score < ENOUGH || *score < LEAD * next {
        return None;
    }
    let preset = presets().iter().position(|preset| preset.name == evidence.template)?;
    Some(Guess { preset, reasons: reasons(found) })
}

/// A word of the text that speaks for a template.
#[derive(Clone)]
struct Found {
    word: String,
    place: usize,
    weight: u32,
}

fn reasons(found: &[Found]) -> Vec<String> {
    let mut found = found.to_vec();
    found.sort_by_key(|found| (Reverse(found.weight), found.place, Reverse(found.word.len())));
    let mut reasons: Vec<String> = Vec::new();
    for found in found {
        // "lamp" is no further reason beside "desk lamp".
        if reasons.len() < MAX_REASONS && !reasons.iter().any(|reason| reason.contains(&found.word))
        {
            reasons.push(found.word);
        }
    }
    reasons
}

/// The words of a text.
struct Words {
    /// In lower case, in their order.
    all: Vec<String>,
    /// Where each word, and each two in a row joined by a hyphen, stands first; also without the ending of a plural.
    first: HashMap<String, usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let start: String = text.chars().take(MAX_CHARS).flat_map(char::to_lowercase).collect();
        let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '+';
        let words = start.split(|c| !is_part(c)).map(|word| word.trim_matches('-'));
        let all: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let mut first = HashMap::new();
        for (place, word) in all.iter().enumerate() {
            for form in forms(word) {
                if let Some(before) = place.checked_sub(1) {
                    first.entry(format!("{}-{form}", all[before])).or_insert(place);
                }
                first.entry(form.to_owned()).or_insert(place);
            }
        }
        Self { all, first }
    }

    fn that_speak_for(&self, evidence: &Evidence) -> Vec<Found> {
        let things = evidence.things.split_whitespace().filter_map(|thing| {
            let place = self.place(thing)?;
            let weight = if place < TITLE_WORDS { FOR_A_THING_IN_THE_TITLE } else { FOR_A_THING };
            let word = match thing.strip_prefix('-') {
                Some(_) => self.all[place].clone(),
                None => thing.replace('-', " "),
            };
            Some(Found { word, place, weight })
        });
        let hints = evidence.hints.split_whitespace().filter_map(|hint| {
            let place = *self.first.get(hint)?;
            Some(Found { word: hint.to_owned(), place, weight: FOR_A_HINT })
        });
        things.chain(hints).collect()
    }

    fn place(&self, thing: &str) -> Option<usize> {
        match thing.strip_prefix('-') {
            Some(end) => {
                let is_compound =
                    |word: &String| word.ends_with(end) && word != end && !word.contains('-');
                self.all.iter().position(is_compound)
            }
            None => self.first.get(thing).copied(),
        }
    }
}

/// A word as it is, and as the singular that it may be the plural of.
fn forms(word: &str) -> impl Iterator<Item = &str> {
    let without = |ending: &str| word.strip_suffix(ending).filter(|stem| stem.chars().count() > 2);
    std::iter::once(word).chain(without("s")).chain(without("es"))
}

/// In English, and the commonest words in Dutch. Chosen by what tells the texts of `data/` apart.
const EVIDENCE: [Evidence; 12] = [
    Evidence {
        template: "Clothing",
        things: "shirt t-shirt tee blouse dress skirt trouser pant jean jacket coat sweater jumper hoodie cardigan \
                 legging blazer parka sock pyjama underwear bra bikini swimsuit beanie scarf glove top polo sweatshirt \
                 romper jumpsuit short fleece vest tights waistcoat kimono -jurk -broek -jas -shirt trui overhemd rok \
                 muts jurk broek jas",
        hints: "cotton elastane neckline sleeve collar hem waist inseam viscose knit hooded lining crew v-neck cuff wash \
                fit chest hips wear garment sleeveless polyester wool denim linen katoen mouw",
    },
    Evidence {
        template: "Footwear",
        things: "shoe sneaker boot bootie sandal trainer slipper loafer pump mule walking-boot hiking-boot moccasin clog \
                 espadrille flip-flop brogue oxford footwear ankle-boot -schoen -schoenen -laarzen laars laarzen sandalen \
                 pantoffel",
        hints: "outsole midsole insole lace upper sole toe footbed lug heel eu uk ankle suede drop zool veter leer hak",
    },
    Evidence {
        template: "Jewelry",
        things: "ring necklace bracelet earring pendant bangle brooch anklet jewelry jewellery charm stud choker \
                 wristwatch signet watch watchband armband ketting oorbel oorbellen hanger",
        hints: "gold silver sterling karat carat ct diamond pearl gemstone sapphire ruby emerald opal rhodium vermeil \
                plated zirconia hallmark clasp 925 585 14k 18k dial bezel crystal movement automatic quartz cubic goud \
                zilver",
    },
    Evidence {
        template: "Cosmetics",
        things: "cream lotion serum shampoo conditioner mascara lipstick moisturizer moisturiser body-lotion hand-cream \
                 face-mask hair-oil face-oil beard-oil lip-balm shower-gel body-wash cleansing-oil eau-de-parfum edp edt \
                 cleanser toner foundation concealer perfume parfum deodorant sunscreen soap gel balm scrub blush \
                 eyeliner eyeshadow primer nail-polish toothpaste exfoliant crème gezichtscreme dagcreme",
        hints: "skin hair spf hyaluronic niacinamide retinol vitamin fragrance scent paraben dermatologically apply \
                rinse shade ml vegan sulfate shea aloe ceramide lip face sensitive scalp huid haar",
    },
    Evidence {
        template: "Food",
        things: "chocolate coffee tea oil sauce pasta cheese biscuit cookie honey jam wine beer juice cereal rice flour \
                 spice nut snack crisps soup vinegar bread salami granola muesli candy water lemonade beans sausage ham \
                 butter yoghurt olives syrup chutney noodle koffie thee kaas olie",
        hints: "ingredient flavour flavor taste organic allergen gluten sugar roast nutrition calories kcal protein \
                drink eat tasting cocoa roasted cook salt contains milk soy wheat best-before vegan arabica grape \
                ingrediënten smaak biologisch",
    },
    Evidence {
        template: "Kitchen",
        things: "pan frying-pan saucepan pot wok knife kettle blender toaster mixer casserole cookware baking-tin \
                 bakeware spatula ladle colander grater cutlery teapot mug cutting-board chopping-board coffee-maker \
                 air-fryer thermos lunch-box tumbler skillet whisk peeler grinder juicer roasting-tin baking-tray \
                 stockpot dinnerware tableware koekenpan snijplank mes waterkoker",
        hints: "dishwasher oven hob induction non-stick litre liter cast-iron stainless lid handle stove blade ceramic \
                bpa kitchen cook cooking plate bowl cup glass vaatwasser inductie keuken",
    },
    Evidence {
        template: "Furniture",
        things: "chair table desk sofa couch bed bookcase shelf wardrobe dresser cabinet sideboard stool bench armchair \
                 mattress nightstand bedside-table ottoman footstool bunk-bed headboard drawer cupboard recliner \
                 coffee-table furniture -stoel -tafel -kast -bank bureau stoel tafel kast bank",
        hints: "oak upholstered upholstery seat backrest legs assembly mdf veneer walnut solid beech pine load-bearing \
                particleboard armrest cushion foam eiken hout",
    },
    Evidence {
        template: "Lighting",
        things: "lamp light luminaire chandelier lantern bulb spotlight sconce downlight led-strip floodlight torch \
                 flashlight pendant-light floor-lamp table-lamp desk-lamp wall-light ceiling-light string-light \
                 fairy-light lampshade -lamp hanglamp plafonnière",
        hints: "lumen lm led dimmable kelvin watt e27 e14 gu10 warm-white color-temperature colour-temperature cri ra \
                2700k 3000k 4000k 6500k beam shade dimbaar ip44 ip65 lichtbron",
    },
    Evidence {
        template: "Electronics",
        things: "laptop notebook smartphone phone tablet headphone earbud speaker monitor tv television camera router \
                 printer keyboard mouse ssd charger power-bank smartwatch soundbar microphone projector drone console \
                 hard-drive usb-hub webcam graphics-card receiver amplifier headset e-reader desktop lens docking-station \
                 dock gpu motherboard earphones smart-watch turntable mesh-router access-point -telefoon koptelefoon \
                 luidspreker oplader",
        hints: "usb usb-c bluetooth wifi wi-fi hdmi ram gb tb mah processor cpu intel amd android ios windows resolution \
                battery wireless display screen megapixel ghz hz ethernet lte 5g 4g oled lcd noise-cancelling fps \
                megapixels accu scherm",
    },
    Evidence {
        template: "Tools",
        things: "drill saw screwdriver hammer wrench spanner plier sander grinder chisel tape-measure socket-set \
                 impact-driver jigsaw router plane clamp multitool nail-gun soldering-iron file level torque-wrench \
                 circular-saw angle-grinder heat-gun staple-gun ratchet drill-driver -boor -zaag boormachine \
                 schroevendraaier hamer tang",
        hints: "rpm nm torque chuck cordless brushless voltage 18v 12v 20v blade bit battery charger carbide hex sds \
                disc bevel mm case no-load arbor toerental",
    },
    Evidence {
        template: "Toys",
        things: "toy puzzle wooden-toy toy-car playmat play-kitchen play-set stacking marble-run doll dollhouse \
                 dolls-house game board-game card-game plush jigsaw-puzzle building-block playset action-figure teddy \
                 lego train-set dice figure slime rattle play-dough model-kit ride-on brick soft-toy construction-set \
                 card-deck expansion speelgoed pop knuffel puzzel bordspel spel",
        hints: "player age ages years kids child children play toddler imaginative playing kindergarten toys games \
                pieces cards rulebook choking imagination 3+ 4+ 6+ 8+ educational learning leeftijd spelers kinderen",
    },
    Evidence {
        template: "Sports",
        things: "bike bicycle racket racquet tent dumbbell kettlebell yoga-mat treadmill ski snowboard surfboard \
                 skateboard football basketball soccer-ball golf-club helmet backpack sleeping-bag kayak paddle \
                 exercise-bike rowing-machine resistance-band barbell goggles fishing-rod climbing-rope wetsuit mat ball \
                 trekking-pole hammock shuttlecock cycling dry-bag ski-boot carabiner harness kickboard snorkel darts \
                 dartboard skipping-rope jump-rope foam-roller bicycle-helmet bike-helmet gravel-bike mountain-bike \
                 e-bike fiets halter",
        hints: "workout training hiking camping gym fitness running swimming tennis trail outdoor climbing exercise \
                sport waterproof grip lightweight peloton riders rider wheel frame derailleur spokes hydration wandelen \
                kamperen",
    },
];

#[cfg(test)]
mod tests {
    use hangtag_task::parse_jsonl;

    use super::*;

    fn template(text: &str) -> Option<&'static str> {
        guess(text).map(|guess| presets()[guess.preset].name.as_str())
    }

    #[test]
    fn texts_of_several_categories_are_told_apart() {
        let texts = [
            (
                "Aurelo Stride 4 women's road running shoes. Knit upper, foam midsole, laces of polyester.",
                "Footwear",
            ),
            (
                "LUMO Arc LED desk lamp, matt black aluminium. Dimmable, 2700 K, 9 W, 720 lm.",
                "Lighting",
            ),
            ("Tenuta Brisa extra virgin olive oil, 500 ml. Organic, from Coratina olives.", "Food"),
            ("Linen shirt with long sleeves, color white, size M.", "Clothing"),
            ("Silver necklace with a pearl, 925 sterling, 45 cm", "Jewelry"),
            ("Face serum with hyaluronic acid for dry skin, 30 ml, fragrance free", "Cosmetics"),
            ("Cast-iron frying pan, 28 cm, for induction hobs, oven safe", "Kitchen"),
            ("Dining table of solid oak with steel legs, 180 x 90 cm. Some assembly.", "Furniture"),
            (
                "Wireless headphones with Bluetooth 5.3, USB-C, noise-cancelling, 40 h battery",
                "Electronics",
            ),
            ("Cordless drill 18V, brushless, 60 Nm torque, 13 mm chuck", "Tools"),
            ("Wooden puzzle of a farm, 24 pieces, for children from 3 years", "Toys"),
            ("Two-person tent for camping and hiking, lightweight, 2.1 kg", "Sports"),
            ("Dames hardloopschoen met rubberen zool, veters, maat 38", "Footwear"),
        ];
        for (text, expected) in texts {
            assert_eq!(template(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_unclear_text_suggests_nothing() {
        let texts = [
            "",
            "Oil",
            "Gift card, 50 EUR, sent by mail within a day",
            "A set of a lamp, a chair, a shirt and a pair of shoes",
            "Lorem ipsum dolor sit amet",
            "Dog lead, 2 m, with a padded loop for the hand",
            "👟 ### \n\n---",
        ];
        for text in texts {
            assert_eq!(guess(text), None, "{text}");
        }
    }

    #[test]
    fn a_guess_says_why() {
        let lamp = guess("LUMO desk lamps, dimmable, for E27 bulbs, 720 lm").unwrap();
        assert_eq!(lamp.reasons, ["desk lamp", "bulb", "dimmable"]);
        let shoe = guess("Stevige wandelschoenen van leer met zool").unwrap();
        assert_eq!(shoe.reasons, ["wandelschoenen", "leer", "zool"]);
    }

    #[test]
    fn every_template_has_its_words() {
        let names: Vec<&str> = presets().iter().map(|preset| preset.name.as_str()).collect();
        assert!(EVIDENCE.iter().map(|evidence| evidence.template).eq(names));
    }

    /// On products that the words were not chosen by: two in five texts of the ready categories get a suggestion, and
    /// hardly any a wrong one.
    #[test]
    fn wrong_suggestions_are_rare() {
        let expected = |category: &str| {
            Some(match category {
                "fashion" | "clothing" | "sportswear" => "Clothing",
                "footwear" => "Footwear",
                "jewellery & watches" | "jewellery" | "watches" => "Jewelry",
                "cosmetics" | "skin care" | "hair care" | "perfume" => "Cosmetics",
                "food & drink" | "food" | "coffee" | "tea" | "wine" | "beer" => "Food",
                "kitchen" => "Kitchen",
                "furniture" => "Furniture",
                "lighting" => "Lighting",
                "laptops" | "phones" | "cameras" | "electronics" | "audio & video" => "Electronics",
                "tools" | "hand tools" => "Tools",
                "toys & games" | "toys" | "board games" => "Toys",
                "sports & outdoor" | "sports" | "bicycles" => "Sports",
                _ => return None,
            })
        };
        let (mut all, mut right, mut wrong) = (0, 0, 0);
        for file in ["val.jsonl", "test.jsonl"] {
            let path = format!("{}/../data/{file}", env!("CARGO_MANIFEST_DIR"));
            for product in parse_jsonl(&std::fs::read_to_string(path).unwrap()).unwrap() {
                let Some(expected) = expected(&product.category) else { continue };
                let guess = template(&product.text);
                all += 1;
                right += usize::from(guess == Some(expected));
                wrong += usize::from(guess.is_some_and(|guess| guess != expected));
            }
        }
        println!("{right} right and {wrong} wrong of {all}");
        assert!(
            all > 200 && right * 100 >= all * 40 && wrong * 100 <= all * 5,
            "{right} {wrong} {all}"
        );
    }
}
