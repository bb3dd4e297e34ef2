//! Name of the app, and the state of the engine in one pill.

use hangtag_web::protocol::LoadStep;
use hangtag_web::units::percent;
use leptos::prelude::*;

use super::logo::Logo;
use super::state::{Model, State};

/// The page's header.
#[component]
pub fn Header() -> impl IntoView {
    let state = expect_context::<State>();
    let label = move || state.model.with(pill);
    let said = Memo::new(move |_| state.model.with(spoken));
    view! {
        <header class="top">
            <div class="brand">
                <Logo />
                <div>
                    <h1>"Hangtag"</h1>
                    <p>"Product features from plain text, on your own device"</p>
                </div>
            </div>
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
fn spoken(model: &Model) -> &'static str {
    match model {
        Model::Starting => "",
        Model::Unsupported(_) => "No WebGPU",
        Model::Absent => "Model not loaded",
        Model::Loading(_) => "Loading the model",
        Model::Ready(_) => "The model is ready",
        Model::Failed(_) => "The engine has stopped",
    }
}

fn pill(model: &Model) -> String {
    match model {
        Model::Starting => "Starting".to_owned(),
        Model::Unsupported(_) => "No WebGPU".to_owned(),
        Model::Absent => "Model not loaded".to_owned(),
        Model::Loading(Some(LoadStep::Downloading { done_bytes, total_bytes, .. })) => {
            format!("Downloading {}%", percent(*done_bytes as f64, *total_bytes as f64))
        }
        Model::Loading(_) => "Loading model".to_owned(),
        Model::Ready(_) => "Ready".to_owned(),
        Model::Failed(_) => "Engine stopped".to_owned(),
    }
}
