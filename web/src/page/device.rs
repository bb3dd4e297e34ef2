//! The browser around the page: what it can do, where the package is, clipboard and downloads.

use gloo::file::{Blob, ObjectUrl};
use gloo::utils::{document, window};
use hangtag_web::words::{Language, Messages};
use hangtag_weights::registry::DEFAULT_MODEL;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Why this browser cannot run the model on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// WebGPU exists only in secure contexts: https, or localhost.
    Insecure,
    /// There is no `navigator.gpu`.
    Missing,
    /// WebGPU is there and gives no usable adapter, for this reason.
    NoAdapter(String),
}

impl Obstacle {
    /// Name of the obstacle, for tests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Missing => "missing",
            Self::NoAdapter(_) => "no-adapter",
        }
    }
}

/// What keeps this browser from running the model on a GPU, as far as can be told without asking for one.
pub fn obstacle() -> Option<Obstacle> {
    if !window().is_secure_context() {
        return Some(Obstacle::Insecure);
    }
    let gpu = js_sys::Reflect::get(&window().navigator(), &"gpu".into());
    gpu.map_or(true, |gpu| gpu.is_undefined() || gpu.is_null()).then_some(Obstacle::Missing)
}

/// Families of browsers that are set up in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browser {
    /// Chrome, Edge and their kin.
    Chromium,
    /// Safari, and every browser on iPhone and iPad.
    Safari,
    /// Firefox.
    Firefox,
}

/// The browser at hand, by what it says about itself.
pub fn browser() -> Browser {
    let agent = window().navigator().user_agent().unwrap_or_default();
    if agent.contains("Firefox/") {
        Browser::Firefox
    } else if agent.contains("Chrome/") || agent.contains("Chromium/") {
        Browser::Chromium
    } else {
        Browser::Safari
    }
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// The page has no address itself.
    NoPage,
    /// This is none.
    Invalid(String),
    /// This is on another site.
    OtherSite(String),
}

impl AddressError {
    /// It as a sentence.
    pub fn words(&self, words: &Messages) -> String {
        let words = &words.model_choice;
        match self {
            Self::NoPage => words.no_address.to_owned(),
            Self::Invalid(path) => words.bad_address(path),
            Self::OtherSite(path) => words.other_site(path),
        }
    }
}

/// Absolute address of a file beside the page.
pub fn beside_page(path: &str) -> Result<web_sys::Url, AddressError> {
    let href = window().location().href().map_err(|_| AddressError::NoPage)?;
    web_sys::Url::new_with_base(path, &href).map_err(|_| AddressError::Invalid(path.to_owned()))
}

/// The package that the page's address asks for: `?model=`.
pub fn asked_model() -> Option<String> {
    query("model")
}

/// The most GPU memory to use in bytes: `?memory=` in megabytes.
pub fn memory_limit_bytes() -> Option<u64> {
    let megabytes: f64 = query("memory")?.parse().ok()?;
    (megabytes > 0.0).then_some((megabytes * 1e6) as u64)
}

fn query(name: &str) -> Option<String> {
    let search = window().location().search().unwrap_or_default();
    web_sys::UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// The path of the site's own model: where `cargo xtask demo` puts it.
pub fn default_model() -> String {
    format!("models/{DEFAULT_MODEL}")
}

/// Absolute URL of the package at `path` beside the page, with a slash at its end.
///
/// # Errors
/// When it is on another site.
pub fn package_url(path: &str) -> Result<String, AddressError> {
    let url = beside_page(&format!("{}/", path.trim_end_matches('/')))?;
    if url.origin() != window().location().origin().unwrap_or_default() {
        return Err(AddressError::OtherSite(path.to_owned()));
    }
    Ok(url.href())
}

/// The time of day of a moment in milliseconds since 1970, as people write it: in the browser's own variant of the language, if it has one.
pub fn time_of_day(language: Language, moment_ms: f64) -> String {
    let wished = window().navigator().languages();
    let own = wished.iter().filter_map(|tag| tag.as_string());
    let own = own.into_iter().find(|tag| Language::of_tag(tag) == Some(language));
    let moment = js_sys::Date::new(&moment_ms.into());
    String::from(moment.to_locale_time_string(own.as_deref().unwrap_or(language.tag())))
}

/// A name that no other product of this browser gets: the milliseconds of now.
pub fn new_id(start: &str) -> String {
    format!("{start}-{}", js_sys::Date::now())
}

/// Puts text on the clipboard; whether the browser allowed it.
pub async fn copy(text: String) -> bool {
    let clipboard = window().navigator().clipboard();
    // Absent where the page is not secure.
    if clipboard.is_undefined() {
        return false;
    }
    JsFuture::from(clipboard.write_text(&text)).await.is_ok()
}

/// Saves text as a file of the user's.
pub fn download(name: &str, mime_type: &str, text: &str) -> Result<(), JsValue> {
    download_blob(name, Blob::new_with_options(text, Some(mime_type)))
}

/// Saves bytes as a file of the user's.
pub fn download_bytes(name: &str, mime_type: &str, bytes: &[u8]) -> Result<(), JsValue> {
    download_blob(name, Blob::new_with_options(bytes, Some(mime_type)))
}

fn download_blob(name: &str, blob: Blob) -> Result<(), JsValue> {
    let url = ObjectUrl::from(blob);
    let anchor: web_sys::HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    // The download has its own hold on the data only after the click's task has ended.
    gloo_timers::callback::Timeout::new(10_000, move || drop(url)).forget();
    Ok(())
}

/// Says that the page itself broke down, without the help of what broke.
pub fn show_crash(message: &str) {
    web_sys::console::error_1(&message.into());
    let root = document().document_element();
    let tag = root.and_then(|root| root.get_attribute("lang"));
    let language = Language::best_of(tag);
    if let Some(element) = document().get_element_by_id("crash") {
        element.set_text_content(Some(&language.messages().frame.crashed(message)));
        let _ = element.remove_attribute("hidden");
    }
}
