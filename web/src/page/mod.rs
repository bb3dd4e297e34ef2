//! Components of the page, one a file, around one [`state::State`].

mod app;
mod bundle;
mod card_text;
mod choice_client;
mod choice_state;
mod client;
mod device;
mod drop_zone;
mod failure_words;
mod feature_panel;
mod feature_row;
mod feature_rows;
mod feature_state;
mod header;
mod list_actions;
mod list_client;
mod list_panel;
mod list_results;
mod list_state;
mod list_store;
mod list_table;
mod list_tag;
mod list_workbook;
mod logo;
mod measure;
mod model_card;
mod model_choice;
mod no_gpu;
mod own_templates;
mod privacy;
mod recovery;
mod remember;
mod results;
mod results_actions;
mod results_table;
mod rich;
mod samples;
mod source_view;
mod speech;
mod start_worker;
mod state;
mod suggestion;
mod template_choice;
mod template_order;
mod text_panel;
mod value_cell;
mod versions;
mod view_switch;
mod workbook;

/// Puts the app into the page.
pub fn mount() {
    std::panic::set_hook(Box::new(|info| device::show_crash(&info.to_string())));
    leptos::mount::mount_to_body(app::App);
}
