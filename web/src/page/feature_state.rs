//! The feature list in signals: as a text, and as rows that have kinds.

use hangtag_task::Feature;
use hangtag_web::ask::{AskError, asked_features};
use hangtag_web::feature_list::FeatureList;
use leptos::prelude::*;

use super::remember;

const TEXT_KEY: &str = "hangtag.features";
const KINDS_KEY: &str = "hangtag.kinds";
const AS_ROWS_KEY: &str = "hangtag.features-as-rows";
const FIRST_FEATURES: &str = "Brand, Product type, Color, Material, Size";

/// The list in both views; each change reaches the other.
#[derive(Clone, Copy)]
pub struct FeatureState {
    /// As in the field.
    pub text: RwSignal<String>,
    /// As rows.
    pub list: RwSignal<FeatureList>,
    /// Whether the rows are shown, and not the field.
    pub as_rows: RwSignal<bool>,
}

impl FeatureState {
    /// That of the last visit.
    pub fn remembered() -> Self {
        let text = remember::get(TEXT_KEY).unwrap_or_else(|| FIRST_FEATURES.to_owned());
        let kinds = remember::get(KINDS_KEY).unwrap_or_default();
        let state = Self {
            list: RwSignal::new(FeatureList::of_text(&text, kinds)),
            text: RwSignal::new(text),
            as_rows: RwSignal::new(remember::get(AS_ROWS_KEY).unwrap_or(false)),
        };
        // A full or forbidden storage costs only the memory of the list.
        Effect::new(move |_| _ = remember::set(TEXT_KEY, &state.text.get()));
        Effect::new(move |_| _ = remember::set(KINDS_KEY, &state.list.with(FeatureList::kinds)));
        Effect::new(move |_| _ = remember::set(AS_ROWS_KEY, &state.as_rows.get()));
        state
    }

    /// What the list asks for, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn asked(&self) -> Result<Vec<Feature>, AskError> {
        asked_features(&self.text.get_untracked(), &self.known())
    }

    /// The features with their kinds, choices and units.
    pub fn known(&self) -> Vec<Feature> {
        self.list.with_untracked(FeatureList::features)
    }

    /// Takes what was written into the field.
    pub fn write(&self, text: String) {
        self.list.update(|list| list.read(&text));
        self.text.set(text);
    }

    /// Begins anew with the features of a text, none of which has a kind.
    pub fn begin(&self, text: &str) {
        self.list.set(FeatureList::of_text(text, Vec::new()));
        self.text.set(text.to_owned());
    }

    /// Begins anew with these features.
    pub fn show(&self, features: &[Feature]) {
        let list = FeatureList::new(features);
        self.text.set(list.text(""));
        self.list.set(list);
    }

    /// Changes the rows.
    pub fn change<T>(&self, change: impl FnOnce(&mut FeatureList) -> T) -> T {
        let mut list = self.list.get_untracked();
        let changed = change(&mut list);
        let text = self.text.get_untracked();
        if !list.is_named_by(&text) {
            self.text.set(list.text(&text));
        }
        self.list.set(list);
        changed
    }
}
