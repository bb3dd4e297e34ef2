//! `hangtag export` on the golden models, and what it says to bad input. None of it needs a GPU.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::run::{Said, assert_fails, golden, hangtag};

const WHAT_A_BASE_IS: &str = "--base takes a GGUF file of the llama or phi family, a package folder (with manifest.json), a folder \
                              of Hugging Face transformers (with config.json), a model of the hub such as hf:microsoft/phi-2, or a known \
                              name such as smollm2-135m";

fn export(folder: &TempDir, args: &[&str]) -> Said {
    hangtag(folder.path(), &[&["export", "--out", "out"], args].concat())
}

/// With the golden llama as base and PEFT's adapter for it.
fn export_llama(folder: &TempDir, args: &[&str]) -> Said {
    let (base, adapter) = (golden("llama.gguf"), golden("llama-adapter/adapter_config.json"));
    let adapter = adapter.parent().unwrap().to_string_lossy();
    let base = base.to_string_lossy();
    export(folder, &[&["--base", &base, "--adapter", &adapter], args].concat())
}

#[track_caller]
fn refused(args: &[&str], message: &str) {
    let folder = tempdir().unwrap();
    assert_fails(&export(&folder, args), 2, &message.replace("{what}", WHAT_A_BASE_IS));
    assert!(!folder.path().join("out").exists());
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_format_makes_its_files() {
    for (format, expected) in [
        ("q4_0", vec!["export-report.json", "manifest.json", "out.gguf"]),
        ("f32", vec!["export-report.json", "manifest.json", "out.gguf"]),
        (
            "gptq",
            vec![
                "config.json",
                "export-report.json",
                "model.safetensors",
                "tokenizer.json",
                "tokenizer_config.json",
            ],
        ),
    ] {
        let folder = tempdir().unwrap();
        let said = export_llama(&folder, &["--format", format]);
        assert_eq!((said.code, said.out.as_str()), (0, "out\n"), "{}", said.err);
        assert!(said.err.starts_with(&format!("{format}: ")), "{}", said.err);
        assert_eq!(files(&folder.path().join("out")), expected);
    }
}

#[test]
fn json_is_the_report() {
    let folder = tempdir().unwrap();
    let said = export_llama(&folder, &["--format", "q8_0", "--json"]);
    assert_eq!((said.code, said.err.as_str(), said.out.matches('\n').count()), (0, "", 1));
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["format"], "q8_0");
    assert!(report["tensors"][0]["relative_rms_error"].is_number());
}

#[test]
fn a_package_is_a_base_until_it_has_an_adapter() {
    let folder = tempdir().unwrap();
    assert_eq!(export_llama(&folder, &["--format", "f16", "--name", "tags"]).code, 0);
    let again = ["export", "--base", "out", "--format", "safetensors", "--out", "hf"];
    assert_eq!(hangtag(folder.path(), &again).code, 0);
    let from_hf = ["export", "--base", "hf", "--format", "q4_0", "--out", "last", "--quiet"];
    assert_eq!(hangtag(folder.path(), &from_hf).err, "");
    let twice = ["export", "--base", "out", "--adapter", "a", "--format", "f16", "--out", "two"];
    assert_fails(
        &hangtag(folder.path(), &twice),
        2,
        "error: the base already has the adapter llama-adapter merged in\n\
         hint: give the base that both adapters were made for\n",
    );
}

#[test]
fn the_card_of_an_adapter_goes_with_it() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("tags")).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let from = golden(&format!("llama-adapter/{name}"));
        fs::copy(from, folder.path().join("tags").join(name)).unwrap();
    }
    fs::write(folder.path().join("tags/README.md"), "# Our tags\n").unwrap();
    let base = golden("llama.gguf");
    let args = ["--base", &base.to_string_lossy(), "--adapter", "tags", "--format", "f16"];
    assert_eq!(export(&folder, &args).code, 0);
    // The package is a base in its turn.
    let again = ["export", "--base", "out", "--format", "q8_0", "--out", "again"];
    assert_eq!(hangtag(folder.path(), &again).code, 0);
    for package in ["out", "again"] {
        let package = folder.path().join(package);
        assert_eq!(fs::read_to_string(package.join("README.md")).unwrap(), "# Our tags\n");
        let manifest = fs::read_to_string(package.join("manifest.json")).unwrap();
        assert!(manifest.contains("\"card\": \"README.md\""), "{manifest}");
    }
}

#[test]
fn the_mean_of_equal_adapters_is_as_they_are_and_others_are_named() {
    let folder = tempdir().unwrap();
    let (base, adapter) = (golden("llama.gguf"), golden("llama-adapter/adapter_config.json"));
    let (base, adapter) = (base.to_string_lossy(), adapter.parent().unwrap().to_string_lossy());
    let copy = folder.path().join("doubled");
    fs::create_dir(&copy).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(golden(&format!("llama-adapter/{name}")), copy.join(name)).unwrap();
    }
    let args = ["average", &adapter, "doubled", "--base", &base, "--out", "mean"];
    let said = hangtag(folder.path(), &args);
    assert_eq!((said.code, said.out.as_str()), (0, "mean\n"), "{}", said.err);
    // Rounded to 16 bits it stays as it is.
    let again = ["average", "mean", "mean", "--base", &base, "--out", "again"];
    assert_eq!(hangtag(folder.path(), &again).code, 0);
    let weights =
        |of: &str| fs::read(folder.path().join(of).join("adapter_model.safetensors")).unwrap();
    assert!(weights("again") == weights("mean"), "the mean is another adapter");
    let export =
        ["export", "--base", &base, "--adapter", "mean", "--format", "f16", "--out", "model"];
    assert_eq!(hangtag(folder.path(), &export).code, 0);

    let config = fs::read_to_string(copy.join("adapter_config.json")).unwrap();
    let doubled = config.replace("\"lora_alpha\": ", "\"lora_alpha\": 1");
    assert_ne!(doubled, config);
    fs::write(copy.join("adapter_config.json"), doubled).unwrap();
    let said = hangtag(folder.path(), &args);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(
        said.err.starts_with("error: adapters cannot be averaged: lora_alpha is "),
        "{}",
        said.err
    );
}

#[test]
fn bases_that_are_none() {
    refused(
        &["--base", "a/b.gguf", "--format", "f16"],
        "error: --base a/b.gguf: no such file or folder\nhint: {what}\n",
    );
    refused(
        &["--base", ".", "--format", "f16"],
        "error: --base .: the folder holds no manifest.json and no config.json\nhint: {what}\n",
    );
    refused(
        &["--base", "smolm2", "--format", "f16"],
        "error: no model is called \"smolm2\"; known names: smollm2-135m-products, smollm2-135m. A path to a GGUF file works as well\n",
    );
}

#[test]
fn adapters_that_do_not_fit() {
    let (phi, adapter) = (golden("phi.gguf"), golden("llama-adapter/adapter_config.json"));
    let adapter = adapter.parent().unwrap().to_string_lossy();
    let folder = tempdir().unwrap();
    let args = ["--base", &phi.to_string_lossy(), "--adapter", &adapter, "--format", "f16"];
    let said = export(&folder, &args);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("llama-adapter: adapter_config.json: target_modules is"));
    let args = ["--base", &phi.to_string_lossy(), "--adapter", "none", "--format", "f16"];
    let said = export(&folder, &args);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.starts_with("error: --adapter none: none/adapter_config.json: "));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn folders_that_are_not_empty_and_sizes_that_are_none() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/mine.txt"), "").unwrap();
    assert_fails(
        &export_llama(&folder, &["--format", "f16"]),
        2,
        "error: out: the folder is not empty; name another, or empty it\n",
    );
    for size in ["64 parsecs", "many", "3", "-1MiB"] {
        let said = export_llama(&folder, &["--format", "f16", &format!("--shard-size={size}")]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert!(said.err.contains(&format!("invalid value '{size}'")), "{}", said.err);
    }
    let said = export_llama(&folder, &["--format", "f16", "--name", "a/b"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--name: letters, digits"), "{}", said.err);
}
