//! Models of the Hugging Face hub, from a hub of our own on this machine. None of it needs a GPU.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use hangtag_weights::hash::sha256_hex;
use tempfile::{TempDir, tempdir};

use crate::run::{Said, command};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub does wrong.
#[derive(Default)]
struct Faults {
    /// Only these tokens are let in.
    token: Option<&'static str>,
    /// The file whose first answer ends in the middle.
    cut: Option<&'static str>,
    /// The file of which another byte is sent than its hash says.
    spoiled: Option<&'static str>,
}

/// A hub with one repository, `shop/model`, that answers as huggingface.co does.
struct Hub {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn start(folder: &Path, faults: Faults) -> Self {
        let files: HashMap<String, Vec<u8>> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        // Ends with the process of the tests.
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is no concern of the hub's.
                let _ = answer(stream.unwrap(), &files, &faults, &log);
            }
        });
        Self { address, requests }
    }

    fn requests_of(&self, file: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|path| path.ends_with(file)).count()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &HashMap<String, Vec<u8>>,
    faults: &Faults,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().unwrap()?.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    log.lock().unwrap().push(path.clone());
    let token = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if faults.token.is_some() && token != faults.token {
        return write!(
            stream,
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if path == "/api/models/shop/model/revision/main" {
        let names: Vec<String> =
            files.keys().map(|name| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        let body = format!("{{\"siblings\":[{}],\"sha\":\"{COMMIT}\"}}", names.join(","));
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    let name = path.strip_prefix("/shop/model/resolve/main/").unwrap_or_default();
    let Some(bytes) = files.get(name) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    };
    let range = headers["range"].trim_start_matches("bytes=").split_once('-').unwrap();
    let start: usize = range.0.parse().unwrap();
    let end = range.1.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\netag: \"{}\"\r\nx-repo-commit: {COMMIT}\r\n\
         content-range: bytes {start}-{}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        sha256_hex(bytes),
        end - 1,
        bytes.len(),
        end - start
    )?;
    let mut body = bytes[start..end].to_vec();
    let is = |fault: Option<&str>| fault == Some(name) && body.len() > 1;
    if is(faults.cut) && start == 0 {
        body.truncate(body.len() / 2);
    } else if is(faults.spoiled) {
        let last = body.len() - 1;
        body[last] ^= 1;
    }
    stream.write_all(&body)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/hf").join(name)
}

/// `hangtag export` of `base`, with the hub's cache in `at`.
fn export(at: &TempDir, address: &str, base: &str, more: &[(&str, &str)]) -> Said {
    let mut command = command(at.path());
    command.env("HF_HOME", at.path().join("hf")).env("HF_ENDPOINT", address);
    command.env_remove("HF_TOKEN").envs(more.iter().copied());
    command.args([
        "export", "--base", base, "--format", "f32", "--out", "out", "--name", "m", "--json",
    ]);
    crate::run::said(command.output())
}

/// What a run without any hub says.
fn offline(at: &TempDir, base: &str) -> Said {
    fs::remove_dir_all(at.path().join("out")).ok();
    export(at, "http://127.0.0.1:1", base, &[("HF_HUB_OFFLINE", "1")])
}

#[test]
fn a_model_comes_in_shards_and_then_from_the_cache() {
    let (at, local) = (tempdir().unwrap(), tempdir().unwrap());
    let cut = Some("model-00002-of-00003.safetensors");
    let hub = Hub::start(&folder("phi"), Faults { cut, ..Faults::default() });
    let said = export(&at, &hub.address, "hf:shop/model", &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    // The middle one was taken up again where it broke: asked for once for its size, twice for its bytes.
    assert_eq!(hub.requests_of("model-00002-of-00003.safetensors"), 3);
    assert_eq!(hub.requests_of("model-00001-of-00003.safetensors"), 2);
    let expected = export(&local, &hub.address, folder("phi").to_str().unwrap(), &[]);
    assert_eq!(said.out, expected.out, "the report of the same model");
    let gguf = |at: &TempDir| fs::read(at.path().join("out/m.gguf")).unwrap();
    // Only the model's name differs, which is that of its folder.
    assert!(gguf(&at).len().abs_diff(gguf(&local).len()) < 64);
    let again = offline(&at, "hf:shop/model");
    assert_eq!((again.code, again.out), (0, said.out), "{}", again.err);
}

#[test]
fn terms_must_be_accepted() {
    let at = tempdir().unwrap();
    let hub =
        Hub::start(&folder("smollm2"), Faults { token: Some("hf_secret"), ..Faults::default() });
    let said = export(&at, &hub.address, "hf:shop/model", &[]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("hf:shop/model: config.json: the hub refuses access"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("https://huggingface.co/shop/model") && said.err.contains("HF_TOKEN")
    );
    let said = export(&at, &hub.address, "hf:shop/model", &[("HF_TOKEN", "hf_secret")]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn a_spoiled_file_is_deleted_and_got_again_alone() {
    let at = tempdir().unwrap();
    let spoiled = "model-00003-of-00003.safetensors";
    let hub =
        Hub::start(&folder("llama-2"), Faults { spoiled: Some(spoiled), ..Faults::default() });
    let said = export(&at, &hub.address, "hf:shop/model", &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains(&format!("{spoiled} has SHA-256")), "{}", said.err);
    assert!(!at.path().join("out").exists());
    let whole = Hub::start(&folder("llama-2"), Faults::default());
    let said = export(&at, &whole.address, "hf:shop/model", &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(whole.requests_of("model-00001-of-00003.safetensors"), 0);
    assert!(whole.requests_of(spoiled) > 0);
}

#[test]
fn what_cannot_be_used_is_told_before_the_weights_come() {
    let weights = "model.safetensors";
    let check = |change: &dyn Fn(&Path), code: i32, named: &str| {
        let (at, copy) = (tempdir().unwrap(), tempdir().unwrap());
        for entry in fs::read_dir(folder("smollm2")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        change(copy.path());
        let hub = Hub::start(copy.path(), Faults::default());
        let said = export(&at, &hub.address, "hf:shop/model", &[]);
        assert_eq!(said.code, code, "{}", said.err);
        assert!(said.err.contains(named), "\"{}\" does not say {named}", said.err);
        assert_eq!(hub.requests_of(weights), 0, "{named}");
    };
    let edit = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let file = folder.join("config.json");
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains(from));
            fs::write(file, text.replace(from, to)).unwrap();
        }
    };
    check(&edit("\"default\"", "\"llama3\""), 2, "rope_parameters.rope_type");
    check(&edit("\"llama\"", "\"gemma\""), 2, "model_type \"gemma\" is not supported");
    check(
        &|folder| fs::remove_file(folder.join("tokenizer.json")).unwrap(),
        2,
        "no such repository, revision or file",
    );
    check(
        &|folder| fs::remove_file(folder.join(weights)).unwrap(),
        2,
        "it has neither model.safetensors nor",
    );
    let index = "{\"weight_map\": {\"model.norm.weight\": \"model-00009-of-00009.safetensors\"}}";
    check(
        &|folder| {
            fs::remove_file(folder.join(weights)).unwrap();
            fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
        },
        2,
        "names model-00009-of-00009.safetensors, which the repository does not have",
    );
}

#[test]
fn no_network_and_no_cache_is_said() {
    let at = tempdir().unwrap();
    let said = offline(&at, "hf:shop/model");
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("config.json is not in the cache, and HF_HUB_OFFLINE"),
        "{}",
        said.err
    );
    let said = export(&at, "http://127.0.0.1:1", "hf:shop/model", &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("is there a network?"), "{}", said.err);
    let said = export(&at, "http://127.0.0.1:1", "hf:model", &[]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("no name of the Hugging Face hub"), "{}", said.err);
}
