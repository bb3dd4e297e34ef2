use std::sync::LazyLock;

use crate::Template;

/// The files of `presets/`, in the order in which they are offered.
const FILES: [&str; 12] = [
    include_str!("../presets/clothing.json"),
    include_str!("../presets/footwear.json"),
    include_str!("../presets/jewelry.json"),
    include_str!("../presets/cosmetics.json"),
    include_str!("../presets/food.json"),
    include_str!("../presets/kitchen.json"),
    include_str!("../presets/furniture.json"),
    include_str!("../presets/lighting.json"),
    include_str!("../presets/electronics.json"),
    include_str!("../presets/tools.json"),
    include_str!("../presets/toys.json"),
    include_str!("../presets/sports.json"),
];

/// Ready templates for common categories of products.
pub fn presets() -> &'static [Template] {
    // A test holds that every file can be read.
    static PRESETS: LazyLock<Vec<Template>> =
        LazyLock::new(|| FILES.iter().filter_map(|json| Template::from_json(json).ok()).collect());
    &PRESETS
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Kind, parse_feature_list};

    #[test]
    fn every_file_is_a_preset() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
        for json in FILES {
            Template::from_json(json).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), FILES.len());
        assert_eq!(presets().len(), FILES.len());
    }

    #[test]
    fn presets_differ_and_are_of_a_useful_size() {
        let names: HashSet<String> =
            presets().iter().map(|preset| preset.name.to_lowercase()).collect();
        assert_eq!(names.len(), presets().len());
        for preset in presets() {
            assert!((8..=14).contains(&preset.features.len()), "{}", preset.name);
            assert!(!preset.category.is_empty(), "{}", preset.name);
            let has_unit = preset.features.iter().filter(|feature| feature.unit.is_some());
            assert!(
                has_unit.into_iter().all(|feature| feature.kind == Kind::Number),
                "{}",
                preset.name
            );
        }
    }

    #[test]
    fn a_preset_survives_the_comma_list_of_its_names() {
        for preset in presets() {
            let names: Vec<&str> =
                preset.features.iter().map(|feature| feature.name.as_str()).collect();
            let read = parse_feature_list(&names.join(", ")).unwrap();
            assert!(read.iter().map(|feature| &feature.name).eq(names.iter()), "{}", preset.name);
        }
    }
}
