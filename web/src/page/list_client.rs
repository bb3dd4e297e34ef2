//! The work on a list: opens files, sends part after part to the worker, keeps what comes back.

use std::rc::Rc;
use std::sync::Arc;

use gloo::utils::window;
use hangtag_products::{ListError, Products, RowError};
use hangtag_task::FeatureValue;
use hangtag_web::correction::Correction;
use hangtag_web::list::{Entry, Filled, MAX_FILE_BYTES, Parts, Setup};
use hangtag_web::protocol::{Device, Failure, RunId, ToWorker};
use hangtag_web::units::bytes;
use hangtag_web::words::Said;
use js_sys::Uint8Array;
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::client::{Client, focus_first_invalid};
use super::list_state::{ListPhase, ListState, OpenList};
use super::list_store::{Head, ListStore, NotKept};
use super::state::Model;
use super::workbook::{csv_of_workbook, is_workbook};

/// Products of a part: as many as the engine runs together.
const PART: usize = 16;
/// Where the processor works, or plays a GPU, so that rows come and a stop is heard in seconds.
const SLOW_PART: usize = 4;

/// What the work needs beside the state.
#[derive(Clone, Copy)]
pub struct ListWork {
    parts: StoredValue<Parts>,
    store: StoredValue<Option<Rc<ListStore>>, LocalStorage>,
}

impl ListWork {
    /// Nothing at work, and nothing kept yet.
    pub fn new() -> Self {
        Self { parts: StoredValue::new(Parts::default()), store: StoredValue::new_local(None) }
    }
}

impl Client {
    fn list(&self) -> ListState {
        self.state.products
    }

    /// Opens the list of the last visit, and has the work go on whenever the model is ready.
    pub fn watch_list(&self) {
        let client = *self;
        Effect::new(move |_| {
            let is_running = client.list().phase.get() == ListPhase::Running;
            client.state.model.track();
            if is_running {
                client.send_parts();
            }
        });
        spawn_local(async move {
            match ListStore::open().await {
                Ok(store) => client.restore(store).await,
                Err(reason) => client.list().not_kept.set(Some(reason)),
            }
        });
    }

    async fn restore(&self, store: ListStore) {
        let list = self.list();
        let kept = store.load().await;
        self.work.store.set_value(Some(Rc::new(store)));
        let Ok(Some(kept)) = kept else { return };
        let is_free = list.phase.get_untracked() == ListPhase::Empty;
        let Ok(products) = read(&kept.head.name, &kept.bytes) else { return };
        if !is_free {
            return;
        }
        list.show(OpenList { name: kept.head.name, products });
        let Some(setup) = kept.head.setup else { return };
        list.entries.update(|entries| {
            for (index, entry) in kept.entries {
                if let Some(place) = entries.get_mut(index) {
                    *place = entry;
                }
            }
        });
        list.setup.set(Some(Arc::new(setup)));
        list.settle();
    }

    /// Reads a file that the user has dropped or chosen.
    pub fn open_list(&self, file: web_sys::File) {
        let (client, list) = (*self, self.list());
        list.problem.set(None);
        list.phase.set(ListPhase::Opening);
        spawn_local(async move {
            let name = file.name();
            let opened = client.try_open(&name, &file).await;
            if let Err(problem) = opened {
                list.phase.set(ListPhase::Empty);
                let problem =
                    Said::new(move |words| words.problems.in_file(&name, &problem.with(words)));
                list.problem.set(Some(problem));
            }
        });
    }

    async fn try_open(&self, name: &str, file: &web_sys::File) -> Result<(), Said> {
        let size_bytes = file.size() as u64;
        if size_bytes > MAX_FILE_BYTES as u64 {
            return Err(Said::new(move |words| {
                let [size, most] = [size_bytes, MAX_FILE_BYTES as u64]
                    .map(|size_bytes| bytes(words.language, size_bytes));
                words.problems.file_too_large(&size, &most)
            }));
        }
        let buffer = JsFuture::from(file.array_buffer()).await;
        let buffer =
            buffer.map_err(|_| Said::new(|words| words.problems.file_unreadable.to_owned()))?;
        let mut content = Uint8Array::new(&buffer).to_vec();
        if is_workbook(name) {
            // From here on it is a CSV, also among what is kept.
            let csv = csv_of_workbook(content, self.note_requests()).await;
            content =
                csv.map_err(|english| Said::new(move |words| words.problems.workbook(&english)))?;
        }
        let products = read(name, &content)
            .map_err(|error| Said::new(move |words| words.list_error(&error)))?;
        self.list().show(OpenList { name: name.to_owned(), products });
        let head = Head { name: name.to_owned(), setup: None };
        self.keep(async move |store| store.keep(&head, &content).await);
        Ok(())
    }

    /// Starts the list or goes on with it, whichever is next.
    pub fn run_list(&self) {
        match self.list().phase.get_untracked() {
            ListPhase::Chosen => self.start_list(),
            ListPhase::Paused => self.go_on_with_list(),
            ListPhase::Empty | ListPhase::Opening | ListPhase::Running | ListPhase::Finished => {}
        }
    }

    /// Begins to fill in the list with the features and columns of the fields; what was filled in before goes.
    pub fn start_list(&self) {
        if self.lacks_model() {
            return;
        }
        let (state, list) = (self.state, self.list());
        let asked = state.features.asked();
        state.input_error.set(asked.as_ref().err().cloned());
        let Ok(features) = asked else { return focus_first_invalid() };
        let text_columns = list.text_columns.get_untracked();
        if text_columns.is_empty() {
            return list.problem.set(Some(Said::new(|words| words.problems.no_columns.to_owned())));
        }
        let Some(open) = list.open.get_untracked() else { return };

        self.take_back_parts();
        let setup = Setup { text_columns, features, category: state.template_category() };
        let head = Head { name: open.name.clone(), setup: Some(setup.clone()) };
        self.keep(async move |store| store.begin(&head).await);
        let entry = |problem: RowError| Entry {
            answer: Some(Err(problem.to_string())),
            ..Entry::default()
        };
        let entries: Vec<Entry> = open
            .products
            .rows
            .iter()
            .map(|row| row.text(&setup.text_columns).err().map(entry).unwrap_or_default())
            .collect();
        let unreadable: Vec<usize> =
            (0..entries.len()).filter(|&index| entries[index].answer.is_some()).collect();
        list.problem.set(None);
        list.selected.set(None);
        list.setup.set(Some(Arc::new(setup)));
        list.entries.set(entries);
        list.answered.update(|times| *times += 1);
        self.keep_entries(unreadable);
        self.go_on_with_list();
    }

    /// Goes on where the work was halted.
    pub fn go_on_with_list(&self) {
        if self.lacks_model() {
            return;
        }
        let list = self.list();
        list.failure.set(None);
        list.settle();
        if list.phase.get_untracked() == ListPhase::Paused {
            list.pace.update(|pace| pace.begin(now_ms()));
            list.phase.set(ListPhase::Running);
        }
    }

    /// Halts the work; rows that are filled in stay.
    pub fn pause_list(&self) {
        if self.list().phase.get_untracked() == ListPhase::Running {
            self.take_back_parts();
            self.list().phase.set(ListPhase::Paused);
        }
    }

    /// Takes the list off the page and off this device.
    pub fn remove_list(&self) {
        self.take_back_parts();
        self.list().clear();
        self.keep(async |store| store.clear().await);
    }

    /// Notes what a person made of an answer of a product.
    pub fn correct_product(&self, product: usize, feature: usize, correction: Option<Correction>) {
        self.list().entries.update(|entries| {
            let Some(entry) = entries.get_mut(product) else { return };
            match correction {
                Some(correction) => drop(entry.corrections.insert(feature, correction)),
                None => drop(entry.corrections.remove(&feature)),
            }
        });
        self.keep_entries(vec![product]);
    }

    /// The list as a file's text.
    pub fn write_list<T>(&self, write: impl FnOnce(&Filled<'_>) -> T) -> Option<T> {
        let list = self.list();
        let (open, setup) = (list.open.get_untracked()?, list.setup.get_untracked()?);
        list.entries.with_untracked(|entries| {
            let filled =
                Filled { name: &open.name, products: &open.products, setup: &setup, entries };
            Some(write(&filled))
        })
    }

    fn take_back_parts(&self) {
        if let Some(run) = self.work.parts.try_update_value(Parts::all_came_back).flatten() {
            self.send(&ToWorker::Stop { run });
        }
    }

    /// Sends parts until enough are at the worker. Without a model it has one loaded, and is called again then.
    fn send_parts(&self) {
        match self.state.model.get_untracked() {
            Model::Ready(_) => {}
            Model::Absent => return self.load(),
            Model::Failed(_) => return self.restart(),
            Model::Starting | Model::Loading(_) => return,
        }
        let list = self.list();
        let (Some(open), Some(setup)) = (list.open.get_untracked(), list.setup.get_untracked())
        else {
            return;
        };
        let is_slow =
            self.state.device.with_untracked(|device| device.as_ref().is_some_and(Device::is_slow));
        let size = if is_slow { SLOW_PART } else { PART };
        loop {
            let part = self.work.parts.try_update_value(|parts| {
                list.entries.with_untracked(|entries| parts.next(entries, size))
            });
            let part = part.unwrap_or_default();
            if part.is_empty() {
                break;
            }
            let text = |&index: &usize| {
                let row = open.products.rows.get(index);
                row.and_then(|row| row.text(&setup.text_columns).ok()).unwrap_or_default()
            };
            let (run, texts) = (self.new_run(), part.iter().map(text).collect());
            self.work.parts.update_value(|parts| parts.sent(run, part));
            self.send(&ToWorker::ExtractPart { run, texts, features: setup.features.clone() });
        }
        if self.work.parts.with_value(Parts::is_empty) {
            list.settle();
        }
    }

    /// Takes the answers to a part.
    pub fn take_part(&self, run: RunId, results: Vec<Result<Vec<FeatureValue>, String>>) {
        let Some(part) = self.work.parts.try_update_value(|parts| parts.answered(run)).flatten()
        else {
            return;
        };
        let list = self.list();
        list.entries.update(|entries| {
            for (&index, result) in part.iter().zip(results) {
                if let Some(entry) = entries.get_mut(index) {
                    entry.answer = Some(result);
                }
            }
        });
        list.answered.update(|times| *times += 1);
        list.pace.update(|pace| pace.add(now_ms(), part.len()));
        self.keep_entries(part);
        if list.phase.get_untracked() == ListPhase::Running {
            self.send_parts();
        }
    }

    /// A run has ended without answers. Whether it was a part of the list: then its products are asked again.
    pub fn part_stopped(&self, run: RunId) -> bool {
        let was_part =
            self.work.parts.try_update_value(|parts| parts.came_back(run)).unwrap_or(false);
        if was_part && self.list().phase.get_untracked() == ListPhase::Running {
            self.send_parts();
        }
        was_part
    }

    /// A run has failed. Whether it was a part of the list: then the list is halted.
    pub fn part_failed(&self, run: RunId, failure: &Failure) -> bool {
        let was_part =
            self.work.parts.try_update_value(|parts| parts.came_back(run)).unwrap_or(false);
        if was_part {
            self.halt_list(failure);
        }
        was_part
    }

    /// The worker is gone or could not load the model: its parts come to nothing.
    pub fn halt_list(&self, failure: &Failure) {
        self.work.parts.try_update_value(Parts::all_came_back);
        if self.list().phase.get_untracked() == ListPhase::Running {
            self.list().phase.set(ListPhase::Paused);
            self.list().failure.set(Some(failure.clone()));
        }
    }

    /// A new worker knows nothing of the parts that the old one had.
    pub fn forget_parts(&self) {
        self.work.parts.try_update_value(Parts::all_came_back);
    }

    fn keep_entries(&self, indices: Vec<usize>) {
        let entries = self.list().entries.with_untracked(|entries| {
            let entry = |index: usize| Some((index, entries.get(index)?.clone()));
            indices.into_iter().filter_map(entry).collect::<Vec<_>>()
        });
        if !entries.is_empty() {
            self.keep(async move |store| store.keep_entries(&entries).await);
        }
    }

    /// Changes the database, if there is one; says so if it refuses.
    fn keep(&self, change: impl AsyncFnOnce(&ListStore) -> Result<(), String> + 'static) {
        let Some(store) = self.work.store.get_value() else { return };
        let not_kept = self.list().not_kept;
        spawn_local(async move {
            if let Err(reason) = change(&store).await {
                not_kept.set(Some(NotKept::Refused(reason)));
            }
        });
    }
}

fn read(name: &str, bytes: &[u8]) -> Result<Products, ListError> {
    let lower = name.to_lowercase();
    let is_jsonl = [".jsonl", ".ndjson", ".json"].iter().any(|ending| lower.ends_with(ending));
    if is_jsonl { Products::from_jsonl(bytes) } else { Products::from_csv(bytes) }
}

fn now_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}
