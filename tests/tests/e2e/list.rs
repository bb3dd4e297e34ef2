//! Lists of products: dropped, filled in, halted, found again after a reload, filtered and downloaded.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use hangtag_products::Products;
use hangtag_task::parse_jsonl;
use hangtag_tests::browser::BrowserOptions;
use hangtag_tests::recorder::Request;
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::Key;

use crate::native_tiny;
use crate::stage::{Stage, stage};

pub const FEATURES: &str = "Brand, Color, Size";

/// A list of `count` products with semicolons, in Windows-1252, whose third row is blank and whose sixth has an open quote.
pub fn shop(count: usize) -> Vec<u8> {
    let mut csv = "sku;title;description;price\r\n".to_owned();
    for number in 1..=count {
        csv += &match number {
            3 => format!("{number};;\" \";1\r\n"),
            6 => format!("{number};\"Half a shirt;x;1\r\n"),
            _ => format!(
                "{number};Linen shirt {number};\"Größe M, color white.\nBrand: Nordlys.\";39\r\n"
            ),
        };
    }
    csv.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// What [`shop`] says of a product, as it is read.
fn text_of(number: usize) -> String {
    format!("Linen shirt {number}\nGröße M, color white.\nBrand: Nordlys.")
}

pub struct Files(TempDir);

impl Files {
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.0.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }
}

impl Stage {
    /// Gives the file to the page.
    async fn drop_file(&self, path: &std::path::Path) -> Result<()> {
        let input = self.browser.element("list-file").await?;
        Ok(input.send_keys(path.display().to_string()).await?)
    }

    pub async fn open_list(&self, path: &std::path::Path) -> Result<()> {
        self.browser.click("view-list").await?;
        self.drop_file(path).await?;
        self.browser.attribute_becomes("list-results", "data-phase", &["chosen"]).await.map(drop)
    }

    pub async fn done(&self) -> Result<usize> {
        let done = self.browser.attribute("list-done", "data-done").await?;
        Ok(done.unwrap_or_default().parse().unwrap_or(0))
    }

    pub async fn list_becomes(&self, phase: &str) -> Result<()> {
        let phases = [phase, "failed"];
        self.browser.attribute_becomes("list-results", "data-phase", &phases).await?;
        assert_eq!(self.browser.text("list-error").await?, None);
        Ok(())
    }

    /// What a download button gives, caught before it becomes a file.
    pub async fn saved(&self, button: &str) -> Result<String> {
        let catch = "if (!window.caught) {
                window.caught = [];
                const make = URL.createObjectURL;
                URL.createObjectURL = blob => {
                    blob.arrayBuffer().then(bytes => caught.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)));
                    return make.call(URL, blob);
                };
            }
            caught.length = 0;
            return true";
        self.browser.script::<bool>(catch, vec![]).await?;
        self.browser.click(button).await?;
        self.browser
            .until("nothing was saved", async || {
                self.browser.script("return window.caught[0] ?? null", vec![]).await
            })
            .await
    }
}

#[tokio::test]
async fn a_list_is_filled_in_and_goes_on_after_a_reload() -> Result<()> {
    list_with_a_reload(BrowserOptions::default()).await
}

pub async fn list_with_a_reload(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("a list", options).await? else { return Ok(()) };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("shop.csv", &shop(40))?).await?;
    let facts = stage.browser.text("list-facts").await?.unwrap_or_default();
    assert_eq!(facts, "40 products · 4 columns · Windows-1252");
    let read: Vec<String> = stage
        .browser
        .script(
            "return [...document.querySelectorAll('[data-testid=list-column]')]
                .filter(box => box.checked).map(box => box.dataset.name)",
            vec![],
        )
        .await?;
    assert_eq!(read, ["title", "description"]);

    a_second_tab_leaves_the_list_alone(&stage).await?;

    stage.browser.fill("features", FEATURES).await?;
    stage.browser.click("list-start").await?;
    // The two that cannot be read are done at once.
    stage
        .browser
        .until("no product is filled in", async || Ok((stage.done().await? > 2).then_some(())))
        .await?;
    stage.browser.click("list-pause").await?;
    stage.list_becomes("paused").await?;
    let done = stage.done().await?;
    assert!(done < 40, "it was not halted, it had ended");

    stage.browser.driver().goto("about:blank").await?;
    stage.open("tiny").await?;
    stage.list_becomes("paused").await?;
    assert_eq!(stage.done().await?, done, "filled-in products were lost");
    stage.browser.click("list-go-on").await?;
    stage.list_becomes("finished").await?;
    assert_eq!(stage.done().await?, 40);

    the_downloads_hold_what_the_native_engine_gives(&stage).await?;
    filters_show_what_they_say(&stage).await?;
    corrections_are_kept_with_the_list(&stage).await?;

    for request in stage.site.requests() {
        assert!(request.method == "GET" && !request.target.contains("Nordlys"), "{request:?}");
    }

    // Removed means removed, also for the next visit.
    stage.browser.click("list-remove").await?;
    stage.browser.click("list-remove").await?;
    stage.list_becomes("empty").await?;
    stage.open("tiny").await?;
    stage.browser.element("list-drop").await?;
    assert_eq!(stage.count("[data-testid=product]").await?, 0);
    Ok(())
}

async fn a_second_tab_leaves_the_list_alone(stage: &Stage) -> Result<()> {
    let driver = stage.browser.driver();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second).await?;
    stage.open("tiny").await?;
    let note = stage.browser.element("list-not-kept").await?.text().await?;
    assert!(note.contains("another tab"), "{note}");
    stage.browser.element("list-drop").await?;
    driver.close_window().await?;
    Ok(driver.switch_to_window(first).await?)
}

pub async fn the_downloads_hold_what_the_native_engine_gives(stage: &Stage) -> Result<()> {
    let csv = stage.saved("list-csv").await?;
    assert!(csv.starts_with(
        "\u{FEFF}sku;title;description;price;Brand;Brand confidence;Brand start;Brand end;Color;"
    ));
    let products = Products::from_csv(csv.as_bytes())?;
    assert_eq!(products.rows.len(), 40);
    let fields = |row: usize| &products.rows[row].fields;
    assert_eq!(fields(2)["error"], "the text is empty");
    assert_eq!(fields(5)["error"], "a quote opens here and does not close");
    let jsonl = stage.saved("list-jsonl").await?;
    assert_eq!(jsonl.lines().count(), 40);

    for number in [1, 30] {
        let row = fields(number - 1);
        assert_eq!((&row["sku"], &row["error"]), (&json!(number.to_string()), &json!("")));
        let Some(native) = native_tiny(&text_of(number), FEATURES)? else { return Ok(()) };
        for value in native {
            assert_eq!(row[&value.name], json!(value.value.clone().unwrap_or_default()), "{row:?}");
            let start = value.span.map_or_else(String::new, |span| span.start.to_string());
            assert_eq!(row[&format!("{} start", value.name)], json!(start), "{row:?}");
        }
    }
    Ok(())
}

async fn filters_show_what_they_say(stage: &Stage) -> Result<()> {
    stage.browser.click("filter-failed").await?;
    stage
        .browser
        .until("the filter shows other rows", async || {
            let failed = stage.count("[data-testid=product][data-state=failed]").await?;
            Ok((failed == 2 && stage.count("[data-testid=product]").await? == 2).then_some(()))
        })
        .await?;
    stage.browser.click("filter-review").await?;
    stage
        .browser
        .until("rows that need no review are shown", async || {
            let shown = stage.count("[data-testid=product]").await?;
            let review = stage.count("[data-testid=product][data-state=review]").await?;
            Ok((shown > 0 && shown == review).then_some(()))
        })
        .await?;
    stage.browser.click("filter-all").await
}

async fn corrections_are_kept_with_the_list(stage: &Stage) -> Result<()> {
    stage
        .browser
        .until("the first product is not shown", async || {
            let open = "document.querySelector('[data-testid=product][data-index=\"0\"] button')?.click();
                return document.querySelector('[data-testid=list-tag] h3')?.textContent === 'Line 2' || null";
            stage.browser.script::<Option<bool>>(open, vec![]).await
        })
        .await?;
    stage.browser.click("accept-all").await?;
    stage.is_marked(2, Some("accepted")).await?;
    stage.retype(0, "Nordlys").await?;
    stage.is_marked(0, Some("corrected")).await?;

    stage.open("tiny").await?;
    stage.list_becomes("finished").await?;
    stage.browser.click("filter-corrected").await?;
    stage
        .browser
        .until("the corrected product is not shown alone", async || {
            Ok((stage.count("[data-testid=product]").await? == 1).then_some(()))
        })
        .await?;
    let csv = stage.saved("list-csv").await?;
    let products = Products::from_csv(csv.as_bytes())?;
    let fields = &products.rows[0].fields;
    assert_eq!((&fields["Brand"], &fields["Brand confidence"]), (&json!("Nordlys"), &json!("")));
    assert_eq!(fields["corrected"], "Brand");
    let training = parse_jsonl(&stage.saved("list-training").await?)?;
    assert_eq!((training.len(), training[0].id.as_str()), (1, "shop.csv:2"));
    assert_eq!(training[0].text, text_of(1));
    assert_eq!(training[0].features["Brand"].as_deref(), Some("Nordlys"));
    Ok(())
}

#[tokio::test]
async fn ten_thousand_products_are_a_few_rows_of_the_document() -> Result<()> {
    long_list(BrowserOptions::default()).await
}

pub async fn long_list(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("a long list", options).await? else { return Ok(()) };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("long.csv", &shop(10_000))?).await?;
    let drawn = stage.count("[data-testid=product]").await?;
    assert!((5..60).contains(&drawn), "{drawn} rows are in the document");

    // Ten jumps, each until its rows are there; the longest in milliseconds.
    let jumps = "const [done] = arguments;
        const view = document.querySelector('[data-testid=list-view]');
        const frame = () => new Promise(requestAnimationFrame);
        (async () => {
            let longest = 0;
            for (let jump = 1; jump <= 10; jump++) {
                const start = performance.now();
                view.scrollTop = jump / 10 * view.scrollHeight;
                do { await frame() } while (![...document.querySelectorAll('[data-testid=product]')]
                    .some(row => Math.abs(row.dataset.index - jump * 1000) < 40));
                longest = Math.max(longest, performance.now() - start);
            }
            done(longest);
        })()";
    let longest = stage.browser.driver().execute_async(jumps, vec![]).await?;
    let longest = longest.json().as_f64().context("no time")?;
    assert!(longest < 500.0, "a jump took {longest} ms");
    assert_eq!(stage.count("[data-testid=product][data-index=\"9999\"]").await?, 1);

    // By keyboard from there to the first and the second, also when the row with the cursor is scrolled away.
    let first = "document.querySelector('[data-testid=product] button').focus();
        document.querySelector('[data-testid=list-view]').scrollTop = 100000;
        requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(arguments[0])))";
    stage.browser.driver().execute_async(first, vec![]).await?;
    for key in [Key::Home, Key::Down] {
        stage.browser.driver().active_element().await?.send_keys(key).await?;
        // The cursor follows with the next frame.
        let frames = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))";
        stage.browser.driver().execute_async(frames, vec![]).await?;
    }
    stage
        .browser
        .until("the second product is not selected", async || {
            let tag = stage.browser.text("source").await?.unwrap_or_default();
            Ok((tag == text_of(2)).then_some(()))
        })
        .await
}

#[tokio::test]
async fn bad_files_are_named_and_a_good_one_still_opens() -> Result<()> {
    bad_lists(BrowserOptions::default()).await
}

pub async fn bad_lists(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("bad lists", options).await? else { return Ok(()) };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.browser.click("view-list").await?;
    let huge = vec![b'x'; 64_000_001];
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty.csv", b" \n", "empty"),
        ("header.csv", b"id,text\n", "no products"),
        ("book.csv", b"PK\x03\x04\0\0", "save it as CSV"),
        ("picture.csv", b"\x89PNG\0\0\0\rIHDR", "not a text file"),
        ("huge.csv", &huge, "cut it"),
    ];
    let cut: [(&str, &[u8], &str); 1] = [("cut.xlsx", b"PK\x03\x04\0\0", "workbook")];
    for (name, bytes, word) in cases.into_iter().chain(cut) {
        stage.drop_file(&files.write(name, bytes)?).await?;
        stage
            .browser
            .until(&format!("{name} is not refused with {word:?}"), async || {
                let problem = stage.browser.text("list-problem").await?.unwrap_or_default();
                Ok((problem.contains(name) && problem.contains(word)).then_some(()))
            })
            .await?;
    }
    let utf_16: Vec<u8> = "\u{FEFF}text\tText\nrote Schuhe 👟\tx\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    stage.open_list(&files.write("export.tsv", &utf_16)?).await?;
    let facts = stage.browser.text("list-facts").await?.unwrap_or_default();
    assert_eq!(facts, "1 product · 2 columns · UTF-16");
    assert_eq!(stage.browser.text("list-problem").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_workbook_is_a_list_too_and_nobody_else_fetches_its_reader() -> Result<()> {
    workbook(BrowserOptions::default()).await
}

pub async fn workbook(options: BrowserOptions) -> Result<()> {
    let Some(stage) = stage("a workbook", options).await? else { return Ok(()) };
    // The service worker fetches it too, when all else is there, but not as a script.
    let reader = async |stage: &Stage| {
        let requests = stage.site.requests();
        let is_reader = |request: &Request| {
            request.target.contains("hangtag-sheet") && request.destination == "script"
        };
        requests.iter().any(is_reader)
    };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("shop.csv", &shop(4))?).await?;
    assert!(!reader(&stage).await, "the reader of workbooks was fetched for a CSV");
    stage.browser.click("list-remove").await?;
    stage.list_becomes("empty").await?;

    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/products/tests/golden/shop.xlsx");
    stage.open_list(&fs::canonicalize(golden)?).await?;
    assert!(reader(&stage).await);
    assert_eq!(stage.browser.text("list-name").await?.as_deref(), Some("shop.xlsx"));
    let facts = stage.browser.text("list-facts").await?.unwrap_or_default();
    assert_eq!(facts, "2 products · 6 columns · UTF-8");
    // Found again as the list that it became.
    stage.open("tiny").await?;
    stage.list_becomes("chosen").await?;
    assert_eq!(stage.browser.text("list-facts").await?, Some(facts));
    Ok(())
}

#[tokio::test]
async fn a_list_on_a_phone_needs_no_scrolling_sideways() -> Result<()> {
    let options = BrowserOptions { phone: true, ..BrowserOptions::default() };
    let Some(stage) = stage("a list on a phone", options).await? else { return Ok(()) };
    let files = Files::new()?;
    stage.open("tiny").await?;
    stage.open_list(&files.write("shop.csv", &shop(4))?).await?;
    stage.browser.fill("features", crate::FEATURES).await?;
    stage.browser.click("list-start").await?;
    stage.list_becomes("finished").await?;
    let open = "document.querySelector('[data-testid=product] button').click(); return true";
    stage.browser.script::<bool>(open, vec![]).await?;
    stage.browser.element("accept-all").await?;
    let widths: (f64, f64) = stage
        .browser
        .script("return [document.documentElement.scrollWidth, window.innerWidth]", vec![])
        .await?;
    assert_eq!(widths, (360.0, 360.0));
    Ok(())
}
