//! What the page knows of the choice of a model.

use hangtag_web::protocol::{Place, Shelf};
use hangtag_web::words::Said;
use leptos::prelude::*;
use web_sys::File;

/// The choice of a model, in signals.
#[derive(Clone, Copy)]
pub struct ChoiceState {
    /// What is kept on this device, once known.
    pub shelf: RwSignal<Option<Shelf>>,
    /// Why the last choice is none that can be used.
    pub problem: RwSignal<Option<Said>>,
    /// Whether a choice is being looked at.
    pub is_opening: RwSignal<bool>,
    /// Whether the person's own files are to be kept in the browser.
    pub keep: RwSignal<bool>,
}

impl ChoiceState {
    /// Before anything is known.
    pub fn new() -> Self {
        Self {
            shelf: RwSignal::new(None),
            problem: RwSignal::new(None),
            is_opening: RwSignal::new(false),
            keep: RwSignal::new(false),
        }
    }
}

/// A chosen model, with the person's files if it is of these.
#[derive(Clone, PartialEq)]
pub struct Chosen {
    /// Where it is.
    pub place: Place,
    /// The files of [`Place::Files`].
    pub files: Vec<File>,
}

impl Chosen {
    /// A model that needs no files.
    pub fn at(place: Place) -> Self {
        Self { place, files: Vec::new() }
    }
}
