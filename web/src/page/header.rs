//! Name of the app, its language, and the state of the engine in one pill.

use hangtag_web::protocol::LoadStep;
use hangtag_web::units::percent;
use hangtag_web::words::Messages;
use leptos::prelude::*;

use super::logo::Logo;
use super::speech::{LanguageChoice, say};
use super::state::{Model, State};

/// The page's header.
#[component]
pub fn Header() -> impl IntoView {
    let state = expect_context::<State>();
    let speech = state.speech;
    let label = move || state.model.with(|model| pill(speech.get(), model));
    let said = Memo::new(move |_| state.model.with(|model| spoken(speech.get(), model)));
    view! {
        <header class="top">
            <div class="brand">
                <Logo />
                <div>
                    <h1>"Hangtag"</h1>
                    <p>{say(|words| words.frame.tagline)}</p>
                </div>
            </div>
            <LanguageChoice />
            <a
                class="pill"
                href="#model"
                data-testid="engine-state"
                data-state=move || state.model.with(Model::name)
            >
                <span class="dot" aria-hidden="true"></span>
                {label}
            </a>
            <p class="visually-hidden" role="status" data-testid="engine-said">{said}</p>
        </header>
    }
}

/// The same to be read out: without figures that change too fast.
fn spoken(words: &Messages, model: &Model) -> &'static str {
    let words = &words.frame;
    match model {
        Model::Starting => "",
        Model::Absent => words.model_absent,
        Model::Loading(_) => words.loading_said,
        Model::Ready(_) => words.ready_said,
        Model::Failed(_) => words.stopped_said,
    }
}

fn pill(words: &Messages, model: &Model) -> String {
    let words = &words.frame;
    match model {
        Model::Starting => words.starting.to_owned(),
        Model::Absent => words.model_absent.to_owned(),
        Model::Loading(Some(LoadStep::Downloading { done_bytes, total_bytes, .. })) => {
            words.downloading(percent(*done_bytes as f64, *total_bytes as f64))
        }
        Model::Loading(_) => words.loading.to_owned(),
        Model::Ready(_) => words.ready.to_owned(),
        Model::Failed(_) => words.stopped.to_owned(),
    }
}
