//! Where files are dropped, or chosen by a click.

use leptos::ev::{DragEvent, Event};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{File, FileList, HtmlInputElement};

/// A zone for the files of one kind; `on_files` is told of those that came.
#[component]
pub fn DropZone<T, H>(
    /// Name for tests, of the zone.
    name: &'static str,
    /// Name for tests, of the input inside.
    input_name: &'static str,
    /// Endings and types that the browser offers first.
    accept: &'static str,
    /// Whether several files belong together.
    #[prop(optional)]
    multiple: bool,
    /// What to do here.
    title: T,
    /// What can be read.
    hint: H,
    on_files: Callback<Vec<File>>,
) -> impl IntoView
where
    T: Fn() -> &'static str + Send + 'static,
    H: Fn() -> &'static str + Send + 'static,
{
    let is_over = RwSignal::new(false);
    let over = move |event: DragEvent| {
        event.prevent_default();
        is_over.set(true);
    };
    let drop = move |event: DragEvent| {
        event.prevent_default();
        is_over.set(false);
        on_files.run(all(event.data_transfer().and_then(|data| data.files())));
    };
    view! {
        <label
            class="drop"
            class:over=is_over
            data-testid=name
            on:dragover=over
            on:dragleave=move |_| is_over.set(false)
            on:drop=drop
        >
            <input
                type="file"
                multiple=multiple
                class="visually-hidden"
                data-testid=input_name
                accept=accept
                on:change=move |event| on_files.run(chosen(&event))
            />
            <span class="drop-title">{title}</span>
            <span class="hint">{hint}</span>
        </label>
    }
}

/// The files that an input was given. It is emptied: else the same file could not be chosen again after it was changed.
pub fn chosen(event: &Event) -> Vec<File> {
    let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    let Some(input) = input else { return Vec::new() };
    let files = all(input.files());
    input.set_value("");
    files
}

fn all(files: Option<FileList>) -> Vec<File> {
    let Some(files) = files else { return Vec::new() };
    (0..files.length()).filter_map(|index| files.get(index)).collect()
}
