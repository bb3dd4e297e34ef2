//! Exports of the golden models: what is written reads back as the base with the adapter.
#![cfg(all(feature = "tokenizer", not(target_arch = "wasm32")))]

use hangtag_weights::adapter::AdapterConfig;
use hangtag_weights::export::{Base, ExportError, Format, GgufType, Options, Report, export};
use hangtag_weights::safetensors::Element;
use hangtag_weights::{
    Adapter, BetaMap, ConfidenceMap, FileSource, Gguf, Linear, Lora, Manifest, ModelConfig,
    Position, Tokenizer, task_version,
};
use pollster::block_on;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    goldens.join(format!("{name}.gguf"))
}

fn base(name: &str) -> Base {
    Base::open_gguf(vec![FileSource::open(golden(name)).unwrap()]).unwrap()
}

fn options(format: Format) -> Options {
    Options {
        format,
        shard_bytes: None,
        name: "m".to_owned(),
        base: "org/base".to_owned(),
        adapter: Some("tags".to_owned()),
        trained_on: None,
        card: None,
        confidence: None,
        licence: "MIT".to_owned(),
        task_version: 1,
    }
}

#[test]
fn confidence_goes_into_the_file_and_not_beyond_its_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let map = |c| {
        let value = BetaMap { a: 0.5, b: 0.25, c };
        Some(ConfidenceMap { value, none: BetaMap::IDENTITY })
    };
    let base = base("llama");
    let file = |name: &str, base: &Base, confidence| {
        let options = Options { confidence, ..options(Format::Gguf(GgufType::F16)) };
        let out = folder.path().join(name);
        export(base, None, &out, &options, &mut |_| {}).unwrap();
        Base::open_gguf(vec![FileSource::open(out.join("m.gguf")).unwrap()]).unwrap()
    };
    let of = |base: &Base| ConfidenceMap::from_metadata(base.metadata()).unwrap();
    assert_eq!(of(&base), None);
    let sure = file("sure", &base, map(0.75));
    assert_eq!(of(&sure), map(0.75));
    assert_eq!(of(&file("other", &sure, map(-1.0))), map(-1.0));
    assert_eq!(of(&file("without", &sure, None)), None);
}

#[test]
fn the_version_of_the_questions_goes_into_every_form_and_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let of = |base: &Base| task_version::of_metadata(base.metadata()).unwrap();
    assert_eq!(of(&base("llama")), task_version::UNSAID);
    for version in [2, task_version::UNSAID] {
        let out = |name: &str| folder.path().join(format!("{name}-{version}"));
        let write = |format, to: &str| {
            let options = Options { task_version: version, ..options(format) };
            export(&base("llama"), None, &out(to), &options, &mut |_| {}).unwrap();
        };
        write(Format::Gguf(GgufType::Q4_0), "gguf");
        let file = FileSource::open(out("gguf").join("m.gguf")).unwrap();
        assert_eq!(of(&Base::open_gguf(vec![file]).unwrap()), version);
        let manifest = fs::read_to_string(out("gguf").join("manifest.json")).unwrap();
        assert_eq!(Manifest::from_json(&manifest).unwrap().task_version, version);
        write(Format::SafeTensors, "hf");
        assert_eq!(of(&Base::open_hf(&out("hf")).unwrap()), version);
    }
}

/// An adapter of rank 2 on every linear matrix.
fn adapter(config: &ModelConfig) -> Adapter {
    let settings = AdapterConfig {
        base: "org/base".to_owned(),
        r: 2,
        lora_alpha: 3.0,
        lora_dropout: 0.0,
        use_rslora: false,
        targets: Linear::of_family(config.family).collect(),
    };
    let mut modules = BTreeMap::new();
    for layer in 0..config.num_hidden_layers {
        for &linear in &settings.targets {
            let (rows, columns) = linear.shape(config);
            let numbers = |count: usize, by: f32| -> Vec<f32> {
                (0..count).map(|i| ((i + 7 * layer) as f32 * by).sin() * 0.2).collect()
            };
            let lora = Lora { a: numbers(2 * columns, 0.9), b: numbers(2 * rows, 0.7) };
            modules.insert((layer, linear), lora);
        }
    }
    Adapter { config: settings, task_version: 2, modules }
}

fn run(name: &str, options: &Options, out: &Path) -> Result<Report, ExportError> {
    let base = base(name);
    let adapter = adapter(base.config());
    export(&base, Some(&adapter), out, options, &mut |_| {})
}

/// W + scale · B · A in f64.
fn merged(name: &str) -> BTreeMap<String, Vec<f64>> {
    let base = base(name);
    let (config, adapter) = (base.config(), adapter(base.config()));
    let tensors = base.tensors();
    let mut all = BTreeMap::new();
    for (tensor, shape) in &tensors {
        let rows = if shape.len() == 2 { shape[0] } else { 1 };
        let numbers = base.read_rows(tensor, 0..rows).unwrap();
        all.insert(tensor.clone(), numbers.into_iter().map(f64::from).collect::<Vec<_>>());
    }
    for (&(layer, linear), lora) in &adapter.modules {
        let has = |wanted: &str| tensors.iter().any(|(tensor, _)| tensor == wanted);
        let place = linear.place(config, layer, has).unwrap();
        let (rows, columns) = linear.shape(config);
        let weights = all.get_mut(&place.tensor).unwrap();
        for row in 0..rows {
            for column in 0..columns {
                let product: f64 = (0..2)
                    .map(|k| {
                        f64::from(lora.b[row * 2 + k]) * f64::from(lora.a[k * columns + column])
                    })
                    .sum();
                weights[(place.rows.start + row) * columns + column] += 1.5 * product;
            }
        }
    }
    all
}

#[track_caller]
fn assert_merged(name: &str, base: &Base, tolerance: f64) {
    for (tensor, expected) in merged(name) {
        let shape = base.tensors().into_iter().find(|(other, _)| *other == tensor).unwrap().1;
        let rows = if shape.len() == 2 { shape[0] } else { 1 };
        let found = base.read_rows(&tensor, 0..rows).unwrap();
        assert_eq!(found.len(), expected.len(), "{tensor}");
        for (found, expected) in found.iter().zip(&expected) {
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= tolerance * expected.abs().max(0.1), "{tensor}: {found}, {expected}");
        }
    }
}

#[test]
fn f32_gguf_holds_the_merged_weights_and_the_tokenizer() {
    for name in ["llama", "mistral", "phi"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("m");
        run(name, &options(Format::Gguf(GgufType::F32)), &out).unwrap();
        let written = Base::open_gguf(vec![FileSource::open(out.join("m.gguf")).unwrap()]).unwrap();
        assert_eq!(written.config(), base(name).config());
        assert_merged(name, &written, 1e-6);
        let texts = "Größe M, 38 cm\n";
        let ids = |base: &Base| {
            let tokenizer = Tokenizer::from_gguf(base.metadata()).unwrap();
            tokenizer.encode(texts, Position::Start).unwrap()
        };
        assert_eq!(ids(&written), ids(&base(name)));
    }
}

#[test]
fn a_package_says_what_it_is_and_its_hashes_hold() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m");
    let split = Options { shard_bytes: Some(40_000), ..options(Format::Gguf(GgufType::Q4_0)) };
    let report = run("llama", &split, &out).unwrap();
    let manifest =
        Manifest::from_json(&fs::read_to_string(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((manifest.base.as_str(), manifest.adapter.as_deref()), ("org/base", Some("tags")));
    assert!(manifest.files.len() > 1);
    assert!(manifest.files[0].name.starts_with("m-00001-of-0000"));
    let files: Vec<FileSource> = manifest
        .files
        .iter()
        .map(|file| {
            let source = FileSource::open(out.join(&file.name)).unwrap();
            block_on(file.verify(&source, |_| {})).unwrap();
            source
        })
        .collect();
    let gguf = block_on(Gguf::open(files)).unwrap();
    let dtype = |tensor: &str| gguf.tensor(tensor).unwrap().dtype.name();
    assert_eq!(dtype("blk.0.attn_q.weight"), "Q4_0");
    assert_eq!((dtype("token_embd.weight"), dtype("output.weight")), ("Q8_0", "Q8_0"));
    assert_eq!(dtype("output_norm.weight"), "F32");
    assert_eq!(report.tensors.len(), gguf.tensors().count());
    let down = report.tensors.iter().find(|t| t.name == "blk.0.ffn_down.weight").unwrap();
    assert_eq!(down.bits_per_weight, 4.5);
    assert!((0.02..0.15).contains(&down.relative_rms_error), "{down:?}");
    let saved: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("export-report.json")).unwrap()).unwrap();
    assert_eq!(saved["tensors"].as_array().unwrap().len(), report.tensors.len());
}

#[test]
fn a_hf_folder_reads_back_as_the_same_model() {
    for name in ["llama", "mistral", "phi"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("m");
        let split = Options { shard_bytes: Some(50_000), ..options(Format::SafeTensors) };
        run(name, &split, &out).unwrap();
        let written = Base::open_hf(&out).unwrap();
        assert_eq!(written.config(), base(name).config());
        assert_merged(name, &written, 1e-3);
        let (before, after) =
            (Tokenizer::from_gguf(base(name).metadata()), Tokenizer::from_gguf(written.metadata()));
        let (before, after) = (before.unwrap(), after.unwrap());
        assert_eq!(before.eos(), after.eos());
        for text in ["Linen shirt, 38 cm", "\n\n  Größe ✨ 1234", "<|endoftext|>"] {
            for at in [Position::Start, Position::Continuation] {
                assert_eq!(before.encode(text, at).unwrap(), after.encode(text, at).unwrap());
            }
        }
        // And from there to GGUF again.
        let again = folder.path().join("again");
        export(&written, None, &again, &options(Format::Gguf(GgufType::F32)), &mut |_| {}).unwrap();
        let gguf = vec![FileSource::open(again.join("m.gguf")).unwrap()];
        assert_merged(name, &Base::open_gguf(gguf).unwrap(), 1e-3);
    }
}

#[test]
fn some_rows_of_a_hf_folder_are_rows_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["llama", "phi"] {
        let out = folder.path().join(name);
        run(name, &options(Format::SafeTensors), &out).unwrap();
        let base = Base::open_hf(&out).unwrap();
        let tensor = if name == "llama" { "blk.1.attn_k.weight" } else { "blk.1.attn_qkv.weight" };
        let all = base.read_rows(tensor, 0..32).unwrap();
        assert_eq!(base.read_rows(tensor, 5..23).unwrap(), all[5 * 64..23 * 64], "{name}");
        assert!(base.read_rows("blk.9.attn_k.weight", 0..1).is_err());
    }
}

#[test]
fn hf_folders_that_are_not_whole_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m");
    run("llama", &options(Format::SafeTensors), &out).unwrap();
    let refused = |file: &str, change: &dyn Fn(String) -> String| {
        let path = out.join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, change(String::from_utf8_lossy(&whole).into_owned())).unwrap();
        let message = Base::open_hf(&out).unwrap_err().to_string();
        fs::write(&path, whole).unwrap();
        message
    };
    let wider = refused("config.json", &|text| {
        text.replace("\"intermediate_size\": 96", "\"intermediate_size\": 128")
    });
    assert!(wider.contains("tensor model.layers.0.mlp."), "{wider}");
    assert!(wider.contains("config.json implies [64, 128]") || wider.contains("[128, 64]"));
    let deeper = refused("config.json", &|text| {
        text.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")
    });
    assert!(deeper.contains("has no tensor model.layers.2."), "{deeper}");
    let uneven = refused("config.json", &|text| {
        text.replace("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3")
    });
    assert!(uneven.contains("4 attention heads over 3 key-value heads"), "{uneven}");
    assert!(refused("model.safetensors", &|_| "cut".to_owned()).contains("model.safetensors"));
    fs::remove_file(out.join("tokenizer.json")).unwrap();
    assert!(Base::open_hf(&out).unwrap_err().to_string().contains("tokenizer.json"));
}

#[test]
fn gptq_has_four_tensors_for_each_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m");
    let report = run("phi", &options(Format::Gptq), &out).unwrap();
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["quantization_config"]["bits"], 4);
    let source = FileSource::open(out.join("model.safetensors")).unwrap();
    let file = block_on(hangtag_weights::safetensors::SafeTensors::open(source)).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape.clone();
    let fc2 = "model.layers.1.mlp.fc2";
    assert_eq!(shape(&format!("{fc2}.qweight")), [96 / 8, 64]);
    assert_eq!(shape(&format!("{fc2}.qzeros")), [3, 8]);
    assert_eq!(shape(&format!("{fc2}.scales")), [3, 64]);
    assert_eq!(shape(&format!("{fc2}.g_idx")), [96]);
    assert_eq!(shape(&format!("{fc2}.bias")), [64]);
    assert!(file.tensor(&format!("{fc2}.weight")).is_err());
    assert_eq!(report.tensors.iter().filter(|tensor| tensor.dtype == "Q4_0").count(), 12);
}

#[test]
fn nothing_is_left_of_an_export_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m");
    let base = base("llama");
    let mut broken = adapter(base.config());
    broken.modules.get_mut(&(1, Linear::Down)).unwrap().b[0] = f32::INFINITY;
    for format in [Format::Gguf(GgufType::Q4_0), Format::SafeTensors, Format::Gptq] {
        let error = export(&base, Some(&broken), &out, &options(format), &mut |_| {});
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("tensor blk.1.ffn_down.weight: row 0"), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "").unwrap();
    let refused = run("llama", &options(Format::SafeTensors), &out).unwrap_err();
    assert!(matches!(refused, ExportError::NotEmpty { .. }));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn an_adapter_goes_to_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["llama", "phi"] {
        let base = base(name);
        let adapter = adapter(base.config());
        let path = folder.path().join(name);
        adapter.save(&path, base.config(), Element::F32).unwrap();
        assert_eq!(Adapter::load(&path, base.config(), Some("org/base")).unwrap(), adapter);
    }
}
