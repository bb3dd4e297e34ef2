//! Downloads that go on where they stopped.

use crate::protocol::{Failure, FailureKind};
use gloo_timers::future::TimeoutFuture;
use hangtag_weights::source::check_range;
use hangtag_weights::{ByteSource, SourceError};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response};

use super::failure::{Halt, describe, network, not_sent};
use super::line::scope;

/// Waits before a broken connection is tried again.
const RETRY_DELAYS_MS: [u32; 3] = [1_000, 3_000, 8_000];

/// Where downloaded bytes go.
pub trait Sink {
    /// Bytes there so far; the next chunk goes there.
    fn position(&self) -> u64;
    /// Takes the next chunk.
    fn write(&mut self, chunk: &[u8]) -> Result<(), Halt>;
    /// Forgets everything: the server sends the file from its start.
    fn restart(&mut self) -> Result<(), Halt>;
}

/// Fetches `url` into `sink` from its position on, until it holds `size` bytes.
pub async fn download(url: &str, size: u64, sink: &mut impl Sink) -> Result<(), Halt> {
    let mut delays = RETRY_DELAYS_MS.iter();
    loop {
        let before = sink.position();
        let Err(halt) = attempt(url, size, sink).await else { return Ok(()) };
        let is_network =
            matches!(&halt, Halt::Failed(failure) if failure.kind == FailureKind::Network);
        if sink.position() > before {
            delays = RETRY_DELAYS_MS.iter();
        }
        match delays.next() {
            Some(delay) if is_network => TimeoutFuture::new(*delay).await,
            _ => return Err(halt),
        }
    }
}

async fn attempt(url: &str, size: u64, sink: &mut impl Sink) -> Result<(), Halt> {
    let start = sink.position();
    let response = fetch(url, start).await?;
    match response.status() {
        206 if start > 0 => {}
        200 if start > 0 => sink.restart()?,
        200 => {}
        416 => {
            let message =
                format!("{url} is shorter than the {size} bytes that the manifest promises");
            return Err(Failure::new(FailureKind::Server, message).into());
        }
        status => return Err(refused(url, status, &response.status_text()).into()),
    }
    if let Some(page) = web_page(&response) {
        return Err(not_sent(FailureKind::Server, url, page).into());
    }
    let body = response.body().ok_or_else(|| network(url, "the answer is empty"))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let outcome = copy(url, size, &reader, sink).await;
    if outcome.is_err() {
        // Tells the browser to drop the connection; its answer is of no interest.
        let _ = reader.cancel();
    }
    outcome
}

/// What to say where a server answers with a page of its own, as some do for what they do not have or want a login for.
fn web_page(response: &Response) -> Option<&'static str> {
    let kind = response.headers().get("content-type").ok().flatten()?;
    kind.starts_with("text/html").then_some("the server sent a web page in its place")
}

async fn copy(
    url: &str,
    size: u64,
    reader: &ReadableStreamDefaultReader,
    sink: &mut impl Sink,
) -> Result<(), Halt> {
    while let Some(chunk) =
        next_chunk(reader).await.map_err(|error| network(url, &describe(&error)))?
    {
        if sink.position() + chunk.len() as u64 > size {
            let message =
                format!("{url} is longer than the {size} bytes that the manifest promises");
            return Err(Failure::new(FailureKind::HashMismatch, message).into());
        }
        sink.write(&chunk)?;
    }
    match sink.position() {
        position if position == size => Ok(()),
        position => {
            Err(network(url, &format!("the connection ended after {position} of {size} bytes"))
                .into())
        }
    }
}

async fn next_chunk(reader: &ReadableStreamDefaultReader) -> Result<Option<Vec<u8>>, JsValue> {
    let step = JsFuture::from(reader.read()).await?;
    if Reflect::get(&step, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    let chunk: Uint8Array = Reflect::get(&step, &"value".into())?.unchecked_into();
    Ok(Some(chunk.to_vec()))
}

async fn fetch(url: &str, start: u64) -> Result<Response, Failure> {
    let range = (start > 0).then(|| format!("bytes={start}-"));
    fetch_range(url, range.as_deref()).await
}

async fn fetch_range(url: &str, range: Option<&str>) -> Result<Response, Failure> {
    let init = RequestInit::new();
    // The file is kept in OPFS; a second copy in the HTTP cache would be waste.
    init.set_cache(RequestCache::NoStore);
    let failed = |error: JsValue| network(url, &describe(&error));
    let request = Request::new_with_str_and_init(url, &init).map_err(failed)?;
    if let Some(range) = range {
        request.headers().set("Range", range).map_err(failed)?;
    }
    let response = JsFuture::from(scope().fetch_with_request(&request)).await.map_err(failed)?;
    Ok(response.unchecked_into())
}

/// Fetches a small text file; a kept copy is used only if the server says that it is still right.
pub async fn fetch_text(url: &str) -> Result<String, Failure> {
    let init = RequestInit::new();
    init.set_cache(RequestCache::NoCache);
    let failed = |error: JsValue| network(url, &describe(&error));
    let request = Request::new_with_str_and_init(url, &init).map_err(failed)?;
    let response = JsFuture::from(scope().fetch_with_request(&request)).await.map_err(failed)?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(refused(url, response.status(), &response.status_text()));
    }
    let text = JsFuture::from(response.text().map_err(failed)?).await.map_err(failed)?;
    Ok(text.as_string().unwrap_or_default())
}

/// A file of the page's site, of which parts are fetched.
pub struct RangeSource {
    /// Its address.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
}

impl ByteSource for RangeSource {
    fn name(&self) -> &str {
        &self.url
    }

    fn len(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SourceError> {
        check_range(self, offset, length)?;
        let last = offset + length as u64 - 1;
        self.fetch(&format!("bytes={offset}-{last}"), length).await.map_err(|failure| {
            SourceError::Other { name: self.url.clone(), message: failure.message }
        })
    }
}

impl RangeSource {
    async fn fetch(&self, range: &str, length: usize) -> Result<Vec<u8>, Failure> {
        let response = fetch_range(&self.url, Some(range)).await?;
        let failed = |error: JsValue| network(&self.url, &describe(&error));
        if response.status() != 206 {
            if let Some(body) = response.body() {
                // The server sends the whole, which is of no interest here.
                let _ = body.cancel();
            }
            return Err(network(&self.url, "the server sends no parts of files"));
        }
        let buffer = JsFuture::from(response.array_buffer().map_err(failed)?).await;
        let bytes = Uint8Array::new(&buffer.map_err(failed)?).to_vec();
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(network(&self.url, "the server sent another part than was asked for")),
        }
    }
}

fn refused(url: &str, status: u16, words: &str) -> Failure {
    // Too many requests, too slow, or broken for now: asking again may help.
    let kind = match status {
        408 | 429 | 500.. => FailureKind::Network,
        _ => FailureKind::Server,
    };
    not_sent(kind, url, format!("the server answered {status} {words}").trim_end())
}
