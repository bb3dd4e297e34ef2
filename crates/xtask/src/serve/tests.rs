//! The server over real sockets: the client is written out, so that it can ask what a browser never would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::{fs, iter};

use tempfile::TempDir;

use super::policy::{header, of_page};
use super::{ServeError, Server, cache_control};

const PAGE: &str = r#"<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'self'"><p>Hi"#;

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn ask(server: &Server, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

fn get(server: &Server, path: &str) -> Answer {
    ask(server, "GET", path, "")
}

/// `outer/secret.txt` lies beside the served folder `outer/site`.
fn site() -> (TempDir, Server) {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("site");
    fs::create_dir_all(root.join("models/tiny")).unwrap();
    fs::write(outer.path().join("secret.txt"), "secret").unwrap();
    fs::write(root.join("index.html"), PAGE).unwrap();
    fs::write(root.join("app-0123456789abcdef_bg.wasm"), b"\0asm").unwrap();
    fs::write(root.join(".stamp"), "hidden").unwrap();
    fs::write(
        root.join("models/tiny/a b.gguf"),
        iter::repeat_n(0..=255u8, 400).flatten().collect::<Vec<_>>(),
    )
    .unwrap();
    let server = Server::start(&root, 0).unwrap();
    (outer, server)
}

#[test]
fn sends_the_page_with_its_policy_and_isolation_headers() {
    let (_outer, server) = site();
    for path in ["/", "/index.html", "/index.html?x=1#y"] {
        let page = get(&server, path);
        assert_eq!((page.status, page.body.as_slice()), (200, PAGE.as_bytes()), "{path}");
        assert_eq!(page.header("content-type"), Some("text/html"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
    }
    // Workers obey the headers of their own script, so every kind of answer needs them.
    for path in ["/", "/app-0123456789abcdef_bg.wasm", "/none"] {
        let answer = get(&server, path);
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; connect-src 'self'; frame-ancestors 'none'")
        );
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("cross-origin-embedder-policy"), Some("require-corp"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn hashed_assets_are_kept_by_the_browser() {
    let (_outer, server) = site();
    let wasm = get(&server, "/app-0123456789abcdef_bg.wasm");
    assert_eq!(wasm.header("content-type"), Some("application/wasm"));
    assert_eq!(wasm.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[test]
fn large_files_come_whole_with_their_length() {
    let (_outer, server) = site();
    let model = get(&server, "/models/tiny/a%20b.gguf");
    assert_eq!((model.status, model.body.len()), (200, 102_400));
    assert_eq!(model.header("content-length"), Some("102400"));
    assert_eq!(model.header("transfer-encoding"), None);
    let head = ask(&server, "HEAD", "/models/tiny/a%20b.gguf", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("102400"));
}

#[test]
fn sends_parts() {
    let (_outer, server) = site();
    let path = "/models/tiny/a%20b.gguf";
    let middle = ask(&server, "GET", path, "Range: bytes=254-257\r\n");
    assert_eq!((middle.status, middle.body.as_slice()), (206, [254, 255, 0, 1].as_slice()));
    assert_eq!(middle.header("content-range"), Some("bytes 254-257/102400"));
    assert_eq!(middle.header("content-length"), Some("4"));
    let end = ask(&server, "GET", path, "Range: bytes=-2\r\n");
    assert_eq!((end.status, end.body.as_slice()), (206, [254, 255].as_slice()));
    let outside = ask(&server, "GET", path, "Range: bytes=102400-\r\n");
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */102400")));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let (_outer, server) = site();
    let date = get(&server, "/").header("last-modified").unwrap().to_owned();
    let same = ask(&server, "GET", "/", &format!("If-Modified-Since: {date}\r\n"));
    assert_eq!((same.status, same.body.len()), (304, 0));
    let older = "If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
    assert_eq!(ask(&server, "GET", "/", older).status, 200);
}

#[test]
fn nothing_outside_the_folder_is_sent() {
    let (_outer, server) = site();
    let paths = [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/models/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/%00",
        "/%ff",
        "/.stamp",
        "/%2e%2e%5csecret.txt",
        "/models/",
        "/missing.js",
    ];
    for path in paths {
        let answer = get(&server, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.ends_with(b"secret"), "{path}");
    }
}

#[test]
fn only_reading_is_allowed() {
    let (_outer, server) = site();
    let answer = ask(&server, "POST", "/", "Content-Length: 0\r\n");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
}

#[test]
fn an_unread_download_holds_up_nobody() {
    let (outer, server) = site();
    fs::write(outer.path().join("site/big.bin"), vec![7; 32 << 20]).unwrap();
    let stuck: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            write!(stream, "GET /big.bin HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(get(&server, "/").status, 200);
    drop(stuck);
}

#[test]
fn a_taken_port_and_a_missing_folder_are_named() {
    let (outer, server) = site();
    let taken = Server::start(outer.path(), server.address().port()).err().unwrap();
    assert!(matches!(taken, ServeError::PortTaken(_)), "{taken}");
    assert!(taken.to_string().contains("--port"));
    let missing = Server::start(&outer.path().join("none"), 0).err().unwrap();
    assert!(matches!(missing, ServeError::NoFolder(_)), "{missing}");
}

#[test]
fn a_dropped_server_frees_its_port() {
    let (outer, server) = site();
    let port = server.address().port();
    drop(server);
    assert!(Server::start(outer.path(), port).is_ok());
}

#[test]
fn a_policy_is_found_only_in_its_own_tag() {
    assert_eq!(of_page(PAGE), Some("default-src 'none'; connect-src 'self'"));
    let turned = r#"<META CONTENT="script-src 'self'" HTTP-EQUIV="Content-Security-Policy" /><meta content="no">"#;
    assert_eq!(of_page(turned), Some("script-src 'self'"));
    assert_eq!(of_page(r#"<meta http-equiv="Content-Security-Policy"><meta content="no">"#), None);
    assert_eq!(of_page(r#"<meta content="no">"#), None);
}

#[test]
fn a_policy_that_no_header_can_hold_forbids_everything() {
    let page = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src *;\u{1}\">";
    assert_eq!(header(page).to_str().unwrap(), "default-src 'none'");
    assert_eq!(
        header("").to_str().unwrap(),
        "default-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'none'"
    );
}

#[test]
fn only_hashed_names_are_for_good() {
    assert_eq!(
        cache_control("/a/start-0123456789abcdef.js"),
        "public, max-age=31536000, immutable"
    );
    for path in ["/", "/service-worker.js", "/0123456789abcdef.js", "/a-0123456789abcdeg.js"] {
        assert_eq!(cache_control(path), "no-cache", "{path}");
    }
}
