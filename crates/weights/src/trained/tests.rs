use super::*;
use crate::adapter::AdapterError;
use crate::export::CARD_FILE;
use std::time::{Duration, SystemTime};

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens");

/// The golden llama, as if it had come in a wheel.
fn base() -> KnownModel {
    let bytes = golden("llama.gguf");
    KnownModel {
        name: "golden-llama",
        hub_name: "hangtag/golden-llama",
        description: "",
        licence: "MIT",
        package: "no-such-package",
        version: "1.0",
        wheel_size: 1,
        member: "golden.gguf",
        file_name: "golden.gguf",
        size: bytes.len() as u64,
        sha256: String::leak(sha256_hex(&bytes)),
    }
}

fn model() -> TrainedModel {
    let config = String::from_utf8(golden("llama-adapter/adapter_config.json")).unwrap();
    TrainedModel {
        name: "tags",
        base: "golden-llama",
        licence: "MIT",
        trained_on: "our tags",
        adapter_config: String::leak(config),
        adapter_weights: Vec::leak(golden("llama-adapter/adapter_model.safetensors")),
        confidence: None,
        card: "# Tags\n",
    }
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new(GOLDENS).join(name)).unwrap()
}

/// A cache that holds the base.
fn cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let path = fetch::cached_path(&base(), cache.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, golden("llama.gguf")).unwrap();
    cache
}

/// Prepares without a network, and tells how often the adapter was merged.
fn prepared(model: &TrainedModel, cache: &Path) -> Result<(PathBuf, usize), PrepareError> {
    let missing = vec![vec!["hangtag-no-such-program".to_owned()]];
    let tools = Tools { pip: missing.clone(), python: missing };
    let mut merged = 0;
    let folder = prepare_with(model, &base(), cache, &tools, &mut |progress| {
        let PrepareProgress::Merging(progress) = progress else { return };
        merged += usize::from(progress.done == progress.total);
    })?;
    Ok((folder, merged))
}

#[test]
fn it_is_merged_once_and_then_needs_no_base() {
    let cache = cache();
    let (folder, merged) = prepared(&model(), cache.path()).unwrap();
    assert_eq!(merged, 1);
    let json = fs::read_to_string(folder.join(MANIFEST_FILE)).unwrap();
    let manifest = Manifest::from_json(&json).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.base.as_str()), ("tags", "hangtag/golden-llama"));
    assert_eq!(manifest.adapter.as_deref(), Some("tags"));
    assert_eq!(manifest.trained_on.as_deref(), Some("our tags"));
    assert_eq!(manifest.card.as_deref(), Some(CARD_FILE));
    assert_eq!(fs::read_to_string(folder.join(CARD_FILE)).unwrap(), "# Tags\n");

    fs::remove_file(fetch::cached_path(&base(), cache.path())).unwrap();
    assert_eq!(prepared(&model(), cache.path()).unwrap(), (folder, 0));
}

#[test]
fn another_adapter_is_another_package() {
    let cache = cache();
    let (folder, _) = prepared(&model(), cache.path()).unwrap();
    let mut weights = model().adapter_weights.to_vec();
    // The last number's lowest bits.
    *weights.iter_mut().nth_back(3).unwrap() ^= 1;
    let changed = TrainedModel { adapter_weights: Vec::leak(weights), ..model() };
    let config = model().adapter_config.replace("\"lora_alpha\": 3", "\"lora_alpha\": 4");
    assert_ne!(config, model().adapter_config);
    let scaled = TrainedModel { adapter_config: String::leak(config), ..model() };
    let described = TrainedModel { card: "# Better tags\n", ..model() };
    let confidence = r#"{"value":{"a":1,"b":1,"c":-1},"none":{"a":1,"b":1,"c":0}}"#;
    let humble = TrainedModel { confidence: Some(confidence), ..model() };
    let mut folders = vec![folder];
    for other in [changed, scaled, described, humble] {
        let (folder, merged) = prepared(&other, cache.path()).unwrap();
        assert!(merged == 1 && !folders.contains(&folder), "{}", folder.display());
        folders.push(folder);
    }
    assert_ne!(
        package_folder(&model(), &KnownModel { sha256: "0", ..base() }, cache.path()),
        folders[0]
    );
}

#[test]
fn a_broken_package_is_made_again() {
    let cache = cache();
    let (folder, _) = prepared(&model(), cache.path()).unwrap();
    let file = folder.join("tags.gguf");
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (name, bytes) in [
        ("tags.gguf", &whole[..whole.len() / 2]),
        ("tags.gguf", &changed),
        ("tags.gguf", &[]),
        (MANIFEST_FILE, b"{"),
    ] {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        // A clock that is too coarse to see the change.
        let later = SystemTime::now() + Duration::from_secs(5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(prepared(&model(), cache.path()).unwrap().1, 1, "{name}, {}", bytes.len());
        assert!(fs::read(&file).unwrap() == whole, "not the same file as at first");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(prepared(&model(), cache.path()).unwrap().1, 1);
    assert_eq!(prepared(&model(), cache.path()).unwrap().1, 0);
}

#[test]
fn a_whole_file_without_its_stamp_is_only_hashed() {
    let cache = cache();
    let (folder, _) = prepared(&model(), cache.path()).unwrap();
    fs::remove_file(folder.join("tags.gguf.verified")).unwrap();
    assert_eq!(prepared(&model(), cache.path()).unwrap().1, 0);
    assert!(folder.join("tags.gguf.verified").exists());
}

#[test]
fn an_adapter_of_another_base_is_refused_with_both_names() {
    let cache = cache();
    let config = model().adapter_config.replace("hangtag/golden-llama", "org/other");
    let other = TrainedModel { adapter_config: String::leak(config), ..model() };
    let error = prepared(&other, cache.path()).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("org/other") && said.contains("hangtag/golden-llama"), "{said}");
    assert!(said.starts_with("merging tags: "), "{said}");
    let PrepareError::Merge { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, ExportError::Adapter(AdapterError::OtherBase { .. })));
    assert!(!package_folder(&other, &base(), cache.path()).exists());
}

#[test]
fn the_projects_own_are_of_known_bases_and_their_adapters_say_so() {
    for model in trained_models() {
        let base = registry::find(model.base).unwrap();
        assert!(registry::find(model.name).is_none(), "{} is two models", model.name);
        assert_eq!(find(&model.name.to_uppercase()).unwrap().name, model.name);
        let config: serde_json::Value = serde_json::from_str(model.adapter_config).unwrap();
        assert_eq!(config["base_model_name_or_path"], base.hub_name);
    }
    assert!(find(DEFAULT_MODEL).is_some());
}
