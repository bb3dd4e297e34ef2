//! The list as a workbook.

use hangtag_web::ask::sentence;
use hangtag_web::units::plural;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::client::Client;
use super::device;
use super::list_results::file_name;
use super::state::State;
use super::workbook::workbook_of_table;

const MIME_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Saves the list as a workbook; `said` is told what came of it.
#[component]
pub fn WorkbookButton(said: RwSignal<String>) -> impl IntoView {
    let list = expect_context::<State>().products;
    let client = expect_context::<Client>();
    let is_busy = RwSignal::new(false);
    let save = move |_| {
        // Disabled, it would lose the cursor.
        if is_busy.get_untracked() {
            return;
        }
        let Some(table) = client.write_list(|filled| filled.to_table()) else { return };
        let open = list.open.with_untracked(|open| open.as_ref().map(|open| open.name.clone()));
        let name = file_name(open, ".xlsx");
        is_busy.set(true);
        said.set(format!("Writing {name} …"));
        spawn_local(async move {
            let written = workbook_of_table(&table, client.note_requests()).await;
            said.set(match written {
                Ok((bytes, cut)) => saved(&name, &bytes, cut),
                Err(problem) => sentence(&problem),
            });
            is_busy.set(false);
        });
    };
    view! {
        <button
            type="button"
            class="small"
            data-testid="list-xlsx"
            title="The columns of the CSV, as a workbook. No cell is a formula"
            aria-disabled=move || if is_busy.get() { "true" } else { "false" }
            on:click=save
        >
            "Download XLSX"
        </button>
    }
}

fn saved(name: &str, bytes: &[u8], cut: usize) -> String {
    match (device::download_bytes(name, MIME_TYPE, bytes), cut) {
        (Err(_), _) => "The browser did not allow the download".to_owned(),
        (Ok(()), 0) => format!("{name} saved"),
        (Ok(()), cut) => {
            let cells = plural(cut, "cell is", "cells are");
            format!("{name} saved; {cells} longer than a workbook holds and cut short")
        }
    }
}
