//! All state of the page, in signals.

use std::sync::Arc;

use hangtag_task::{Feature, FeatureValue, Template};
use hangtag_web::ask::AskError;
use hangtag_web::correction::{Checked, Correction, Settled, TrainingRows};
use hangtag_web::protocol::{Device, Failure, LoadStep, Loaded, Package, RunId, RunStats, RunStep};
use hangtag_web::templates::{Chosen, TemplateError, Templates};
use hangtag_web::traffic::Request;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::choice_state::ChoiceState;
use super::device::Obstacle;
use super::feature_state::FeatureState;
use super::list_state::ListState;
use super::measure::Measuring;
use super::remember;
use super::speech::Speech;

/// Earlier results that the page keeps.
const MAX_RUNS: usize = 20;
const TEXT_KEY: &str = "hangtag.text";
const TEMPLATES_KEY: &str = "hangtag.templates";
const VIEW_KEY: &str = "hangtag.view";

/// Everything that the page shows.
#[derive(Clone, Copy)]
pub struct State {
    /// The language.
    pub speech: Speech,
    /// The product text, as in its field.
    pub text: RwSignal<String>,
    /// The feature list.
    pub features: FeatureState,
    /// The chosen template.
    pub template: RwSignal<Option<Chosen>>,
    /// The person's own templates.
    pub own_templates: RwSignal<Templates>,
    /// What is wrong with the input of the last attempt.
    pub input_error: RwSignal<Option<AskError>>,
    /// The model, once it is opened.
    pub package: RwSignal<Option<Package>>,
    /// The choice of another.
    pub choice: ChoiceState,
    /// What the model runs on, once found.
    pub device: RwSignal<Option<Device>>,
    /// Why it is not a GPU.
    pub obstacle: RwSignal<Option<Obstacle>>,
    /// Where the model stands.
    pub model: RwSignal<Model>,
    /// The measurement of the GPU.
    pub measuring: RwSignal<Measuring>,
    /// Runs, newest first.
    pub runs: RwSignal<Vec<Run>>,
    /// The run shown.
    pub shown: RwSignal<Option<RunId>>,
    /// Why the last run failed.
    pub failure: RwSignal<Option<Failure>>,
    /// Why the engine was started again by itself.
    pub restarted: RwSignal<Option<Failure>>,
    /// The feature pointed at, an index into the shown run.
    pub active: RwSignal<Option<usize>>,
    /// The last proof of the policy: page and worker blocked.
    pub isolation: RwSignal<Isolation>,
    /// The requests that page and workers have made.
    pub requests: RwSignal<Vec<Request>>,
    /// When the model was loaded, in milliseconds since 1970.
    pub loaded_ms: RwSignal<Option<f64>>,
    /// What the page is used for.
    pub view: RwSignal<View>,
    /// The list of products.
    pub products: ListState,
}

/// What the page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// One text.
    Text,
    /// A list of products.
    List,
}

/// Where the model stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// The worker starts and looks for something to compute with.
    Starting,
    /// Found and not loaded, or none is chosen.
    Absent,
    /// On its way.
    Loading(Option<LoadStep>),
    /// Loaded.
    Ready(Loaded),
    /// Not to be had.
    Failed(Failure),
}

impl Model {
    /// Name of the state, for styles and tests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Absent => "absent",
            Self::Loading(_) => "loading",
            Self::Ready(_) => "ready",
            Self::Failed(_) => "failed",
        }
    }
}

/// What the live proof of the policy has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Whether the page's own attempt was blocked.
    pub page: Option<bool>,
    /// Whether the worker's attempt was blocked.
    pub worker: Option<bool>,
}

/// One extraction and its results.
#[derive(Clone)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The text that was read.
    pub text: Arc<str>,
    /// The features asked, with their answers.
    pub rows: Arc<[Row]>,
    /// Where it stands.
    pub phase: ArcRwSignal<Phase>,
    /// The part of a long text that is being read, from 1, and how many there are.
    pub part: ArcRwSignal<Option<(usize, usize)>>,
    /// When it began, in milliseconds since 1970.
    pub began_ms: f64,
    /// What was asked.
    pub features: Arc<[Feature]>,
    /// The category of the template that was chosen; may be empty.
    pub category: String,
    /// The product of the list that this is the tag of.
    pub product: Option<usize>,
}

/// One feature of a run.
pub struct Row {
    /// The feature's name.
    pub name: String,
    /// The model's answer, once there.
    pub value: ArcRwSignal<Option<FeatureValue>>,
    /// What a person made of it.
    pub correction: ArcRwSignal<Option<Correction>>,
}

impl Row {
    /// Waits for its answer.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: ArcRwSignal::new(None),
            correction: ArcRwSignal::new(None),
        }
    }

    /// The value that counts: the answer, or what a person made of it.
    pub fn settled(&self, text: &str) -> Option<Settled> {
        let correction = self.correction.get();
        self.value.with(|value| {
            value.as_ref().map(|value| Settled::new(value, correction.as_ref(), text))
        })
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// The model is not ready yet.
    Waiting,
    /// The model works on it.
    Running(RunStep),
    /// All features are answered.
    Finished(RunStats),
    /// The user stopped it.
    Stopped,
    /// It failed.
    Failed,
}

impl Phase {
    /// Name of the phase, for styles and tests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running(_) => "running",
            Self::Finished(_) => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether more is to come.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running(_))
    }
}

impl Run {
    /// The values there are, in the order asked.
    pub fn values(&self) -> Vec<Settled> {
        self.rows.iter().filter_map(|row| row.settled(&self.text)).collect()
    }

    /// What a person has settled, as a row to train on.
    pub fn training_rows(&self, id: String) -> TrainingRows {
        let answered = || self.rows.iter().filter(|row| row.value.with(Option::is_some));
        let answers: Vec<FeatureValue> = answered().filter_map(|row| row.value.get()).collect();
        let corrections: Vec<_> = answered().map(|row| row.correction.get()).collect();
        let mut rows = TrainingRows::default();
        rows.add(&Checked {
            id,
            category: &self.category,
            text: &self.text,
            features: &self.features,
            answers: &answers,
            corrections: &corrections,
        });
        rows
    }

    /// Whether a person has settled anything of it.
    pub fn is_corrected(&self) -> bool {
        self.rows.iter().any(|row| row.correction.with(Option::is_some))
    }

    fn has_answers(&self) -> bool {
        self.rows.iter().any(|row| row.value.with_untracked(Option::is_some))
    }
}

impl State {
    /// A fresh state with the text and features of the last visit.
    pub fn remembered() -> Self {
        let state = Self {
            speech: Speech::remembered(),
            text: RwSignal::new(remember::get(TEXT_KEY).unwrap_or_default()),
            features: FeatureState::remembered(),
            template: RwSignal::new(None),
            own_templates: RwSignal::new(remember::get(TEMPLATES_KEY).unwrap_or_default()),
            input_error: RwSignal::new(None),
            package: RwSignal::new(None),
            choice: ChoiceState::new(),
            device: RwSignal::new(None),
            obstacle: RwSignal::new(None),
            model: RwSignal::new(Model::Starting),
            measuring: RwSignal::new(Measuring::No),
            runs: RwSignal::new(Vec::new()),
            shown: RwSignal::new(None),
            failure: RwSignal::new(None),
            restarted: RwSignal::new(None),
            active: RwSignal::new(None),
            isolation: RwSignal::new(Isolation::default()),
            requests: RwSignal::new(Vec::new()),
            loaded_ms: RwSignal::new(None),
            view: RwSignal::new(remember::get(VIEW_KEY).unwrap_or(View::Text)),
            products: ListState::empty(),
        };
        // A full or forbidden storage costs only the memory of the fields.
        Effect::new(move |_| _ = remember::set(TEXT_KEY, &state.text.get()));
        Effect::new(move |_| _ = remember::set(VIEW_KEY, &state.view.get()));
        state
    }

    /// Whether the processor answers, in the place of a GPU.
    pub fn is_on_processor(&self) -> bool {
        self.device.get() == Some(Device::Processor)
    }

    /// The category that the chosen template is for; may be empty.
    pub fn template_category(&self) -> String {
        self.chosen_template().map(|template| template.category).unwrap_or_default()
    }

    fn chosen_template(&self) -> Option<Template> {
        let chosen = self.template.get_untracked()?;
        self.own_templates.with_untracked(|own| chosen.find(own).cloned())
    }

    /// Chooses a template, or none, and puts its features into the field.
    pub fn choose_template(&self, chosen: Option<Chosen>) {
        self.template.set(chosen);
        if let Some(template) = self.chosen_template() {
            self.input_error.set(None);
            self.features.show(&template.features);
        }
    }

    /// Changes the person's own templates and keeps them.
    ///
    /// # Errors
    /// Why the change was not made, or not kept.
    pub fn change_templates<T>(
        &self,
        change: impl FnOnce(&mut Templates) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let mut own = self.own_templates.get_untracked();
        let changed = change(&mut own)?;
        let is_kept = remember::set(TEMPLATES_KEY, &own);
        self.own_templates.set(own);
        match is_kept {
            true => Ok(changed),
            false => Err(TemplateError::NotKept),
        }
    }

    /// The run of this number.
    pub fn run(&self, id: RunId) -> Option<Run> {
        self.runs.with(|runs| runs.iter().find(|run| run.id == id).cloned())
    }

    /// The run shown.
    pub fn shown_run(&self) -> Option<Run> {
        self.shown.get().and_then(|id| self.run(id))
    }

    /// The run that waits or works, if any.
    pub fn open_run(&self) -> Option<Run> {
        self.runs.with(|runs| runs.first().filter(|run| run.phase.get().is_open()).cloned())
    }

    /// Adds a run and shows it.
    pub fn add_run(&self, run: Run) {
        let id = run.id;
        self.failure.set(None);
        self.active.set(None);
        self.runs.update(|runs| {
            runs.insert(0, run);
            runs.truncate(MAX_RUNS);
        });
        self.shown.set(Some(id));
    }

    /// Ends a run without a result. Answers that it has stay; without any it leaves, and the one before is shown again.
    pub fn end_run(&self, id: RunId, phase: Phase) {
        let Some(run) = untrack(|| self.run(id)) else { return };
        run.phase.set(phase);
        if run.has_answers() {
            return;
        }
        let before =
            self.runs.with_untracked(|runs| runs.iter().find(|run| run.id < id).map(|run| run.id));
        if before.is_some() {
            self.active.set(None);
            if self.shown.get_untracked() == Some(id) {
                self.shown.set(before);
            }
            self.runs.update(|runs| runs.retain(|run| run.id != id));
        }
    }
}
