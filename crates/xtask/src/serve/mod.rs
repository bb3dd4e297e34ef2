//! A web server for a folder of built files, on this machine only.
//!
//! It sends the headers that the page's promises rest on. A worker with an address of its own does not inherit the
//! policy of its page's `<meta>` tag but obeys the headers of its own script, so the policy goes out with every file.

pub mod policy;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tower_http::services::ServeDir;
use tower_http::services::fs::ServeFileSystemResponseBody;

/// Bytes read from a file at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// What every answer carries besides the policy.
const FIXED_HEADERS: [(HeaderName, &str); 5] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

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
    /// The system refused for another reason.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// A running server. It stops, and its port is free again, when it is dropped.
pub struct Server {
    address: SocketAddr,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the files of `folder` on 127.0.0.1. Port 0 takes any free port; see [`Server::address`].
    ///
    /// # Errors
    /// [`ServeError`] when there is no such folder, or the port cannot be had.
    pub fn start(folder: &Path, port: u16) -> Result<Self, ServeError> {
        let root = folder.canonicalize().ok().filter(|root| root.is_dir());
        let root = root.ok_or_else(|| ServeError::NoFolder(folder.to_path_buf()))?;
        let (listener, address, runtime) = listen(port).map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => ServeError::PortTaken(port),
            _ => ServeError::Listen { port, source },
        })?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || runtime.block_on(serve(listener, root, stopped)));
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
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
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // It only fails if the thread panicked, which has then been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.join();
    }
}

fn listen(port: u16) -> io::Result<(tokio::net::TcpListener, SocketAddr, Runtime)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok((listener, address, runtime))
}

async fn serve(
    listener: tokio::net::TcpListener,
    root: PathBuf,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, most likely: others will be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let root = root.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| reply(&root, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // The browser may go away at any time; there is nobody left to tell.
            let _ = connection.await;
        });
    }
}

type Reply = Response<Either<ServeFileSystemResponseBody, Full<Bytes>>>;

async fn reply(root: &Path, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
    let mut reply = match is_hidden(&path) {
        true => message(StatusCode::NOT_FOUND),
        false => file(root, &path, request).await,
    };
    let page = tokio::fs::read_to_string(root.join("index.html")).await.unwrap_or_default();
    reply.headers_mut().extend(page_headers(&page));
    Ok(reply)
}

/// What every answer of a site carries whose `index.html` is `page`: its policy, and what keeps it to itself.
pub fn page_headers(page: &str) -> Vec<(HeaderName, HeaderValue)> {
    let fixed = FIXED_HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    iter::once((header::CONTENT_SECURITY_POLICY, policy::header(page))).chain(fixed).collect()
}

/// Whether a part of the path is no file of the site: `..`, and names that start with a dot.
fn is_hidden(path: &str) -> bool {
    path.split(['/', '\\']).any(|name| name.starts_with('.'))
}

async fn file(root: &Path, path: &str, request: Request<Incoming>) -> Reply {
    let found = ServeDir::new(root).with_buf_chunk_size(CHUNK_BYTES).try_call(request).await;
    let Ok(mut reply) = found else {
        return message(StatusCode::INTERNAL_SERVER_ERROR);
    };
    match reply.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => {
            reply
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control(path)));
            reply.map(Either::Left)
        }
        status => {
            let (kept, _) = reply.into_parts();
            let mut reply = message(status);
            let names = [header::ALLOW, header::CONTENT_RANGE, header::LOCATION];
            let kept = names
                .into_iter()
                .filter_map(|name| Some((name.clone(), kept.headers.get(name)?.clone())));
            reply.headers_mut().extend(kept);
            reply
        }
    }
}

fn message(status: StatusCode) -> Reply {
    let mut reply = Response::new(Either::Right(Full::from(format!("{status}\n"))));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Files that Trunk has named by their hash never change; all others are asked for again each time.
fn cache_control(path: &str) -> &'static str {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let hash =
        stem.strip_suffix("_bg").unwrap_or(stem).rsplit_once('-').map_or("", |(_, hash)| hash);
    // 16 hexadecimal digits, less the zeros that Trunk does not write at their front.
    match (12..=16).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    }
}
