//! `hangtag dataset`: what it writes, what it reports, and its exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::run::{Said, assert_fails, hangtag};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn dataset(folder: &TempDir, args: &[&str]) -> Said {
    hangtag(folder.path(), &[&["dataset"], args].concat())
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

const GOOD: &str = r#"{"id":"1","category":"Shoes","text":"Red shoe","features":{"Color":"Red","Size":null}}
{"id":"2","category":"Shoes","text":"Blue boot","features":{"Color":"Blue","Size":null,"Sole":null}}
"#;

#[test]
fn check_finds_faults_and_says_so_in_its_exit_code() {
    let bad = r#"{"id":"1","category":"Shoes","text":"Red hat","features":{"Color":"green"}}"#;
    let folder = folder(&[("a.jsonl", GOOD), ("b.jsonl", bad)]);
    let said = dataset(&folder, &["check", "a.jsonl"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.out, "a.jsonl: 2 rows, 0 faults\n");

    let said = dataset(&folder, &["check", "a.jsonl", "b.jsonl"]);
    assert_eq!((said.code, said.err.as_str()), (2, "error: 2 faults were found\n"));
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("b.jsonl, line 1: the feature \"Color\" has the value \"green\""));
    assert!(lines[1].starts_with("b.jsonl, line 1: the id \"1\" is in a.jsonl, line 1 too"));

    let said = dataset(&folder, &["check", "a.jsonl", "b.jsonl", "--json"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, object["faults"].as_array().unwrap().len()), (2, 2));
    assert_eq!(object["faults"][0]["problem"], "value_not_in_text");
    assert_eq!(object["files"][1]["faults"], 2);
}

#[test]
fn stats_count() {
    let folder = folder(&[("a.jsonl", GOOD)]);
    let said = dataset(&folder, &["stats", "a.jsonl"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(
        said.out.contains("Features    3 names, 5 in all, 60.0% without a value\n"),
        "{}",
        said.out
    );
    let object: Value =
        serde_json::from_str(&dataset(&folder, &["stats", "a.jsonl", "--json"]).out).unwrap();
    assert_eq!(
        (object["rows"].as_u64(), object["features"][0]["name"].as_str()),
        (Some(2), Some("Color"))
    );
}

#[test]
fn a_split_is_whole_and_bad_rows_are_named() {
    let rows: String = (0..40)
        .map(|i| {
            format!("{{\"id\":\"{i}\",\"category\":\"Shoes\",\"text\":\"shoe {i}\",\"features\":{{\"A\":null}}}}\n")
        })
        .collect();
    let folder = folder(&[("a.jsonl", &(rows + "{\n"))]);
    let said = dataset(&folder, &["split", "a.jsonl", "--out", "data/split", "--seed", "5"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.starts_with("error: a.jsonl, line 41: column "), "{}", said.err);
    assert!(
        said.err.contains("error: a.jsonl: 1 of 41 rows could not be read\nhint: "),
        "{}",
        said.err
    );
    let count = |name: &str| read(&folder.path().join("data/split"), name).lines().count();
    assert_eq!([count("train.jsonl"), count("val.jsonl"), count("test.jsonl")], [30, 4, 6]);
    let names = fs::read_dir(folder.path().join("data/split")).unwrap().count();
    assert_eq!(names, 3, "nothing else is left in the folder");
    let said =
        dataset(&folder, &["split", "a.jsonl", "--out", "d", "--val", "0.6", "--test", "0.6"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.starts_with("error: validation 0.6 and test 0.6: both must be"),
        "{}",
        said.err
    );
}

#[test]
fn balance_takes_out_what_is_too_many() {
    let folder = folder(&[("a.jsonl", GOOD)]);
    let said = dataset(&folder, &["balance", "a.jsonl", "--out", "b.jsonl"]);
    assert_eq!(said.code, 0);
    assert_eq!(
        said.err,
        "b.jsonl: 2 rows; taken out: 1 features without a value, 0 with one, 0 rows with none left\n"
    );
    assert_eq!(read(folder.path(), "b.jsonl").matches("null").count(), 2);
    let said = dataset(&folder, &["balance", "a.jsonl", "--out", "b.jsonl", "--none-share", "1"]);
    assert_fails(
        &said,
        2,
        "error: a.jsonl: a share of 1 is none: give a number from 0 to less than 1, e.g. 0.5\n",
    );
}

const SHOP: &str = "\u{FEFF}sku;title;body;colour;size\r\n1;Red shoe;\"soft, \"\"very\"\"\nnice 42\";Red;42\r\n\
                    2;Blue hat;;blue;\r\n3;x\r\n1;Hat;;;\r\n";

#[test]
fn a_shops_export_becomes_a_dataset() {
    let folder = folder(&[("s.csv", SHOP)]);
    let args =
        ["from-csv", "s.csv", "--text", "title,body", "--id", "SKU", "--features", "colour,size"];
    let more = ["--rename", "colour=Color", "--out", "o.jsonl"];
    let said = dataset(&folder, &[&args[..], &more].concat());
    assert_fails(
        &said,
        2,
        "note: s.csv, line 4, column \"colour\": \"blue\" is not in the text (it has \"Blue\")\n\
         error: s.csv, line 5: 2 fields where the heading has 5\n\
         error: s.csv, line 6: the id \"1\" is that of line 2 too: give every row its own\n\
         o.jsonl: 2 of 4 rows; values that are not in the text: 1, left out (--missing null writes them as null)\n\
         error: s.csv: 2 of 4 rows could not be read\n\
         hint: the others were used; correct the lines named above and run it again\n",
    );
    assert_eq!(
        read(folder.path(), "o.jsonl"),
        "{\"id\":\"1\",\"category\":\"\",\"text\":\"Red shoe\\nsoft, \\\"very\\\"\\nnice 42\",\
         \"features\":{\"Color\":\"Red\",\"size\":\"42\"}}\n\
         {\"id\":\"2\",\"category\":\"\",\"text\":\"Blue hat\",\"features\":{\"size\":null}}\n"
    );
    let null = ["--missing", "null", "--out", "o.jsonl"];
    dataset(&folder, &[&args[..], &null].concat());
    assert!(read(folder.path(), "o.jsonl").contains("{\"colour\":null,\"size\":null}"));
}

#[test]
fn tabs_commas_and_columns_that_are_not_there() {
    let folder = folder(&[
        ("t.csv", "text\tColor\nRed shoe\tRed\n"),
        ("c.csv", "text,Color\n\"a, Red\",Red\n"),
    ]);
    for name in ["t.csv", "c.csv"] {
        let said =
            dataset(&folder, &["from-csv", name, "--text", "text", "--all", "--out", "o.jsonl"]);
        assert_eq!((said.code, said.err.as_str()), (0, "o.jsonl: 1 of 1 rows\n"));
        assert!(read(folder.path(), "o.jsonl").contains("{\"Color\":\"Red\"}"));
    }
    let said =
        dataset(&folder, &["from-csv", "c.csv", "--text", "title", "--all", "--out", "n.jsonl"]);
    let message =
        "error: c.csv, line 1: no column named \"title\"; there are \"text\", \"Color\"\n";
    assert_fails(&said, 2, message);
    assert!(!folder.path().join("n.jsonl").exists());
    let said = dataset(&folder, &["from-csv", "c.csv", "--text", "text", "--out", "n.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--features"), "{}", said.err);
}

#[test]
fn files_that_are_none() {
    let folder = folder(&[("e.jsonl", "\n")]);
    let said = dataset(&folder, &["stats", "no.jsonl"]);
    assert_fails(&said, 2, "error: no.jsonl: No such file or directory (os error 2)\n");
    let said = dataset(&folder, &["stats", "e.jsonl"]);
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("error: e.jsonl holds no products\nhint: "), "{}", said.err);
    fs::write(folder.path().join("l.jsonl"), b"{}\n\xFF").unwrap();
    let said = dataset(&folder, &["check", "l.jsonl"]);
    assert_fails(
        &said,
        2,
        "error: l.jsonl, line 2: not UTF-8 text\nhint: save the file as UTF-8\n",
    );
}
