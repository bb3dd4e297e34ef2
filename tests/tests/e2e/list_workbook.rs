//! The filled-in list as a workbook, read back by another reader.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hangtag_products::{Products, csv_of_workbook};
use hangtag_tests::browser::BrowserOptions;

use crate::list::Files;
use crate::stage::stage;

const SHOP: &[u8] = b"sku,text,note\n007,Linen shirt size M,=1+1\n008,,+31\n009,Wool hat white,\n";

#[tokio::test]
async fn a_list_is_saved_as_a_workbook_with_the_cells_of_its_csv() -> Result<()> {
    let Some(stage) = stage("a workbook", BrowserOptions::default()).await? else { return Ok(()) };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("shop.csv", SHOP)?).await?;
    stage.browser.fill("features", "Brand, Color").await?;
    stage.browser.click("list-start").await?;
    stage.list_becomes("finished").await?;
    let csv = stage.saved("list-csv").await?;

    // As base64, since a script's answer is text.
    let catch = "window.workbook = null;
        const make = URL.createObjectURL;
        URL.createObjectURL = blob => {
            const reader = new FileReader();
            reader.onload = () => { window.workbook = reader.result.split(',')[1] };
            reader.readAsDataURL(blob);
            return make.call(URL, blob);
        };
        return true";
    stage.browser.script::<bool>(catch, vec![]).await?;
    stage.browser.click("list-xlsx").await?;
    let workbook: String = stage
        .browser
        .until("no workbook was saved", async || {
            let said = stage.browser.text("list-saved").await?.unwrap_or_default();
            let workbook = stage.browser.script("return window.workbook", vec![]).await?;
            Ok(if said == "shop-filled.xlsx saved" { workbook } else { None })
        })
        .await?;
    let read = csv_of_workbook(&STANDARD.decode(workbook).context("no base64")?)?;
    let [csv, read] = [csv.as_bytes(), &read].map(Products::from_csv);
    let (csv, read) = (csv?, read?);
    assert_eq!(read.columns, csv.columns);
    assert_eq!(read.rows.len(), 3);
    for (read, csv) in read.rows.iter().zip(&csv.rows) {
        for (column, cell) in &csv.fields {
            let (read, cell) = (read.fields[column].as_str(), cell.as_str());
            let numbers = read.zip(cell).map(|(read, cell)| (read.parse(), cell.parse()));
            match numbers {
                // 1.0 and 1 are one number.
                Some((Ok(read), Ok(cell)))
                    if column.starts_with("Brand ") || column.starts_with("Color ") =>
                {
                    let (read, cell): (f64, f64) = (read, cell);
                    assert!((read - cell).abs() < 1e-6, "{column}: {read} and {cell}");
                }
                _ => assert_eq!(read, cell, "{column}"),
            }
        }
    }
    Ok(())
}
