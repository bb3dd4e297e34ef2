//! `hangtag train` on a golden model and the processor.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::run::{Said, golden, hangtag};

const DATA: &str = concat!(
    r#"{"id":"1","category":"Shoes","text":"Shoe, red, size 41","features":{"Size":"41","Color":"red"}}"#,
    "\n",
    r#"{"id":"2","category":"Shoes","text":"Boot, blue","features":{"Size":null,"Color":"blue"}}"#,
    "\n",
);
const SMALL: [&str; 8] = [
    "--device",
    "cpu",
    "--set",
    "lora.rank=2",
    "--set",
    "optimizer.epochs=1",
    "--set",
    "data.max_prefix_tokens=128",
];

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("data.jsonl"), DATA).unwrap();
    folder
}

fn train(folder: &TempDir, args: &[&str]) -> Said {
    hangtag(
        folder.path(),
        &[&["train", "--data", "data.jsonl", "--quiet"], &SMALL[..], args].concat(),
    )
}

fn adapter(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("adapter_model.safetensors")).unwrap()
}

#[test]
fn a_folder_of_transformers_trains_as_the_gguf_file_does() {
    let folder = folder();
    let gguf = golden("phi.gguf");
    let gguf = gguf.to_string_lossy();
    let export = ["export", "--base", &gguf, "--format", "safetensors", "--out", "hf", "--quiet"];
    assert_eq!(hangtag(folder.path(), &export).code, 0);
    for (base, out) in [("hf", "from-hf"), (&*gguf, "from-gguf")] {
        let said = train(&folder, &["--base", base, "--out", out]);
        assert_eq!(said.code, 0, "{}", said.err);
    }
    let of = |out: &str| adapter(&folder.path().join(out));
    // The folder holds the very numbers of the file.
    assert!(of("from-hf") == of("from-gguf"));

    fs::remove_file(folder.path().join("hf/tokenizer.json")).unwrap();
    let said = train(&folder, &["--base", "hf", "--out", "again"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("--base hf: ") && said.err.contains("tokenizer.json"),
        "{}",
        said.err
    );
}

/// The number in the manifest of the package `out`.
fn task_version(folder: &Path, out: &str) -> u64 {
    let manifest = fs::read_to_string(folder.join(out).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    manifest["task_version"].as_u64().unwrap()
}

#[test]
fn the_version_of_the_questions_goes_from_training_into_the_model() {
    let folder = folder();
    let base = golden("llama.gguf");
    let base = base.to_string_lossy();
    let export = |adapter: &str, out: &str, more: &[&str]| {
        let args = ["export", "--base", &base, "--adapter", adapter, "--out", out, "--quiet"];
        let said = hangtag(folder.path(), &[&args[..], &["--format", "q4_0"], more].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        task_version(folder.path(), out)
    };
    for (version, setting) in [(1, "data.task_version=1"), (2, "data.task_version=2")] {
        let out = format!("trained-{version}");
        // The first step alone changes nothing: its learning rate is 0.
        let more = ["--set", setting, "--set", "optimizer.epochs=3", "--out", &out];
        let said = train(&folder, &[&["--base", &base], &more[..]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(export(&out, &format!("model-{version}"), &[]), version);
    }
    // Same seed and same products, so it is the prompt that made them learn otherwise.
    let numbers = |out: &str| {
        let bytes = adapter(&folder.path().join(out));
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert!(numbers("trained-1") != numbers("trained-2"), "both were trained on one prompt");
    assert_eq!(export("trained-2", "told", &["--task-version", "1"]), 1);
    // A package that is exported again, by way of a folder of transformers, is what it was.
    for (base, format, out) in [("model-2", "safetensors", "hf"), ("hf", "q8_0", "again")] {
        let args = ["export", "--base", base, "--format", format, "--out", out, "--quiet"];
        assert_eq!(hangtag(folder.path(), &args).code, 0);
    }
    assert_eq!(task_version(folder.path(), "again"), 2);

    let mean = ["average", "trained-1", "trained-2", "--base", &base, "--out", "mean"];
    let said = hangtag(folder.path(), &mean);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("the version of the questions is 1 in the first"), "{}", said.err);
    let said = train(&folder, &["--base", &base, "--set", "data.task_version=3", "--out", "x"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("give 1 to 2"), "{}", said.err);
}
