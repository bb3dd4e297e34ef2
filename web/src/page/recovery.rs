//! An engine that breaks down is started again by itself, and goes on with what was not done.

use gloo_timers::future::TimeoutFuture;
use hangtag_web::ask::sentence;
use hangtag_web::observe::now_ms;
use hangtag_web::protocol::{Failure, FailureKind, ToWorker};
use hangtag_web::recovery::{Restarts, rows_to_ask};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::client::Client;
use super::list_state::ListPhase;
use super::speech::say;
use super::state::{Model, Phase, Run, State};

/// What recovery needs beside the state.
#[derive(Clone, Copy)]
pub struct Recovery {
    restarts: StoredValue<Restarts>,
    /// The model was loaded, and whether a copy of it was to be kept.
    reload: StoredValue<Option<bool>>,
    /// The rows of the open run that the worker was asked for, in its order.
    asked_rows: StoredValue<Vec<usize>>,
}

impl Recovery {
    /// Nothing has broken down yet.
    pub fn new() -> Self {
        Self {
            restarts: StoredValue::new(Restarts::default()),
            reload: StoredValue::new(None),
            asked_rows: StoredValue::new(Vec::new()),
        }
    }

    /// The row of the open run that the worker calls so.
    pub fn row(&self, index: usize) -> Option<usize> {
        self.asked_rows.with_value(|rows| rows.get(index).copied())
    }

    /// The engine has done something of use.
    pub fn note_progress(&self) {
        self.restarts.update_value(Restarts::note_progress);
    }

    /// Whether the model was loaded when the engine broke down, and if so, whether a copy was to be kept; told once.
    pub fn take_reload(&self) -> Option<bool> {
        self.reload.try_update_value(Option::take).flatten()
    }

    /// The person begins anew.
    pub fn reset(&self) {
        self.restarts.set_value(Restarts::default());
        self.reload.set_value(None);
    }
}

impl Client {
    /// What the worker is asked for a run: its features without an answer.
    pub(super) fn question(&self, run: &Run) -> ToWorker {
        let answered: Vec<bool> =
            run.rows.iter().map(|row| row.value.with_untracked(Option::is_some)).collect();
        let rows = rows_to_ask(&answered, run.part.get_untracked().is_some());
        let features = rows.iter().map(|&row| run.features[row].clone()).collect();
        self.recovery.asked_rows.set_value(rows);
        ToWorker::Extract { run: run.id, text: run.text.to_string(), features }
    }

    /// Starts the engine again after a failure that only this can mend, unless it has been done too often. Whether it goes on.
    pub(super) fn recovers_from(&self, failure: &Failure) -> bool {
        let is_loss =
            failure.needs_restart() || failure.kind == FailureKind::NoGpu && self.had_device();
        is_loss && self.recovers(failure)
    }

    /// The engine is gone, whatever the failure says: starts it again, or says so.
    pub(super) fn lose(&self, failure: Failure) {
        if !self.recovers(&failure) {
            self.break_down(failure);
        }
    }

    /// Whether the engine had what it needs in this visit, which must then come back.
    pub(super) fn had_device(&self) -> bool {
        self.state.device.with_untracked(Option::is_some)
    }

    fn recovers(&self, failure: &Failure) -> bool {
        let next = |restarts: &mut Restarts| restarts.next(now_ms());
        let Some(wait_ms) = self.recovery.restarts.try_update_value(next).flatten() else {
            self.state.restarted.set(None);
            return false;
        };
        let state = self.state;
        if matches!(state.model.get_untracked(), Model::Loading(_) | Model::Ready(_)) {
            self.recovery.reload.set_value(Some(state.choice.keep.get_untracked()));
        }
        if let Some(run) = untrack(|| state.open_run()) {
            self.pending.set_value(Some(self.question(&run)));
            run.phase.set(Phase::Waiting);
        }
        state.restarted.set(Some(failure.clone()));
        self.end_worker();
        let client = *self;
        spawn_local(async move {
            TimeoutFuture::new(wait_ms).await;
            if client.has_no_worker() {
                client.launch();
            }
        });
        true
    }

    /// The engine works: faults before are no reason to give it up, unless the work is still the same.
    pub(super) fn note_idle_engine(&self) {
        let is_idle = untrack(|| self.state.open_run()).is_none()
            && self.state.products.phase.get_untracked() != ListPhase::Running;
        if is_idle {
            self.recovery.note_progress();
        }
    }
}

/// A word that the engine was started again.
#[component]
pub fn RestartNote() -> impl IntoView {
    let state = expect_context::<State>();
    move || {
        state.restarted.get().map(|failure| {
            view! {
                <div class="note" role="status" data-testid="model-restarted">
                    <p>{say(|words| words.failures.restarted)}</p>
                    <p lang="en">{sentence(&failure.message)}</p>
                    <div class="chips">
                        <button type="button" class="quiet" on:click=move |_| state.restarted.set(None)>
                            {say(|words| words.results.dismiss)}
                        </button>
                    </div>
                </div>
            }
        })
    }
}
