//! The list as a workbook.

use hangtag_web::ask::sentence;
use hangtag_web::words::Said;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::client::Client;
use super::device;
use super::list_results::file_name;
use super::speech::say;
use super::state::State;
use super::workbook::workbook_of_table;

const MIME_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Saves the list as a workbook; `said` is told what came of it.
#[component]
pub fn WorkbookButton(said: RwSignal<Option<Said>>) -> impl IntoView {
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
        let shown = name.clone();
        said.set(Some(Said::new(move |words| words.list.writing(&shown))));
        spawn_local(async move {
            let written = workbook_of_table(&table, client.note_requests()).await;
            said.set(Some(match written {
                Ok((bytes, cut)) => saved(name, &bytes, cut),
                Err(english) => {
                    let problem = sentence(&english);
                    Said::new(move |words| words.list.not_written(&problem))
                }
            }));
            is_busy.set(false);
        });
    };
    view! {
        <button
            type="button"
            class="small"
            data-testid="list-xlsx"
            title=say(|words| words.list.xlsx_title)
            aria-disabled=move || if is_busy.get() { "true" } else { "false" }
            on:click=save
        >
            {say(|words| words.list.download_xlsx)}
        </button>
    }
}

fn saved(name: String, bytes: &[u8], cut: usize) -> Said {
    let is_saved = device::download_bytes(&name, MIME_TYPE, bytes).is_ok();
    Said::new(move |words| match (is_saved, cut) {
        (false, _) => words.frame.download_refused.to_owned(),
        (true, 0) => words.frame.saved(&name),
        (true, cut) => format!("{}; {}", words.frame.saved(&name), words.list.cut_short(cut)),
    })
}
