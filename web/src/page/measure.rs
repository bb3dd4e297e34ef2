//! How fast the model is on this GPU: asked for by a button, shown as a few figures.

use hangtag_web::measurement::{lines, to_text};
use hangtag_web::protocol::{Device, Failure, Measurement, RunId, ToWorker};
use hangtag_web::units::percent;
use hangtag_web::words::Said;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::client::Client;
use super::device;
use super::list_state::ListPhase;
use super::speech::{say, speech};
use super::state::State;

/// Where the measurement of the GPU stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Measuring {
    /// Nobody has asked for it.
    No,
    /// The worker is at it.
    Running {
        /// Its number.
        run: RunId,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// The figures.
    Done(Measurement),
    /// Why there are none.
    Failed(Failure),
}

impl Measuring {
    /// Name of the state, for tests.
    fn name(&self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Running { .. } => "running",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
        }
    }
}

impl Client {
    /// Has the worker measure the GPU.
    pub fn measure(&self) {
        let run = self.new_run();
        self.state.measuring.set(Measuring::Running { run, done: 0, total: 0 });
        self.send(&ToWorker::Measure { run });
    }

    /// Stops measuring, if it goes on: by a wish, or because there is work to do.
    pub fn stop_measuring(&self) {
        if let Measuring::Running { run, .. } = self.state.measuring.get_untracked() {
            self.state.measuring.set(Measuring::No);
            self.send(&ToWorker::Stop { run });
        }
    }

    /// Takes what the worker tells of this measurement; whether it is the one that goes on.
    pub(super) fn note_measuring(&self, own: RunId, next: Measuring) -> bool {
        let now = self.state.measuring;
        let goes_on =
            now.with_untracked(|now| matches!(now, Measuring::Running { run, .. } if *run == own));
        if goes_on {
            now.set(next);
        }
        goes_on
    }
}

/// The button, how far it is, and the figures.
#[component]
pub fn Measure() -> impl IntoView {
    let state = expect_context::<State>();
    let name = Memo::new(move |_| state.measuring.with(Measuring::name));
    view! {
        <div class="measure" data-testid="measurement" data-state=move || name.get()>
            {move || match name.get() {
                "running" => view! { <Running /> }.into_any(),
                "done" => view! { <Figures /> }.into_any(),
                "failed" => view! { <Problem /> }.into_any(),
                _ => view! { <div class="chips"><Start again=false /></div> }.into_any(),
            }}
        </div>
    }
}

/// Work goes first, so there is nothing to start while there is some.
#[component]
fn Start(again: bool) -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let is_busy = Memo::new(move |_| {
        state.open_run().is_some() || state.products.phase.get() == ListPhase::Running
    });
    let words = match again {
        true => say(|words| words.measure.again),
        false => say(|words| words.measure.measure),
    };
    view! {
        <button
            type="button"
            class="quiet"
            data-testid="measure"
            disabled=is_busy
            on:click=move |_| client.measure()
        >
            {words}
        </button>
    }
}

#[component]
fn Running() -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let value = move || match state.measuring.get() {
        Measuring::Running { done, total, .. } => percent(done as f64, total as f64).to_string(),
        _ => String::new(),
    };
    view! {
        <div class="progress" data-testid="measure-progress">
            <progress max="100" value=value aria-label=say(|words| words.measure.measuring)></progress>
            <div class="progress-words">
                <span>{say(|words| words.measure.measuring)}</span>
                <button
                    type="button"
                    class="quiet"
                    data-testid="measure-stop"
                    on:click=move |_| client.stop_measuring()
                >
                    {say(|words| words.ask.stop)}
                </button>
            </div>
        </div>
    }
}

#[component]
fn Figures() -> impl IntoView {
    let state = expect_context::<State>();
    let (said, speech) = (RwSignal::new(None::<Said>), speech());
    let lines = move || match state.measuring.get() {
        Measuring::Done(measurement) => lines(speech.get(), &measurement),
        _ => Vec::new(),
    };
    let rows = move || {
        let line = |(label, figure)| view! { <div><dt>{label}</dt><dd>{figure}</dd></div> };
        lines().into_iter().map(line).collect_view()
    };
    let copy = move |_| {
        let gpu = match state.device.get_untracked() {
            Some(Device::Gpu(gpu)) => Some(gpu.name),
            Some(Device::Processor) | None => None,
        };
        let text = to_text(&gpu.unwrap_or_default(), &untrack(lines));
        spawn_local(async move {
            let is_copied = device::copy(text).await;
            said.set(Some(Said::new(move |words| match is_copied {
                true => words.results.table_copied.to_owned(),
                false => words.results.copy_refused.to_owned(),
            })));
        });
    };
    view! {
        <dl class="facts" data-testid="measure-figures">{rows}</dl>
        <div class="chips">
            <button type="button" class="quiet" data-testid="measure-copy" on:click=copy>
                {say(|words| words.results.copy_table)}
            </button>
            <Start again=true />
            <span class="hint" role="status">{move || said.get().map(|said| said.with(speech.get()))}</span>
        </div>
    }
}

#[component]
fn Problem() -> impl IntoView {
    let (state, speech) = (expect_context::<State>(), speech());
    let words = move || match state.measuring.get() {
        Measuring::Failed(failure) => speech.get().measure.failed(&failure.message),
        _ => String::new(),
    };
    view! {
        <p class="note" role="alert" data-testid="measure-problem">{words}</p>
        <div class="chips"><Start again=true /></div>
    }
}
