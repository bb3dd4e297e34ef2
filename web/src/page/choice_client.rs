//! The choice of a model: what is asked of the worker, and what is remembered of it.

use hangtag_web::protocol::{Loaded, Origin, Package, Place, ToWorker};
use hangtag_web::words::{Language, Said};
use leptos::prelude::*;
use web_sys::File;

use super::choice_state::Chosen;
use super::client::Client;
use super::device::AddressError;
use super::state::Model;
use super::{bundle, device, remember};

/// The kept model of the last visit.
const MODEL_KEY: &str = "hangtag.model";

impl Client {
    /// Has the worker open a model. What is open stays until the worker has said that this one is good.
    pub fn choose(&self, chosen: Chosen) {
        self.stop_measuring();
        let choice = self.state.choice;
        choice.problem.set(None);
        choice.is_opening.set(true);
        self.recovery.take_reload();
        self.asked.set_value(Some(chosen.clone()));
        match self.state.model.get_untracked() {
            // Nobody is there to ask; the new worker does it first.
            Model::Failed(_) => self.launch(),
            _ => self.open(&chosen),
        }
    }

    /// Has the worker open the person's own files.
    pub fn choose_files(&self, files: Vec<File>) {
        if !files.is_empty() {
            self.choose(Chosen { place: Place::Files, files });
        }
    }

    /// Has the worker open a package of this site.
    pub fn choose_path(&self, path: &str) {
        match device::package_url(path) {
            Ok(package_url) => self.choose(Chosen::at(Place::Site { package_url })),
            Err(error) => {
                self.state.choice.problem.set(Some(Said::new(move |words| error.words(words))));
            }
        }
    }

    /// Deletes a kept model.
    pub fn remove_kept(&self, id: String) {
        if self.state.package.with_untracked(|open| is(open.as_ref(), &id)) {
            self.forget();
        } else {
            self.send(&ToWorker::Remove { id });
        }
    }

    /// Opens what was asked for last, or what the page begins with.
    pub(super) fn open_first(&self) {
        let asked = self.asked.get_value().or_else(|| self.chosen.get_value());
        let first = asked.map_or_else(first_choice, Ok);
        match first {
            Ok(chosen) => {
                self.asked.set_value(Some(chosen.clone()));
                self.open(&chosen);
            }
            Err(error) => self.cannot_open(error.words(Language::English.messages())),
        }
    }

    fn open(&self, chosen: &Chosen) {
        let memory_limit_bytes = device::memory_limit_bytes();
        let open = ToWorker::Open { place: chosen.place.clone(), memory_limit_bytes };
        self.send_with(&open, &chosen.files);
    }

    /// The worker has opened what was asked for.
    pub(super) fn note_opened(&self, package: Option<&Package>) {
        let choice = self.state.choice;
        choice.is_opening.set(false);
        choice.keep.set(false);
        if let Some(asked) = self.asked.try_update_value(Option::take).flatten() {
            self.chosen.set_value(Some(asked));
        }
        if package.is_some_and(|package| package.origin == Origin::Site) {
            remember::set(MODEL_KEY, &None::<String>);
        }
    }

    /// What was asked for cannot be used; what was there before stays.
    pub(super) fn note_refused(&self, message: String) {
        let choice = self.state.choice;
        choice.is_opening.set(false);
        let asked = self.asked.try_update_value(Option::take).flatten();
        let is_first = self.state.model.get_untracked() == Model::Starting;
        // What is opened in its place must not hide why.
        let refusal = Said::new(move |words| words.refusal(&message));
        choice.problem.update(|problem| _ = problem.get_or_insert(refusal));
        if is_first {
            self.fall_back(asked);
        }
    }

    /// A new worker has nothing open: it gets the model from before, or what the page begins with.
    fn fall_back(&self, refused: Option<Chosen>) {
        let before = self.chosen.try_update_value(Option::take).flatten();
        let before = before.filter(|before| Some(before) != refused.as_ref());
        let next = before.unwrap_or_else(|| Chosen::at(default_place()));
        remember::set(MODEL_KEY, &None::<String>);
        if Some(&next) != refused.as_ref() {
            self.asked.set_value(Some(next.clone()));
            self.open(&next);
        }
    }

    /// Remembers which kept model is in use.
    pub(super) fn note_loaded(&self, model: &Loaded) {
        let is_site =
            self.state.package.with_untracked(|open| open.as_ref().map(|open| open.origin))
                == Some(Origin::Site);
        remember::set(MODEL_KEY, &model.id.as_ref().filter(|_| !is_site));
    }

    /// A model that was only in the browser is gone with its files: the page begins anew.
    pub(super) fn note_forgotten(&self) {
        let origin =
            self.state.package.with_untracked(|open| open.as_ref().map(|open| open.origin));
        if origin == Some(Origin::Kept) {
            remember::set(MODEL_KEY, &None::<String>);
            self.choose(Chosen::at(default_place()));
        }
    }
}

fn is(open: Option<&Package>, id: &str) -> bool {
    open.is_some_and(|open| open.kept_bytes > 0 && open.id.as_deref() == Some(id))
}

/// What the page begins with: what its address names, else the kept model of the last visit, else the site's own.
fn first_choice() -> Result<Chosen, AddressError> {
    if let Some(path) = device::asked_model().filter(|_| !bundle::is_bundle()) {
        return device::package_url(&path)
            .map(|package_url| Chosen::at(Place::Site { package_url }));
    }
    let kept: Option<String> = remember::get(MODEL_KEY).flatten();
    Ok(Chosen::at(kept.map_or_else(default_place, |id| Place::Kept { id })))
}

/// The site's own model; none where there is no site.
pub fn default_place() -> Place {
    match device::package_url(&device::default_model()) {
        Ok(package_url) if !bundle::is_bundle() => Place::Site { package_url },
        _ => Place::Nowhere,
    }
}
