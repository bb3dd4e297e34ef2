//! The page without a network, and its new versions: both are the service worker's (`web/assets/service-worker.js`).

use gloo::events::EventListener;
use gloo::utils::{document, window};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    RegistrationOptions, ServiceWorkerContainer, ServiceWorkerRegistration, ServiceWorkerState,
    ServiceWorkerUpdateViaCache,
};

use super::device;
use super::speech::say;
use super::state::{Model, State};

const SCRIPT: &str = "service-worker.js";

/// What the service worker has brought about.
#[derive(Clone, Copy)]
pub struct Versions {
    /// Whether the page is kept on this device.
    kept: RwSignal<bool>,
    /// The new version that waits, if any.
    waiting: RwSignal<Option<Waiting>>,
}

/// What a new version waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For the next load.
    Reload,
    /// For other tabs with the old one to be closed.
    OtherTabs,
}

impl Versions {
    /// Has the browser keep the page, once the engine has what it needs to start: the two do not compete for the network.
    pub fn watch(state: State) -> Self {
        let versions = Self { kept: RwSignal::new(false), waiting: RwSignal::new(None) };
        let has_started = Memo::new(move |_| state.model.with(|model| *model != Model::Starting));
        Effect::new(move |begun: Option<bool>| {
            let begun = begun.unwrap_or(false);
            if has_started.get() && !begun {
                spawn_local(versions.register());
            }
            begun || has_started.get()
        });
        versions
    }

    /// Without a service worker, as in some private windows, the page needs a network. That is no failure.
    async fn register(self) {
        let (Some(container), Ok(script)) = (container(), device::beside_page(SCRIPT)) else {
            return;
        };
        let options = RegistrationOptions::new();
        options.set_update_via_cache(ServiceWorkerUpdateViaCache::None);
        let registration = container.register_with_options(&script.href(), &options);
        let Ok(registration) = JsFuture::from(registration).await else { return };
        let registration: ServiceWorkerRegistration = registration.unchecked_into();
        self.kept.set(registration.active().is_some());
        if registration.waiting().is_some() {
            self.waiting.set(Some(if is_refused() { Waiting::OtherTabs } else { Waiting::Reload }));
        }
        self.follow(&registration);
        let found = registration.clone();
        let on_found =
            EventListener::new(&registration, "updatefound", move |_| self.follow(&found));
        on_found.forget();
        if self.kept.get_untracked()
            && let Ok(looked) = registration.update()
        {
            // Browsers look for a new version by themselves too, some time after a visit. Without a network there is none.
            let _ = JsFuture::from(looked).await;
        }
    }

    /// Waits for what is being installed to be there.
    fn follow(self, registration: &ServiceWorkerRegistration) {
        let Some(worker) = registration.installing() else { return };
        let changed = worker.clone();
        let on_change =
            EventListener::new(&worker, "statechange", move |_| match changed.state() {
                ServiceWorkerState::Installed if self.kept.get_untracked() => {
                    self.waiting.set(Some(Waiting::Reload));
                }
                ServiceWorkerState::Activated => self.kept.set(true),
                _ => {}
            });
        on_change.forget();
    }
}

/// Whether the start script has asked a waiting version to take over, in vain.
fn is_refused() -> bool {
    let root = document().document_element();
    root.is_some_and(|root| root.has_attribute("data-new-version"))
}

fn container() -> Option<ServiceWorkerContainer> {
    let container = window().navigator().service_worker();
    // Absent where the page is not secure, and in some private windows.
    (!container.is_undefined()).then_some(container)
}

/// A quiet word when a new version waits.
#[component]
pub fn NewVersion() -> impl IntoView {
    let versions = expect_context::<Versions>();
    let word = move |waiting| match waiting {
        Waiting::Reload => view! {
            <span>{say(|words| words.frame.new_version)}</span>
            <button
                type="button"
                class="small"
                data-testid="reload"
                on:click=move |_| drop(window().location().reload())
            >
                {say(|words| words.frame.reload)}
            </button>
        }
        .into_any(),
        Waiting::OtherTabs => say(|words| words.frame.waits_for_tabs).into_any(),
    };
    view! {
        <div class="new-version" role="status" data-testid="new-version">
            {move || versions.waiting.get().map(&word)}
        </div>
    }
}

/// Says that the page works without a network, once it does.
#[component]
pub fn KeptNote() -> impl IntoView {
    let versions = expect_context::<Versions>();
    move || {
        versions.kept.get().then(|| {
            view! { <span data-testid="kept-offline">" · "{say(|words| words.frame.kept_offline)}</span> }
        })
    }
}
