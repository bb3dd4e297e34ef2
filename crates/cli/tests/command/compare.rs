//! `hangtag compare` with the golden llama and PEFT's adapter for it.

use std::fs;

use tempfile::tempdir;

use crate::run::{assert_fails, golden, hangtag};

const PRODUCTS: &str = r#"{"id":"1","category":"Shirts","text":"Blue shirt of linen, size M","features":{"Color":"Blue","Material":"linen","Size":"M","Brand":null}}
{"id":"2","category":"Lamps","text":"Lamp of brass, 38 cm","features":{"Material":"brass","Height":"38 cm","Color":null}}
"#;

#[test]
fn methods_stand_beside_each_other() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("train.jsonl"), PRODUCTS).unwrap();
    fs::write(folder.path().join("test.jsonl"), PRODUCTS.replace("\"id\":\"", "\"id\":\"t"))
        .unwrap();
    let base = golden("llama.gguf");
    let adapter = golden("llama-adapter/adapter_config.json");
    let (base, adapter) = (base.to_str().unwrap(), adapter.parent().unwrap().to_str().unwrap());
    let args = [
        "compare",
        "--base",
        base,
        "--adapter",
        adapter,
        "--out",
        "out",
        "--in-turn",
        "2",
        "--timed-features",
        "2",
        "--quiet",
    ];
    let said = hangtag(
        folder.path(),
        &[&args[..], &["--train", "train.jsonl", "--data", "test.jsonl"]].concat(),
    );
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(fs::read_to_string(folder.path().join("out/comparison.md")).unwrap(), said.out);
    let methods: Vec<&str> =
        said.out.lines().skip(2).map(|line| line.split(" | ").next().unwrap()).collect();
    assert_eq!(
        methods,
        [
            "| lookup",
            "| ner",
            "| the base, not trained, 2 examples in the prompt",
            "| trained, 16 bits, all features together",
            "| trained, 4 bits, one feature at a time, text read anew",
            "| trained, 4 bits, one feature at a time, text kept",
            "| trained, 4 bits, 2 features a prompt, in turn",
            "| trained, 4 bits, all features together",
        ]
    );
    // A dictionary of the very products knows all of them.
    assert!(said.out.contains("| lookup | 100.0% | 100.0% | 0.0% | 0.0% |"), "{}", said.out);
}

#[test]
fn nothing_to_learn_from_is_said() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("empty.jsonl"), "").unwrap();
    let args = ["compare", "--train", "empty.jsonl", "--data", "empty.jsonl", "--out", "out"];
    assert_fails(
        &hangtag(folder.path(), &args),
        2,
        "error: empty.jsonl holds no products\nhint: a dataset has one JSON object a line: hangtag dataset --help shows one\n",
    );
}
