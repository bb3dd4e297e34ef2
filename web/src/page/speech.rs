//! The page's language: the browser's, until a person chooses one. It changes without a reload.

use gloo::utils::{document, window};
use hangtag_web::words::{Language, Messages};
use leptos::prelude::*;

use super::remember;
use super::state::State;

const LANGUAGE_KEY: &str = "hangtag.language";

/// Where a text stands in the table.
pub type Pick<T = &'static str> = fn(&'static Messages) -> T;

/// The language of the moment; copied freely.
#[derive(Clone, Copy)]
pub struct Speech(RwSignal<Language>);

impl Speech {
    /// The language that was chosen at an earlier visit, else the browser's. Keeps `<html lang>` and the title right.
    pub fn remembered() -> Self {
        let of_browser = || {
            Language::best_of(
                window().navigator().languages().iter().filter_map(|tag| tag.as_string()),
            )
        };
        let speech = Self(RwSignal::new(remember::get(LANGUAGE_KEY).unwrap_or_else(of_browser)));
        Effect::new(move |_| {
            let messages = speech.get();
            document().set_title(messages.frame.title);
            if let Some(root) = document().document_element() {
                let _ = root.set_attribute("lang", messages.language.tag());
            }
        });
        speech
    }

    /// The words of the moment, and to be told when they change.
    pub fn get(self) -> &'static Messages {
        self.0.get().messages()
    }

    /// The words of the moment.
    pub fn now(self) -> &'static Messages {
        self.0.get_untracked().messages()
    }

    /// Speaks this language from now on, at later visits too.
    pub fn choose(self, language: Language) {
        remember::set(LANGUAGE_KEY, &language);
        self.0.set(language);
    }
}

/// The language of the page that this component is in.
pub fn speech() -> Speech {
    expect_context::<State>().speech
}

/// A text of the page that this component is in, in the language of the moment.
pub fn say<T: 'static>(pick: Pick<T>) -> impl Fn() -> T + Copy + Send + Sync + 'static {
    let speech = speech();
    move || pick(speech.get())
}

/// The choice of the language.
#[component]
pub fn LanguageChoice() -> impl IntoView {
    let speech = speech();
    let option = |language: Language| {
        let is_chosen = move || speech.get().language == language;
        // Each in its own language, so that it is found by who needs it.
        view! {
            <option value=language.tag() lang=language.tag() prop:selected=is_chosen>{language.name()}</option>
        }
    };
    let choose = move |event| {
        if let Some(language) = Language::of_tag(&event_target_value(&event)) {
            speech.choose(language);
        }
    };
    view! {
        <select
            class="language"
            data-testid="language"
            aria-label=say(|words| words.frame.language)
            on:change=choose
        >
            {Language::EACH.map(option).collect_view()}
        </select>
    }
}
