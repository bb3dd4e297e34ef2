//! Adapters against what PEFT made of them (`tests/goldens/record_adapters.py`).
#![cfg(all(feature = "tokenizer", not(target_arch = "wasm32")))]

use hangtag_weights::adapter::{CONFIG_FILE, WEIGHTS_FILE};
use hangtag_weights::export::{Base, Format, Options, export};
use hangtag_weights::safetensors::{Element, SafeTensors};
use hangtag_weights::{Adapter, FileSource};
use pollster::block_on;
use std::fs;
use std::path::{Path, PathBuf};

const NAMES: [&str; 2] = ["llama", "phi"];

fn goldens(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens").join(name)
}

fn load(name: &str) -> (Base, Adapter) {
    let gguf = FileSource::open(goldens(&format!("{name}.gguf"))).unwrap();
    let base = Base::open_gguf(vec![gguf]).unwrap();
    let recorded = format!("hangtag/golden-{name}");
    let adapter = goldens(&format!("{name}-adapter"));
    let adapter = Adapter::load(&adapter, base.config(), Some(&recorded)).unwrap();
    (base, adapter)
}

fn open(path: &Path) -> SafeTensors<FileSource> {
    block_on(SafeTensors::open(FileSource::open(path).unwrap())).unwrap()
}

/// Largest difference between the recorded weights and those of the exported folder.
fn difference(name: &str, adapter: &Adapter) -> f32 {
    let (base, _) = load(name);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m");
    let options = Options {
        format: Format::SafeTensors,
        shard_bytes: None,
        name: "m".to_owned(),
        base: name.to_owned(),
        adapter: None,
        trained_on: None,
        card: None,
        confidence: None,
        licence: "MIT".to_owned(),
        task_version: 1,
    };
    export(&base, Some(adapter), &out, &options, &mut |_| {}).unwrap();
    let ours = open(&out.join("model.safetensors"));
    let recorded = open(&goldens(&format!("{name}-adapter/merged.safetensors")));
    let mut largest = 0.0_f32;
    let weights = recorded.tensors().filter(|(tensor, _)| tensor.starts_with("model."));
    let mut count = 0;
    for (tensor, described) in weights {
        let expected = block_on(recorded.read(tensor, &described.shape)).unwrap();
        let found = block_on(ours.read(tensor, &described.shape)).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            largest = largest.max((found - expected).abs() / expected.abs().max(1.0));
        }
        count += 1;
    }
    assert_eq!(count, 4);
    largest
}

#[test]
fn merged_weights_are_pefts() {
    for name in NAMES {
        let (_, adapter) = load(name);
        // Half a step of f16.
        let largest = difference(name, &adapter);
        assert!(largest < 5e-4, "{name}: {largest}");
    }
}

#[test]
fn another_scale_or_another_order_of_rows_is_noticed() {
    for name in NAMES {
        let (_, mut adapter) = load(name);
        adapter.config.use_rslora = true;
        assert!(difference(name, &adapter) > 1e-2, "{name}");
        adapter.config.use_rslora = false;
        for ((_, linear), lora) in &mut adapter.modules {
            if *linear == hangtag_weights::Linear::Q {
                lora.b.rotate_left(2);
            }
        }
        assert!(difference(name, &adapter) > 1e-2, "{name}");
    }
}

#[test]
fn adapters_are_written_with_pefts_names_and_numbers() {
    for name in NAMES {
        let (base, adapter) = load(name);
        let folder = tempfile::tempdir().unwrap();
        adapter.save(folder.path(), base.config(), Element::F32).unwrap();
        let theirs = goldens(&format!("{name}-adapter"));
        let (ours, recorded) =
            (open(&folder.path().join(WEIGHTS_FILE)), open(&theirs.join(WEIGHTS_FILE)));
        let names = |file: &SafeTensors<FileSource>| {
            file.tensors().map(|(tensor, _)| tensor.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&ours), names(&recorded));
        for (tensor, described) in recorded.tensors() {
            let expected = block_on(recorded.read(tensor, &described.shape)).unwrap();
            assert_eq!(block_on(ours.read(tensor, &described.shape)).unwrap(), expected);
        }
        let settings = |folder: &Path| -> serde_json::Value {
            serde_json::from_str(&fs::read_to_string(folder.join(CONFIG_FILE)).unwrap()).unwrap()
        };
        let (ours, recorded) = (settings(folder.path()), settings(&theirs));
        for (setting, value) in ours.as_object().unwrap() {
            if setting != "target_modules" {
                assert_eq!(*value, recorded[setting], "{setting}");
            }
        }
    }
}
