//! `hangtag evaluate` without a GPU: baselines, predictions of others, and a server that is played here.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use hangtag_weights::{BetaMap, ConfidenceMap};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::extraction::has_gpu;
use crate::run::{Said, assert_fails, golden, hangtag};

const TRAIN: &str = r#"{"id":"t1","category":"Shoes","text":"Red shoe","features":{"Color":"Red","Size":null}}
{"id":"t2","category":"Shoes","text":"Blue shoe","features":{"Color":"Blue","Size":null}}
"#;

const TEST: &str = r#"{"id":"1","category":"Shoes","text":"A Red boot","features":{"Color":"Red","Size":null}}
{"id":"2","category":"Shoes","text":"A Green boot","features":{"Color":"Green","Size":null}}
"#;

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    for (name, text) in [("train.jsonl", TRAIN), ("test.jsonl", TEST)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn evaluate(folder: &TempDir, args: &[&str]) -> Said {
    hangtag(folder.path(), &[&["evaluate", "--data", "test.jsonl"], args].concat())
}

fn object(said: &Said) -> Value {
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn baselines_are_measured_and_reported() {
    let folder = folder();
    for baseline in ["lookup", "ner"] {
        let args =
            ["--baseline", baseline, "--train", "train.jsonl", "--json", "--report", "r.html"];
        let object = object(&evaluate(&folder, &args));
        assert_eq!(
            (object["answerer"].as_str(), object["answered"].as_u64()),
            (Some(baseline), Some(2))
        );
        assert_eq!(object["strict"]["nn"], 2);
        assert!(object["calibration"].is_null());
    }
    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>ner</h1>"));
    let said = evaluate(&folder, &["--baseline", "lookup", "--train", "train.jsonl"]);
    assert!(
        said.out.contains("strict         4  66.7%     100.0%   50.0%     75.0%"),
        "{}",
        said.out
    );
}

#[test]
fn our_own_engine_is_measured_with_its_confidence() {
    if !has_gpu() {
        return;
    }
    let model = golden("llama.gguf");
    let object = object(&evaluate(&folder(), &["--model", &model.to_string_lossy(), "--json"]));
    assert_eq!(
        (object["answerer"].as_str(), object["answered"].as_u64()),
        (Some("llama.gguf"), Some(2))
    );
    assert_eq!(object["calibration"]["answers"], 4);
    assert!(object["seconds_per_product"].as_f64().unwrap() > 0.0);
}

#[test]
fn rows_to_learn_from_must_all_be_good() {
    let folder = folder();
    fs::write(folder.path().join("train.jsonl"), format!("{TRAIN}{{\n")).unwrap();
    let said = evaluate(&folder, &["--baseline", "lookup", "--train", "train.jsonl"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(
        said.err.contains("error: train.jsonl: 1 of 3 rows could not be read\nhint: correct"),
        "{}",
        said.err
    );
}

#[test]
fn answers_of_others_are_measured() {
    let folder = folder();
    let answers = "{\"id\":\"1\",\"answers\":{\"Color\":\"Red\"},\"confidence\":{\"Color\":0.9}}\n";
    fs::write(folder.path().join("p.jsonl"), answers).unwrap();
    let said = evaluate(&folder, &["--predictions-in", "p.jsonl", "--json"]);
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("error: 1 of 2 products have no answers\nhint: "), "{}", said.err);
    let all =
        object(&evaluate(&folder, &["--predictions-in", "p.jsonl", "--json", "--limit", "1"]));
    assert_eq!(
        (all["strict"]["f1"].as_f64(), all["calibration"]["answers"].as_u64()),
        (Some(1.0), Some(1))
    );
    fs::write(folder.path().join("p.jsonl"), format!("{answers}{{\n")).unwrap();
    let said = evaluate(&folder, &["--predictions-in", "p.jsonl"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.starts_with("error: p.jsonl, line 2: column "), "{}", said.err);
}

#[test]
fn the_test_is_not_for_training() {
    let said = evaluate(&folder(), &["--baseline", "ner", "--train", "./test.jsonl"]);
    assert_fails(
        &said,
        2,
        "error: --train ./test.jsonl is the dataset to measure with\n\
         hint: split it first: hangtag dataset split\n",
    );
    let said = evaluate(&folder(), &["--baseline", "ner"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--train"), "{}", said.err);
}

/// Plays an inference server: answers with what follows "A " in the text, and refuses texts with "Green" while `broken`.
fn serve(broken: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap(), broken));
        }
    });
    format!("http://{address}")
}

/// Answers the requests of one connection until it ends.
fn converse(stream: TcpStream, broken: bool) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|&read| read > 0)?;
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            match header.trim().to_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (status, answer) = answer(&request, &body, broken);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        (&stream).write_all((head + &text).as_bytes()).ok()?;
    }
}

fn answer(request: &str, body: &[u8], broken: bool) -> (&'static str, Value) {
    if request.starts_with("GET /v1/models ") {
        return ("200 OK", json!({"data": [{"id": "played"}]}));
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    assert!(["played", "once"].contains(&asked["model"].as_str().unwrap()), "{asked}");
    assert_eq!(asked["stop"][0], "\n");
    let prompt = asked["prompt"].as_str().unwrap();
    if broken && prompt.contains("Green") {
        return ("400 Bad Request", json!({"message": "no green"}));
    }
    // The model's name says how often it wants to read the text.
    let readings = if asked["model"] == "once" { 1 } else { 2 };
    assert_eq!(prompt.matches("### Product\nA ").count(), readings, "{prompt}");
    let word = prompt.strip_prefix("### Product\nA ").unwrap().split(' ').next().unwrap();
    let text = if prompt.ends_with("\n### Color\n") { word } else { "none" };
    let logprobs = json!({"token_logprobs": [-0.5, 0.0]});
    ("200 OK", json!({"choices": [{"text": text, "finish_reason": "stop", "logprobs": logprobs}]}))
}

#[test]
fn a_server_is_asked_and_a_run_goes_on_where_it_stopped() {
    let folder = folder();
    let url = serve(true);
    let args = ["--engine", &url, "--predictions", "p.jsonl", "--json"];
    let said = evaluate(&folder, &args);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error: product \"2\": feature \"Color\": the server answered 400 Bad Request: {\"message\":\"no green\"}\n\
         error: 1 of 2 products have no answers\n\
         hint: the figures are of the others; with --predictions and --resume only those are asked again\n"
    );
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (report["answered"].as_u64(), report["failures"].as_object().unwrap().len()),
        (Some(1), 1)
    );

    // Without --resume nothing of the first run is lost, and another server's answers are not mixed in.
    let said = evaluate(&folder, &args);
    assert!(said.err.starts_with("error: --predictions p.jsonl exists\n"), "{}", said.err);
    let other = serve(false);
    let said = evaluate(&folder, &["--engine", &other, "--predictions", "p.jsonl", "--resume"]);
    assert!(said.err.contains("holds answers of"), "{}", said.err);
    assert_eq!(said.code, 2);

    let answers = fs::read_to_string(folder.path().join("p.jsonl")).unwrap();
    fs::write(folder.path().join("p.jsonl"), answers.replace(&url, &other)).unwrap();
    let said =
        evaluate(&folder, &["--engine", &other, "--predictions", "p.jsonl", "--resume", "--json"]);
    let report = object(&said);
    assert_eq!(
        (report["answered"].as_u64(), report["strict"]["f1"].as_f64()),
        (Some(2), Some(1.0))
    );
    assert_eq!(report["calibration"]["answers"], 4);
    assert_eq!(fs::read_to_string(folder.path().join("p.jsonl")).unwrap().lines().count(), 2);
}

#[test]
fn a_server_is_asked_in_the_version_that_is_named_and_versions_are_not_mixed() {
    let folder = folder();
    let url = serve(false);
    let once = ["--engine", &url, "--engine-model", "once", "--task-version"];
    let kept = ["--json", "--predictions", "p.jsonl"];
    let report = object(&evaluate(&folder, &[&once[..], &["1"], &kept].concat()));
    assert_eq!(report["answered"].as_u64(), Some(2));
    let said = evaluate(&folder, &[&once[..], &["2"], &kept, &["--resume"]].concat());
    assert!(said.err.contains("holds answers of"), "{}", said.err);
    let said = evaluate(&folder, &["--baseline", "lookup", "--task-version", "1"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--engine"), "{}", said.err);
}

#[test]
fn a_server_that_is_not_there() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = evaluate(&folder(), &["--engine", &format!("http://{address}")]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("\nhint: see that the server runs"), "{}", said.err);
}

/// What a model on `device` answered: by product and feature the value and the confidence.
fn answers_on(device: &str, model: &str, more: &[&str]) -> Vec<(String, Option<String>, f64)> {
    let folder = folder();
    let args = ["--device", device, "--model", model, "--quiet", "--predictions", "p.jsonl"];
    let said = evaluate(&folder, &[&args, more].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let lines = fs::read_to_string(folder.path().join("p.jsonl")).unwrap();
    let mut all = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for (name, value) in line["answers"].as_object().unwrap() {
            let place = format!("{} {name}", line["id"]);
            let confidence = line["confidence"][name].as_f64().unwrap();
            all.push((place, value.as_str().map(str::to_owned), confidence));
        }
    }
    assert_eq!(all.len(), 4);
    all
}

#[test]
fn the_processor_answers_as_the_engine_does() {
    let models = ["llama.gguf", "phi.gguf"].map(|name| golden(name).to_string_lossy().into_owned());
    for more in [&[][..], &["--free-answers"]] {
        let on_cpu = models.each_ref().map(|model| answers_on("cpu", model, more));
        assert_ne!(on_cpu[0], on_cpu[1], "random models that agree would prove nothing");
        if !has_gpu() {
            return;
        }
        for (model, on_cpu) in models.iter().zip(&on_cpu) {
            for (cpu, gpu) in on_cpu.iter().zip(answers_on("gpu", model, more)) {
                assert_eq!((&cpu.0, &cpu.1), (&gpu.0, &gpu.1));
                // The engine may keep numbers in 16 bits; what random models are made to say has a confidence of nearly 0.
                assert!((cpu.2 - gpu.2).abs() <= 0.02 * gpu.2, "{cpu:?} and {gpu:?}");
            }
        }
    }
}

#[test]
fn confidence_that_was_fitted_goes_with_the_model() {
    let folder = folder();
    let said = |args: &[&str]| hangtag(folder.path(), args);
    let tags = folder.path().join("tags");
    fs::create_dir(&tags).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(golden(&format!("llama-adapter/{name}")), tags.join(name)).unwrap();
    }
    let base = golden("llama.gguf").to_string_lossy().into_owned();
    let export = |out: &str| {
        let args = ["export", "--base", &base, "--adapter", "tags", "--format", "f16", "--out"];
        let said = said(&[&args[..], &[out, "--quiet"]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        folder.path().join(out).to_string_lossy().into_owned()
    };
    let bare = export("bare");
    let on_cpu = ["--device", "cpu", "--quiet"];
    let fit = |model: &str| {
        let args = ["--model", model, "--fit-confidence", "tags/confidence.json"];
        let fitted = evaluate(&folder, &[&on_cpu[..], &args].concat());
        assert_eq!(fitted.code, 0, "{}", fitted.err);
        assert!(fitted.err.contains("json: fitted to 4 answers; their expected"), "{}", fitted.err);
        ConfidenceMap::of_adapter(&tags).unwrap().unwrap()
    };
    let fitted = fit(&bare);
    // Random models give their answers next to no probability, and four answers change little of that: a map of our own
    // shows more.
    let beta = BetaMap { a: 0.05, b: 1.0, c: 0.5 };
    let map = ConfidenceMap { value: beta, none: beta };
    fs::write(tags.join("confidence.json"), map.to_json().unwrap()).unwrap();
    let sure = export("sure");
    for (bare, sure) in answers_on("cpu", &bare, &[]).iter().zip(answers_on("cpu", &sure, &[])) {
        assert_eq!((&bare.0, &bare.1), (&sure.0, &sure.1));
        let expected = f64::from(map.apply(bare.2 as f32, bare.1.is_some()));
        assert!((sure.2 - expected).abs() < 1e-4, "{} for {expected}", sure.2);
        assert!((sure.2 - bare.2).abs() > 1e-3, "a map that changes nothing would prove nothing");
    }
    // What a model says of itself without its map is what a map is fitted to.
    assert_eq!(fit(&sure), fitted);

    fs::write(tags.join("confidence.json"), "{}").unwrap();
    let broken =
        said(&["export", "--base", &base, "--adapter", "tags", "--format", "f16", "--out", "b"]);
    assert_eq!(broken.code, 2);
    assert!(
        broken.err.starts_with("error: --adapter tags: confidence.json: missing field"),
        "{}",
        broken.err
    );
}

#[test]
fn confidence_is_not_fitted_to_answers_without_one() {
    let folder = folder();
    let args = ["--baseline", "lookup", "--train", "train.jsonl", "--fit-confidence", "c.json"];
    let said = evaluate(&folder, &args);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.starts_with("error: --fit-confidence: no answer has a"), "{}", said.err);
    assert!(!folder.path().join("c.json").exists());
}

#[test]
fn models_that_the_processor_would_compute_otherwise_are_refused() {
    let model = golden("mistral.gguf");
    let said = evaluate(&folder(), &["--device", "cpu", "--model", &model.to_string_lossy()]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("head_dim must be hidden_size"), "{}", said.err);
    let said = evaluate(&folder(), &["--device", "cpu", "--engine", "http://127.0.0.1:1"]);
    assert!(said.code == 2 && said.err.contains("cannot be used with"), "{}", said.err);
}
