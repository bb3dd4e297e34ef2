//! State of the list of products, in signals. What changes it is in `list_client.rs`.

use std::sync::Arc;

use hangtag_products::{Products, RowError};
use hangtag_web::list::{Counts, Entry, Filter, Setup};
use hangtag_web::pace::Pace;
use hangtag_web::protocol::Failure;
use hangtag_web::words::Said;
use leptos::prelude::*;

use super::list_store::NotKept;

/// The list on the page, if any.
#[derive(Clone, Copy)]
pub struct ListState {
    /// The file.
    pub open: RwSignal<Option<Arc<OpenList>>>,
    /// The columns to read, as chosen before the start.
    pub text_columns: RwSignal<Vec<String>>,
    /// What the rows are asked; `None` before the start.
    pub setup: RwSignal<Option<Arc<Setup>>>,
    /// What is known of each product.
    pub entries: RwSignal<Vec<Entry>>,
    /// Raised when answers come: filters look again then, and not at every correction.
    pub answered: RwSignal<u32>,
    /// Where the work stands.
    pub phase: RwSignal<ListPhase>,
    /// Why a file was not opened, or the list not started.
    pub problem: RwSignal<Option<Said>>,
    /// What stopped the work.
    pub failure: RwSignal<Option<Failure>>,
    /// Why the list is not kept on this device.
    pub not_kept: RwSignal<Option<NotKept>>,
    /// Which products are shown.
    pub filter: RwSignal<Filter>,
    /// The product whose tag is shown.
    pub selected: RwSignal<Option<usize>>,
    /// How fast it goes.
    pub pace: RwSignal<Pace>,
}

/// A file of products, read.
pub struct OpenList {
    /// The file's name.
    pub name: String,
    /// What is in it.
    pub products: Products,
}

/// Where the work on a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPhase {
    /// There is no list.
    Empty,
    /// A file is being read.
    Opening,
    /// A list is open, and nothing was asked of it.
    Chosen,
    /// Rows are filled in.
    Running,
    /// Halted; some rows are not filled in.
    Paused,
    /// All rows are filled in.
    Finished,
}

impl ListPhase {
    /// Name of the phase, for styles and tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Opening => "opening",
            Self::Chosen => "chosen",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
        }
    }
}

impl ListState {
    /// Without a list.
    pub fn empty() -> Self {
        Self {
            open: RwSignal::new(None),
            text_columns: RwSignal::new(Vec::new()),
            setup: RwSignal::new(None),
            entries: RwSignal::new(Vec::new()),
            answered: RwSignal::new(0),
            phase: RwSignal::new(ListPhase::Empty),
            problem: RwSignal::new(None),
            failure: RwSignal::new(None),
            not_kept: RwSignal::new(None),
            filter: RwSignal::new(Filter::All),
            selected: RwSignal::new(None),
            pace: RwSignal::new(Pace::default()),
        }
    }

    /// Shows this list, with nothing asked of it yet.
    pub fn show(&self, list: OpenList) {
        let count = list.products.rows.len();
        self.text_columns.set(list.products.likely_text_columns());
        self.setup.set(None);
        self.entries.set(vec![Entry::default(); count]);
        self.filter.set(Filter::All);
        self.selected.set(None);
        self.failure.set(None);
        self.problem.set(None);
        self.open.set(Some(Arc::new(list)));
        self.phase.set(ListPhase::Chosen);
    }

    /// Shows no list.
    pub fn clear(&self) {
        self.phase.set(ListPhase::Empty);
        self.selected.set(None);
        self.filter.set(Filter::All);
        self.setup.set(None);
        self.failure.set(None);
        self.not_kept.set(None);
        self.open.set(None);
        self.entries.set(Vec::new());
    }

    /// The columns that are read: those of the start, or those chosen for it.
    pub fn read_columns(&self) -> Vec<String> {
        match self.setup.get() {
            Some(setup) => setup.text_columns.clone(),
            None => self.text_columns.get(),
        }
    }

    /// The text of a product, or why there is none.
    pub fn text(&self, index: usize) -> Result<String, RowError> {
        let columns = self.read_columns();
        let row = |list: &Arc<OpenList>| Some(list.products.rows.get(index)?.text(&columns));
        self.open.with(|list| list.as_ref().and_then(row)).unwrap_or_else(|| Ok(String::new()))
    }

    /// Numbers of products.
    pub fn counts(&self) -> Counts {
        self.entries.with(|entries| Counts::of(entries))
    }

    /// Halted, finished or still going, by what is answered.
    pub fn settle(&self) {
        let is_done = self
            .entries
            .with_untracked(|entries| entries.iter().all(|entry| entry.answer.is_some()));
        self.phase.set(if is_done { ListPhase::Finished } else { ListPhase::Paused });
    }
}
