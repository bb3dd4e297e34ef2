//! The page as a whole.

use leptos::ev;
use leptos::prelude::*;

use super::client::Client;
use super::feature_panel::FeaturePanel;
use super::header::Header;
use super::list_actions::ListActions;
use super::list_panel::ListPanel;
use super::list_results::ListResults;
use super::model_card::ModelCard;
use super::no_gpu::NoGpu;
use super::privacy::Privacy;
use super::results::Results;
use super::speech::say;
use super::state::{State, View};
use super::text_panel::TextPanel;
use super::versions::{KeptNote, NewVersion, Versions};
use super::view_switch::ViewSwitch;

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let state = State::remembered();
    let client = Client::start(state);
    provide_context(state);
    provide_context(client);
    provide_context(Versions::watch(state));

    let extract_on_keys = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            match state.view.get_untracked() {
                View::Text => client.extract(),
                View::List => client.run_list(),
            }
        }
    });
    on_cleanup(move || extract_on_keys.remove());
    keep_page_on_drops();

    view! {
        <a class="skip" href="#features">{say(|words| words.frame.skip)}</a>
        <Header />
        <NewVersion />
        <main>
            {move || state.obstacle.get().map(|obstacle| view! { <NoGpu obstacle /> })}
            <Workbench />
            <Privacy />
        </main>
        <footer class="bottom">
            <p>
                "Hangtag "{env!("CARGO_PKG_VERSION")}
                " · "{say(|words| words.frame.licence_and_warning)}
                <KeptNote />
            </p>
        </footer>
    }
}

/// A file that misses its place would otherwise be opened in place of the page.
fn keep_page_on_drops() {
    let over = window_event_listener(ev::dragover, |event| event.prevent_default());
    let drop = window_event_listener(ev::drop, |event| event.prevent_default());
    on_cleanup(move || {
        over.remove();
        drop.remove();
    });
}

/// Question on the left, answers on the right.
#[component]
fn Workbench() -> impl IntoView {
    let view = expect_context::<State>().view;
    view! {
        <ViewSwitch />
        {move || match view.get() {
            View::Text => view! {
                <div class="workbench">
                    <div class="ask">
                        <TextPanel />
                        <FeaturePanel />
                        <Actions />
                        <ModelCard />
                    </div>
                    <Results />
                </div>
            }
            .into_any(),
            View::List => view! {
                <div class="workbench list">
                    <div class="ask">
                        <ListPanel />
                        <FeaturePanel />
                        <ListActions />
                        <ModelCard />
                    </div>
                    <ListResults />
                </div>
            }
            .into_any(),
        }}
    }
}

/// Extract and Stop.
#[component]
fn Actions() -> impl IntoView {
    let state = expect_context::<State>();
    let client = expect_context::<Client>();
    let running = Memo::new(move |_| state.open_run().is_some());
    view! {
        <div class="actions">
            <button
                type="button"
                class="primary"
                data-testid="extract"
                aria-keyshortcuts="Control+Enter"
                disabled=running
                on:click=move |_| client.extract()
            >
                {say(|words| words.ask.extract)}
            </button>
            <button
                type="button"
                data-testid="stop"
                disabled=move || !running.get()
                on:click=move |_| client.stop()
            >
                {say(|words| words.ask.stop)}
            </button>
            <span class="hint">
                <kbd>"Ctrl"</kbd>" + "<kbd>"Enter"</kbd>
            </span>
        </div>
    }
}
