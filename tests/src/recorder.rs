//! A proxy before the project's web server that remembers what a browser asked for.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of an answer that are handed on at a time.
const PIECE_BYTES: usize = 64 << 10;

/// One request, as the browser sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, HEAD, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Whether a part was asked for.
    pub has_range: bool,
    /// What the browser wants it for (`Sec-Fetch-Dest`): `script`, `style`, or `empty` for fetches, as those of the service
    /// worker are.
    pub destination: String,
    /// Bytes of the answer so far, its headers included.
    pub answered_bytes: u64,
}

/// A listener on a free port of 127.0.0.1 that hands every request on to one server.
pub struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    /// Starts to listen. Its threads end with the program.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let recorder = Self { address: listener.local_addr()?, requests: Arc::default() };
        let requests = Arc::clone(&recorder.requests);
        thread::spawn(move || {
            for browser in listener.incoming().flatten() {
                let requests = Arc::clone(&requests);
                // A browser that goes away in the middle is no failure of the test.
                thread::spawn(move || hand_on(browser, server, &requests).ok());
            }
        });
        Ok(recorder)
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }
}

fn lock(requests: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request for each connection: `Connection: close` in both directions saves parsing the answers.
fn hand_on(
    mut browser: TcpStream,
    server: SocketAddr,
    requests: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let mut piece = [0; 4096];
        let count = browser.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        received.extend_from_slice(&piece[..count]);
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let has_range = head.to_ascii_lowercase().contains("\r\nrange:");
    let destination = head.lines().find_map(|line| line.strip_prefix("Sec-Fetch-Dest: "));
    let destination = destination.unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let index = {
        let mut requests = lock(requests);
        requests.push(Request { method, target, has_range, destination, answered_bytes: 0 });
        requests.len() - 1
    };

    let is_kept = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
    let lines: Vec<&str> = head.lines().filter(is_kept).collect();
    let mut upstream = TcpStream::connect(server)?;
    write!(upstream, "{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"))?;
    upstream.write_all(&received[end + 4..])?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = upstream.read(&mut piece)?;
        if count == 0 {
            return browser.shutdown(Shutdown::Both);
        }
        browser.write_all(&piece[..count])?;
        lock(requests)[index].answered_bytes += count as u64;
    }
}
