//! Extraction on the GPU with the tiny golden model. Its answers mean nothing; that they arrive whole is what counts.

use std::fs;
use std::io::{Write, stderr};
use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::run::{Said, golden, hangtag, hangtag_with_input};

/// Whether there is a GPU or a driver that plays one. Without: says so where no test harness hides it, and fails in CI.
pub fn has_gpu() -> bool {
    let said = extract(&tempdir().unwrap(), &["--features", "A", "text"]);
    if !said.err.contains("no GPU was found") {
        return true;
    }
    let message = "NOT TESTED: extraction needs a GPU driver, and none was found (Debian: mesa-vulkan-drivers)\n";
    let _ = stderr().write_all(message.as_bytes());
    assert!(std::env::var_os("CI").is_none(), "{message}");
    false
}

fn arguments<'a>(model: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    [&["extract", "--model", model], args].concat()
}

fn extract(folder: &TempDir, args: &[&str]) -> Said {
    let model = golden("llama.gguf");
    hangtag(folder.path(), &arguments(&model.to_string_lossy(), args))
}

fn object(said: &Said) -> Value {
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out.matches('\n').count(), 1);
    serde_json::from_str(&said.out).unwrap()
}

fn names(object: &Value) -> Vec<&str> {
    let features = object["features"].as_array().unwrap().iter();
    features.map(|f| f["name"].as_str().unwrap()).collect()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn json_is_exactly_one_object() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    let said = extract(&folder, &["--features", "Brand, Color", "--json", "Nike shoe, white"]);
    let object = object(&said);
    assert_eq!(names(&object), ["Brand", "Color"]);
    for feature in object["features"].as_array().unwrap() {
        let confidence = feature["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence));
        assert!(feature["value"].is_string() || feature["value"].is_null());
        assert!(feature["span"].is_array() || feature["span"].is_null());
    }
    assert_eq!(object["stats"]["windows"], 1);
    assert_eq!(object["stats"]["rows"], 2);
    assert!(object["stats"]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn together_one_by_one_and_on_any_tier_give_the_same() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    let args = ["--features", "Brand, Color, Size, Weight", "--json", "Nike shoe, white, EU 42"];
    let values = |more: &[&str]| {
        let object = object(&extract(&folder, &[&args, more].concat()));
        let features = object["features"].as_array().unwrap().iter();
        features.map(|f| f["value"].clone()).collect::<Vec<_>>()
    };
    let together = values(&[]);
    assert_eq!(values(&["--one-by-one"]), together);
    assert_eq!(values(&["--baseline-tier"]), together);
}

#[test]
fn standard_input_and_strange_names() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    let model = golden("phi.gguf");
    let model = model.to_string_lossy();
    let args = ["--features", "###, צבע, 色 👟", "--json", "-"];
    let text = "### Product\nנעל אדומה 👩‍👩‍👧 ### Brand\nNike\n";
    let said = hangtag_with_input(folder.path(), &arguments(&model, &args), text.as_bytes());
    assert_eq!(names(&object(&said)), ["###", "צבע", "色 👟"]);
}

#[test]
fn a_table_without_colours_and_a_csv() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    let said = extract(&folder, &["--features", "Brand, Color", "white shoe"]);
    assert_eq!(said.code, 0);
    assert!(said.out.starts_with("FEATURE  VALUE"), "{}", said.out);
    assert_eq!(said.out.lines().count(), 3);
    assert!(!said.out.contains('\u{1b}'));
    assert!(said.err.starts_with("2 features in "), "{}", said.err);

    let args = ["--features", "Brand", "white shoe", "--format", "csv", "--output", "o.csv"];
    let said = extract(&folder, &args);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let csv = read(folder.path(), "o.csv");
    assert!(csv.starts_with("feature,value,confidence,start,end\nBrand,"), "{csv}");
}

#[test]
fn five_hundred_features() {
    if !has_gpu() {
        return;
    }
    let features: Vec<String> = (0..500).map(|i| format!("F{i}")).collect();
    let folder = tempdir().unwrap();
    let object =
        object(&extract(&folder, &["--features", &features.join(","), "--json", "white shoe"]));
    assert_eq!(names(&object), features);
}

#[test]
fn a_text_of_200_000_characters_is_read_in_parts() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    write(&folder, "long.txt", &"white shoe of leather ".repeat(9100));
    let object = object(&extract(&folder, &["--features", "Brand", "--json", "long.txt"]));
    let windows = object["stats"]["windows"].as_u64().unwrap();
    assert!(windows > 10, "{windows}");
    assert_eq!(object["stats"]["rows"].as_u64(), Some(windows));
}

#[test]
fn a_list_keeps_its_bad_rows_and_loses_no_other() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    write(
        &folder,
        "p.csv",
        "id,text,Brand\n1,\"white, shoe\",Nike\n2\n3,,Puma\n4,red shoe,Asics\n",
    );
    let said = extract(&folder, &["--features", "Brand, Color", "p.csv", "--output", "o.csv"]);
    assert_eq!(
        said.err,
        "error: p.csv, line 3: 1 fields where the header has 3\n\
         error: p.csv, line 4: the text is empty\n\
         error: 2 of 4 products could not be read\n\
         hint: they are in the output with the reason in 'error'; the others are done\n"
    );
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    let csv = read(folder.path(), "o.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "id,text,Brand,Brand (hangtag),Color,error");
    assert!(lines[1].starts_with("1,\"white, shoe\",Nike,") && lines[1].ends_with(','));
    assert_eq!(lines[2], "2,,,,,1 fields where the header has 3");
    assert_eq!(lines[3], "3,,Puma,,,the text is empty");
    assert!(lines[4].starts_with("4,red shoe,Asics,") && lines[4].ends_with(','));
    assert_eq!(lines.len(), 5);
}

#[test]
fn json_lines_come_back_as_json_lines_or_one_object() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    write(
        &folder,
        "p.jsonl",
        "{\"id\":\"a\",\"text\":\"white shoe\"}\nnothing\n{\"id\":\"c\",\"text\":\"lamp\"}\n",
    );
    let said = extract(&folder, &["--features", "Color", "p.jsonl", "--confidence"]);
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("error: p.jsonl, line 2: not JSON: "), "{}", said.err);
    let rows: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["id"], &rows[0]["error"]), (&"a".into(), &Value::Null));
    assert!(rows[0]["features"].as_object().unwrap().contains_key("Color"));
    assert!(rows[0]["confidence"]["Color"].is_number());
    assert_eq!(rows[1]["features"]["Color"], Value::Null);
    assert!(rows[1]["error"].as_str().unwrap().starts_with("not JSON"));
    assert_eq!(rows[2]["text"], "lamp");

    let said = extract(&folder, &["--features", "Color", "p.jsonl", "--json"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["products"].as_array().unwrap().len(), 3);
    assert_eq!(object["products"][2]["line"], 3);
    assert_eq!(object["stats"]["failed"], 1);
}

#[test]
fn a_context_too_small_says_what_is_needed() {
    if !has_gpu() {
        return;
    }
    let folder = tempdir().unwrap();
    let said = extract(&folder, &["--features", "Brand", "--context", "64", "white shoe"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("a context of 64 tokens is too small"), "{}", said.err);
    assert!(said.err.contains("\nhint: give --context "), "{}", said.err);
}

#[test]
fn bench_measures_what_it_says() {
    if !has_gpu() {
        return;
    }
    let model = golden("llama.gguf");
    let args = [
        "bench",
        "--model",
        &model.to_string_lossy(),
        "--features",
        "3",
        "--text-tokens",
        "40",
        "--repeat",
        "1",
        "--svg",
        "bench.svg",
        "--json",
    ];
    let folder = tempdir().unwrap();
    let report = object(&hangtag(folder.path(), &args));
    assert_eq!(report["features"]["count"], 3);
    let ladder = report["features"]["ladder"].as_array().unwrap();
    assert_eq!(ladder.len(), 5);
    assert_eq!(ladder[4]["same_as_before"], 3, "{ladder:?}");
    assert!(ladder[3]["decode_steps"].as_u64() >= ladder[4]["decode_steps"].as_u64(), "{ladder:?}");
    assert!(ladder[..3].iter().all(|rung| rung["same_answers"] == 3), "{ladder:?}");
    assert!(report["features"]["text_tokens"].as_u64().unwrap() >= 40);
    for figure in [
        &report["prefill"]["tokens_per_second"],
        &ladder[2]["times_faster"],
        &report["limits"]["copy_bytes_per_second"],
    ] {
        assert!(figure.as_f64().unwrap() > 0.0);
    }
    assert_eq!(report["decode"][0]["rows"], 1);
    assert!(report["catalogue"]["seconds_together"].as_f64().unwrap() > 0.0);
    let svg = fs::read_to_string(folder.path().join("bench.svg")).unwrap();
    assert!(svg.contains("one feature at a time") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(!report["adapter"].as_str().unwrap().is_empty());
}
