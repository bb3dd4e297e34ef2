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
