//! The page: paste a text, list the features, watch the tag fill in. The model runs in the worker (`worker/main.rs`);
//! the messages between the two are in `protocol.rs`, all state of the page in `page/state.rs`.
//!
//! Tests find elements by `data-testid` (fields also by `id`):
//!
//! | test id | element |
//! |---|---|
//! | `language` | select of the page's language; values are tags, `en` and `nl` |
//! | `text` (id `text`) | product text, a textarea |
//! | `text-count` | its number of characters |
//! | `text-clear`, `sample-0`, `sample-1`, … | buttons under it |
//! | `features` (id `features`) | feature list, a textarea |
//! | `features-count` | number of features in it |
//! | `features-as-text`, `features-as-rows` | the field, or rows with kinds in its place |
//! | `feature-row`, `feature-row-name`, `feature-row-kind` | a row, `data-kind`; its fields |
//! | `feature-row-unit`, `feature-row-choices`, `feature-fault` | the unit of a number, the choices; what is to be mended |
//! | `feature-up`, `feature-down`, `feature-remove`, `feature-add`, `features-said` | buttons; what came of them |
//! | `template` (id `template`) | select of templates; values are indices into `presets()`, or `own:NAME` |
//! | `template-save`, `template-name`, `template-save-name` | saving the list as a template: the button, the field, the second button |
//! | `suggestion`, `suggestion-use` | a ready template that seems to suit the text; its button |
//! | `own-templates`, `own-template` | the own templates; `data-name` |
//! | `template-use`, `template-rename`, `template-copy`, `template-export`, `template-delete`, `template-up`, `template-down` | the buttons of each |
//! | `template-new-name`, `template-rename-save` | the field and button of a new name |
//! | `templates-import`, `templates-export`, `templates-said` | exchange as files; what came of it |
//! | `text-error`, `features-error` | what is wrong with the input; absent when nothing is |
//! | `extract`, `stop` | the buttons; `stop` is disabled when nothing runs |
//! | `engine-state` | the header's pill; `data-state`: `starting`, `unsupported`, `absent`, `loading`, `ready`, `failed` |
//! | `engine-said` | live region with the same in words |
//! | `model-card` | the model; the same `data-state` |
//! | `model-name`, `model-size`, `model-kept`, `model-adapter`, `model-trained-on`, `model-gpu`, `model-memory` | its facts; `model-kept` is there when the files are on this device |
//! | `model-load`, `model-pause`, `model-forget`, `model-restart` | its buttons |
//! | `model-progress` | its progress; `data-step`: `waiting`, `downloading`, `keeping`, `checking`, `uploading` |
//! | `model-downloaded` | `data-bytes`: bytes that this visit fetched |
//! | `model-error`, `model-notice` | failure of loading; why the model could not be kept |
//! | `model-in-other-tab` | a word that another tab has the model and answers for this one |
//! | `model-restarted` | a word that the engine broke down and was started again by itself |
//! | `model-needs`, `model-keep` | its licence and memory before it is loaded; the box to keep a copy of one's own file |
//! | `model-reduced` | notice that memory is short, and what that changes |
//! | `model-choice`, `model-drop`, `model-file`, `model-folder` | the choice of another model: where a file is dropped, the inputs |
//! | `model-path`, `model-open`, `model-default` | a package of this site by its path, its button, and the button of the site's own |
//! | `model-problem` | why the chosen model is none that can be used |
//! | `kept-model`, `kept-use`, `kept-delete`, `model-room` | the models kept in this browser, `data-name`; their buttons; how much room there is |
//! | `software-gpu` | notice that the CPU plays the GPU |
//! | `quality` | a word about how far to trust it |
//! | `card` | text of its model card; absent when its package has none |
//! | `results` | the results; `data-phase`: `empty`, `waiting`, `running`, `finished`, `stopped`, `failed` |
//! | `status` | live region with the state of the run in words |
//! | `run-error` | failure of the last run |
//! | `source` | the text of the shown run; found values are `mark` with `data-features="0 2"`, the pointed-at one has class `active` |
//! | `row` | a table row; `data-index`, `data-state`: `pending`, `value`, `none`; `data-by-hand`: `accepted`, `corrected`, `cleared` |
//! | `feature-name`, `value`, `confidence` | its cells; `value` has `data-start` and `data-end`, `confidence` has `data-confidence` |
//! | `accept`, `correct`, `clear`, `edit`, `by-hand`, `undo` | buttons of a value, the field to correct it, the mark and the way back |
//! | `accept-all` | accepts what nobody has looked at |
//! | `stats` | time and tokens; `data-seconds` |
//! | `copy-table`, `copy-json`, `download-csv`, `download-json`, `download-training` | buttons; `copied` tells of success |
//! | `earlier`, `earlier-N` | earlier results, by run number |
//! | `requests` | what page and workers have fetched; `data-count`, `data-elsewhere`: sites other than this one, `data-since-loaded` |
//! | `isolation-check`, `isolation-result` | live proof of the policy; `data-result`: `blocked` or `open` |
//! | `view-text`, `view-list` | one text, or a list of products |
//! | `list-drop`, `list-file`, `list-problem` | where a file is dropped; its input; why it was not opened |
//! | `list-open`, `list-name`, `list-facts`, `list-remove` | the open file; rows, columns and encoding |
//! | `list-column` | a box for a column to read; `data-name` |
//! | `list-start`, `list-pause`, `list-go-on`, `list-start-over`, `list-changed` | buttons; a word that the fields ask for something else |
//! | `list-results` | the list; `data-phase`: `empty`, `opening`, `chosen`, `running`, `paused`, `finished` |
//! | `list-status`, `list-done`, `list-pace`, `list-error`, `list-not-kept` | where it stands; `data-done` |
//! | `filter-all`, `filter-review`, `filter-failed`, `filter-corrected` | which products are shown |
//! | `list-view`, `product` | the table and its rows in view; `data-index`, `data-state`: `pending`, `done`, `review`, `failed` |
//! | `list-tag` | the selected product, with `source` and `row` as above |
//! | `list-csv`, `list-xlsx`, `list-jsonl`, `list-training`, `list-saved` | downloads |
//! | `new-version`, `reload` | a word that a new version waits, and its button |
//! | `kept-offline` | there once the page opens without a network |
//! | `unsupported` | the page without WebGPU; `data-reason`: `insecure`, `missing`, `no-adapter` |
//!
//! `?model=models/other` loads another package of the same origin, `?memory=800` uses 800 MB of GPU memory at most.

#[cfg(target_arch = "wasm32")]
mod page;

#[cfg(target_arch = "wasm32")]
fn main() {
    page::mount();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("hangtag-web runs in a browser: build it with `cargo xtask demo`");
    std::process::exit(1);
}
