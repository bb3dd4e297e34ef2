//! Every kind of bad input gives exit code 2 and says what was wrong, where, and what to do. None of it needs a GPU.

use std::fs;

use hangtag_weights::{GgufWriter, Metadata};
use tempfile::{TempDir, tempdir};

use crate::run::{assert_fails, golden, hangtag, hangtag_with_input};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[track_caller]
fn refused(files: &[(&str, &[u8])], args: &[&str], message: &str) {
    assert_fails(&hangtag(folder(files).path(), args), 2, message);
}

const NO_FEATURES: &str =
    "error: No features were given: name at least one, separated by commas, e.g. Brand, Color\n";

#[test]
fn no_features() {
    refused(&[], &["extract", "--features", " ", "red shoe"], NO_FEATURES);
    refused(&[], &["extract", "--features", ",,", "red shoe"], NO_FEATURES);
    let said = hangtag(folder(&[]).path(), &["extract", "red shoe"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--features <NAMES>"), "{}", said.err);
}

#[test]
fn duplicate_names() {
    refused(
        &[],
        &["extract", "--features", "Brand, Size, Brand", "red shoe"],
        "error: The feature \"Brand\" is named twice: take one of them out\n",
    );
}

#[test]
fn a_template_that_is_none() {
    let said = hangtag(folder(&[]).path(), &["extract", "--template", "shoos", "red shoe"]);
    assert_eq!(said.code, 2);
    let (first, hint) = said.err.split_once('\n').unwrap();
    assert_eq!(first, "error: --template shoos: no such file, and no ready-made list of that name");
    assert!(hint.starts_with("hint: ready-made lists: "), "{hint}");
    refused(
        &[("t.json", b"{\"name\": 3")],
        &["extract", "--template", "t.json", "red shoe"],
        "error: t.json: The template cannot be read: invalid type: integer `3`, expected a string at line 1 column 10\n\
         hint: a template looks like {\"name\": \"shoes\", \"category\": \"footwear\", \
         \"features\": [{\"name\": \"Brand\"}, {\"name\": \"Color\"}]}\n",
    );
}

#[test]
fn an_empty_text() {
    let message = "error: the text is empty\n\
                   hint: give the product's description, a file that holds it, or '-' for standard input\n";
    refused(&[], &["extract", "--features", "Brand", ""], message);
    refused(&[], &["extract", "--features", "Brand", " \n "], message);
    let said =
        hangtag_with_input(folder(&[]).path(), &["extract", "--features", "Brand", "-"], b"\n");
    assert_fails(&said, 2, &message.replace("the text", "standard input"));
    refused(
        &[("a.txt", b"\xEF\xBB\xBF \n")],
        &["extract", "--features", "Brand", "a.txt"],
        &message.replace("the text", "a.txt"),
    );
}

#[test]
fn files_that_are_missing_or_no_text() {
    refused(
        &[],
        &["extract", "--features", "Brand", "products.csv"],
        "error: products.csv: no such file\n\
         hint: check the name; to use these very words as the text, pipe them: echo ... | hangtag extract -\n",
    );
    refused(
        &[],
        &["extract", "--features", "Brand", "."],
        "error: .: this is a folder\n\
         hint: name a file, or give the product text itself in quotes\n",
    );
    refused(
        &[("a.txt", b"caf\xE9")],
        &["extract", "--features", "Brand", "a.txt"],
        "error: a.txt: not UTF-8 text (at byte 3)\nhint: save it as UTF-8\n",
    );
}

#[test]
fn lists_without_texts() {
    refused(
        &[("p.csv", b"id,title\n1,red\n")],
        &["extract", "--features", "Brand", "p.csv"],
        "error: p.csv: no column named \"text\"\n\
         hint: its columns are \"id\", \"title\"; name the one with the product text: --text-column NAME\n",
    );
    refused(
        &[("p.jsonl", b"\n")],
        &["extract", "--features", "Brand", "p.jsonl"],
        "error: p.jsonl: the file is empty\n",
    );
}

#[test]
fn a_workbook_without_texts() {
    let shop = include_bytes!("../../../products/tests/golden/shop.xlsx");
    refused(
        &[("shop.xlsx", shop)],
        &["extract", "--features", "Brand", "shop.xlsx"],
        "error: shop.xlsx: no column named \"text\"\n\
         hint: its columns are \"title\", \"description\", \"price\", \"for two\", \"since\", \"in stock\"; \
         name the one with the product text: --text-column NAME\n",
    );
    let cut = &shop[..shop.len() / 2];
    let said = hangtag(
        folder(&[("cut.xlsx", cut)]).path(),
        &["extract", "--features", "Brand", "cut.xlsx"],
    );
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("error: cut.xlsx: the workbook cannot be read: "), "{}", said.err);
}

#[test]
fn a_workbook_in_place_of_a_list() {
    refused(
        &[("p.csv", b"PK\x03\x04\0\0")],
        &["extract", "--features", "Brand", "p.csv"],
        "error: p.csv: this is a spreadsheet or another packed file, not text: save it as CSV first\n",
    );
}

#[test]
fn an_output_that_is_the_input() {
    let files: &[(&str, &[u8])] = &[("p.csv", b"text\nred\n")];
    refused(
        files,
        &["extract", "--features", "Brand", "p.csv", "--output", "./p.csv"],
        "error: --output ./p.csv is the input itself\n\
         hint: name another file: what is in the input would be lost if anything failed\n",
    );
}

const WHAT_A_MODEL_IS: &str = "--model takes a GGUF file of the llama or phi family, a package folder (with manifest.json), a folder of \
                               Hugging Face transformers (with config.json), a model of the hub such as hf:microsoft/phi-2, or a known name \
                               such as smollm2-135m";

const UNKNOWN_NAME: &str = "error: no model is called \"smolm2\"; known names: smollm2-135m-products, smollm2-135m. A path to a GGUF file works as well\n";

#[track_caller]
fn refused_model(files: &[(&str, &[u8])], model: &str, message: &str) {
    refused(
        files,
        &["extract", "--features", "Brand", "--model", model, "red shoe"],
        &message.replace("{what}", WHAT_A_MODEL_IS),
    );
}

#[test]
fn a_model_that_is_not_there() {
    refused_model(
        &[],
        "models/tag.gguf",
        "error: --model models/tag.gguf: no such file or folder\nhint: {what}\n",
    );
    refused_model(&[], "smolm2", UNKNOWN_NAME);
    refused_model(
        &[],
        "hf:phi-2",
        "error: hf:phi-2: this is no name of the Hugging Face hub\n\
         hint: write hf:OWNER/NAME, with @REVISION behind it if need be, or hf:OWNER/NAME/FILE.gguf\n",
    );
}

#[test]
fn a_model_that_is_no_gguf() {
    let archive = "error: m.gguf: not a GGUF file: it is an archive or a checkpoint of PyTorch; take a GGUF of the model\nhint: {what}\n";
    refused_model(&[("m.gguf", b"PK\x03\x04 a zip file, and long enough")], "m.gguf", archive);
    refused_model(&[("m.gguf", b"")], "m.gguf", "error: m.gguf: not a GGUF file\nhint: {what}\n");
}

#[test]
fn a_model_that_is_cut_short() {
    let whole = fs::read(golden("llama.gguf")).unwrap();
    let said = |bytes: &[u8]| {
        let folder = folder(&[("m.gguf", bytes)]);
        let args = ["extract", "--features", "Brand", "--model", "m.gguf", "red shoe"];
        let said = hangtag(folder.path(), &args);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        said.err
    };
    let hint = "\nhint: the file is damaged or not whole: get it again\n";
    let tensors = said(&whole[..whole.len() / 2]);
    assert!(tensors.starts_with("error: tensor blk.0."), "{tensors}");
    assert!(tensors.ends_with(&format!("m.gguf is cut short{hint}")), "{tensors}");
    let header = said(&whole[..1000]);
    assert!(header.starts_with("error: m.gguf: damaged GGUF header: "), "{header}");
    assert!(header.ends_with(hint), "{header}");

    refused_model(
        &[("m-00001-of-00002.gguf", &whole)],
        "m-00001-of-00002.gguf",
        "error: m-00002-of-00002.gguf: No such file or directory (os error 2)\n\
         hint: see that it can be read; all parts of a split model must lie in one folder\n",
    );
}

#[test]
fn a_family_that_is_not_supported() {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "gpt2");
    let mut file = Vec::new();
    let writer = GgufWriter::new(metadata).unwrap();
    writer.write(&mut file, &mut |_| Ok(Vec::new())).unwrap();
    refused_model(
        &[("m.gguf", &file)],
        "m.gguf",
        "error: m.gguf: model family \"gpt2\" is not supported; use a GGUF of the llama or phi2 family\n\
         hint: {what}\n",
    );
}

#[test]
fn a_package_that_is_none_or_another() {
    refused_model(
        &[],
        ".",
        "error: .: no model package, manifest.json: No such file or directory (os error 2)\nhint: {what}\n",
    );
    refused_model(
        &[("manifest.json", b"{}")],
        ".",
        "error: .: manifest.json: missing field `name` at line 1 column 2\nhint: get the package again\n",
    );
    let manifest = |task_version: u32, size: u64| {
        format!(
            r#"{{"name": "a", "base": "b", "licence": "MIT", "task_version": {task_version},
                "files": [{{"name": "m.gguf", "size": {size}, "sha256": "{}"}}]}}"#,
            "0".repeat(64)
        )
    };
    refused_model(
        &[("manifest.json", manifest(99, 3).as_bytes()), ("m.gguf", b"abc")],
        ".",
        "error: .: the model was made for version 99 of the questions, and this hangtag asks versions 1 to 2\n\
         hint: get a hangtag and a model of the same age\n",
    );
    refused_model(
        &[("manifest.json", manifest(1, 5).as_bytes()), ("m.gguf", b"abc")],
        ".",
        "error: ./m.gguf: 3 bytes, the package's manifest says 5\nhint: get the package again\n",
    );
}

#[test]
fn numbers_out_of_range() {
    for arguments in [
        ["extract", "--features=A", "--context=0", "red"].as_slice(),
        &["extract", "--features=A", "--context=99999999", "red"],
        &["bench", "--features=0"],
        &["bench", "--repeat=0"],
        &["bench", "--text-tokens=1"],
    ] {
        let said = hangtag(folder(&[]).path(), arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}");
        assert!(said.err.contains(" is not in "), "{}", said.err);
    }
}

#[test]
fn names_to_fetch_that_are_unknown() {
    refused(&[], &["fetch", "smolm2"], UNKNOWN_NAME);
}
