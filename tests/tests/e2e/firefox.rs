//! The main ways through the page in Firefox, the same as in Chromium.
//!
//! Not here, because geckodriver cannot: a telephone's screen, colour schemes (accessibility), a smaller quota. A folder is given to
//! the page as the list of its files (`models.rs`).

use anyhow::Result;
use hangtag_tests::browser::{BrowserOptions, Kind};

use crate::{corrections, list, models, offline, processor, tabs, templates, traffic};

fn firefox() -> BrowserOptions {
    BrowserOptions { kind: Kind::Firefox, ..BrowserOptions::default() }
}

#[tokio::test]
async fn a_text_becomes_the_table_that_the_native_engine_gives() -> Result<()> {
    crate::extraction(firefox()).await
}

#[tokio::test]
async fn stop_keeps_what_is_there_and_the_next_run_is_right() -> Result<()> {
    crate::stop(firefox()).await
}

#[tokio::test]
async fn bad_input_is_named_and_leaves_results_alone() -> Result<()> {
    crate::bad_input(firefox()).await
}

#[tokio::test]
async fn a_bad_package_is_named_and_a_good_one_still_loads() -> Result<()> {
    crate::bad_packages(firefox()).await
}

#[tokio::test]
async fn a_second_visit_downloads_nothing_until_the_model_is_deleted() -> Result<()> {
    crate::second_visit(firefox()).await
}

#[tokio::test]
async fn nothing_leaves_the_origin() -> Result<()> {
    crate::privacy(firefox()).await
}

#[tokio::test]
async fn without_webgpu_the_processor_answers_and_the_page_says_why_it_is_slow() -> Result<()> {
    processor::no_webgpu(firefox()).await
}

#[tokio::test]
async fn the_real_model_answers_on_the_page_as_natively() -> Result<()> {
    crate::real_model(firefox()).await
}

#[tokio::test]
async fn the_page_as_one_file_answers_without_a_server_or_a_request() -> Result<()> {
    models::one_file(firefox()).await
}

#[tokio::test]
async fn the_page_as_one_file_reads_workbooks_too() -> Result<()> {
    models::one_file_workbook(firefox()).await
}

#[tokio::test]
async fn wrong_files_are_named_and_the_model_stays() -> Result<()> {
    models::wrong_files(firefox()).await
}

#[tokio::test]
async fn a_folder_is_a_package_if_it_is_whole() -> Result<()> {
    models::folders(firefox()).await
}

#[tokio::test]
async fn a_file_of_ones_own_is_kept_used_again_and_deleted() -> Result<()> {
    models::keeping(firefox()).await
}

#[tokio::test]
async fn without_storage_everything_works_and_nothing_is_kept() -> Result<()> {
    models::no_storage(firefox()).await
}

#[tokio::test]
async fn a_kept_file_that_was_changed_is_fetched_again() -> Result<()> {
    models::changed_copy(firefox()).await
}

#[tokio::test]
async fn after_the_first_visit_the_page_works_without_a_network() -> Result<()> {
    offline::offline(firefox()).await
}

#[tokio::test]
async fn a_new_version_takes_over_whole_at_the_next_load() -> Result<()> {
    offline::new_versions(firefox()).await
}

#[tokio::test]
async fn a_list_is_filled_in_and_goes_on_after_a_reload() -> Result<()> {
    list::list_with_a_reload(firefox()).await
}

#[tokio::test]
async fn a_workbook_is_a_list_too_and_nobody_else_fetches_its_reader() -> Result<()> {
    list::workbook(firefox()).await
}

#[tokio::test]
async fn ten_thousand_products_are_a_few_rows_of_the_document() -> Result<()> {
    list::long_list(firefox()).await
}

#[tokio::test]
async fn bad_files_are_named_and_a_good_one_still_opens() -> Result<()> {
    list::bad_lists(firefox()).await
}

#[tokio::test]
async fn own_templates_are_kept_and_exchanged() -> Result<()> {
    templates::templates(firefox()).await
}

#[tokio::test]
async fn values_are_settled_by_keyboard_and_become_training_rows() -> Result<()> {
    corrections::corrections(firefox()).await
}

#[tokio::test]
async fn a_whole_session_reaches_no_other_site_and_the_page_says_so() -> Result<()> {
    traffic::session(firefox()).await
}

#[tokio::test]
async fn a_request_to_another_site_would_be_seen() -> Result<()> {
    traffic::elsewhere(firefox()).await
}

#[tokio::test]
async fn a_page_that_was_left_keeps_nobody_waiting_and_answers_when_it_is_back() -> Result<()> {
    tabs::left(firefox()).await
}
