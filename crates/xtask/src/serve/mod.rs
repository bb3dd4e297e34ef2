//! A small web server for a folder of built files, on this machine only.
//!
//! It sends the headers that the page's promises rest on. A worker does not inherit the policy of its page's
//! `<meta>` tag but obeys the headers of its own script, so the policy goes out with every file.

mod files;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tiny_http::{Header, Method, Request, Response, StatusCode};

use files::{Part, Site};

/// Why a folder could not be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// There is nothing to serve.
    #[error("{} is not a folder that can be read", .0.display())]
    NoFolder(PathBuf),
    /// Another program listens there.
    #[error(
        "port {0} is taken by another program: stop that program, or choose another port with --port"
    )]
    PortTaken(u16),
    /// The system refused the port for another reason.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// A running server. It stops when it is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the files of `folder` on 127.0.0.1. Port 0 takes any free port; see [`Server::address`].
    pub fn start(folder: &Path, port: u16) -> Result<Self, ServeError> {
        let site = Site::open(folder).ok_or_else(|| ServeError::NoFolder(folder.to_path_buf()))?;
        let refused = |source: io::Error| match source.kind() {
            ErrorKind::AddrInUse => ServeError::PortTaken(port),
            _ => ServeError::Listen { port, source },
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let http = tiny_http::Server::from_listener(listener, None)
            .map_err(|error| refused(io::Error::other(error.to_string())))?;
        let http = Arc::new(http);
        let acceptor = thread::spawn({
            let http = Arc::clone(&http);
            move || accept(&http, &Arc::new(site))
        });
        Ok(Self { http, address, acceptor: Some(acceptor) })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to open in a browser, with a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the program is ended.
    pub fn wait(mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            // It only fails if the accepting thread panicked, which has then been printed.
            let _ = acceptor.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            self.http.unblock();
            let _ = acceptor.join();
        }
    }
}

/// One thread for each request, so that a long download holds up nobody.
fn accept(http: &tiny_http::Server, site: &Arc<Site>) {
    for request in http.incoming_requests() {
        let site = Arc::clone(site);
        thread::spawn(move || {
            let reply = reply(&site, &request);
            // The browser may have gone away; there is nobody left to tell.
            let _ = request.respond(reply);
        });
    }
}

type Reply = Response<Box<dyn Read + Send>>;

fn reply(site: &Site, request: &Request) -> Reply {
    let mut reply = match request.method() {
        Method::Get | Method::Head => match site.find(request.url()) {
            Some(path) => send(&path, request).unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => message(404),
                _ => message(500),
            }),
            None => message(404),
        },
        _ => message(405).with_header(header("Allow", "GET, HEAD")),
    };
    for (name, value) in site.security_headers() {
        reply.add_header(header(name, &value));
    }
    reply
}

/// The file, or the part of it that was asked for, or nothing if the browser has it already.
fn send(path: &Path, request: &Request) -> io::Result<Reply> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    let tag = files::entity_tag(&meta);
    let common = [
        header("Content-Type", files::content_type(path)),
        header("Cache-Control", files::cache_control(path)),
        header("ETag", &tag),
        header("Accept-Ranges", "bytes"),
    ];
    let asked = |name: &'static str| {
        let field = request.headers().iter().find(|header| header.field.equiv(name));
        field.map(|header| header.value.as_str())
    };
    if asked("If-None-Match").is_some_and(|tags| files::names_tag(tags, &tag)) {
        return Ok(with_headers(empty(304), common));
    }
    // A part of a file that has changed since would not fit what the browser has.
    let unchanged = asked("If-Range").is_none_or(|value| value == tag);
    let range = asked("Range").filter(|_| unchanged);
    let (status, start, length) = match files::part(range, meta.len()) {
        Part::Whole => (200, 0, meta.len()),
        Part::Bytes(start, end) => (206, start, end - start),
        Part::Outside => {
            let size = header("Content-Range", &format!("bytes */{}", meta.len()));
            return Ok(with_headers(message(416), [size]));
        }
    };
    file.seek(SeekFrom::Start(start))?;
    let body: Box<dyn Read + Send> = Box::new(file.take(length));
    let length_usize = usize::try_from(length).map_err(io::Error::other)?;
    let mut reply = Response::new(StatusCode(status), Vec::new(), body, Some(length_usize), None)
        // Never chunked: the page shows how much of the model is still to come.
        .with_chunked_threshold(usize::MAX);
    if status == 206 {
        let last = start + length - 1;
        reply.add_header(header("Content-Range", &format!("bytes {start}-{last}/{}", meta.len())));
    }
    Ok(with_headers(reply, common))
}

fn with_headers<const N: usize>(reply: Reply, headers: [Header; N]) -> Reply {
    headers.into_iter().fold(reply, Response::with_header)
}

fn message(status: u16) -> Reply {
    let text = format!("{status} {}\n", StatusCode(status).default_reason_phrase());
    let length = text.len();
    let body: Box<dyn Read + Send> = Box::new(io::Cursor::new(text));
    let headers = vec![
        header("Content-Type", "text/plain; charset=utf-8"),
        header("Cache-Control", "no-store"),
    ];
    Response::new(StatusCode(status), headers, body, Some(length), None)
}

fn empty(status: u16) -> Reply {
    let body: Box<dyn Read + Send> = Box::new(io::empty());
    Response::new(StatusCode(status), Vec::new(), body, Some(0), None)
}

/// `value` as a header. What cannot be sent as one, which only a policy with letters beyond ASCII could be, is
/// replaced by the policy that forbids everything: its page breaks instead of losing its protection.
fn header(name: &'static str, value: &str) -> Header {
    Header::from_bytes(name, value).unwrap_or_else(|()| {
        Header::from_bytes("Content-Security-Policy", "default-src 'none'").expect("plain ASCII")
    })
}
