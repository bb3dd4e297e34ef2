//! The built page with model packages of the tests' own, served as `cargo xtask demo` serves it.

use crate::recorder::{Recorder, Request};
use anyhow::{Context, Result, bail};
use hangtag_weights::{FileSource, Manifest, ManifestFile};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xtask::serve::Server;

/// A temporary copy of `dist/`, and the server of it.
pub struct Site {
    folder: TempDir,
    server: Option<Server>,
    port: u16,
    recorder: Recorder,
}

/// The folder that `cargo xtask demo --no-serve` builds.
///
/// # Errors
/// When it was not built.
pub fn dist() -> Result<PathBuf> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("dist");
    if !dist.join("index.html").is_file() {
        bail!("{} was not built; `cargo xtask demo --no-serve` builds it", dist.display());
    }
    Ok(dist)
}

impl Site {
    /// Copies the page, without its models, and serves it on a free port.
    ///
    /// # Errors
    /// When `dist` cannot be copied or no port is to be had.
    pub fn of(dist: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        copy_folder(dist, folder.path(), Some("models"))?;
        let server = Server::start(folder.path(), 0)?;
        let recorder = Recorder::start(server.address())?;
        let port = server.address().port();
        Ok(Self { folder, server: Some(server), port, recorder })
    }

    /// Stops the server: whoever asks gets no answer.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server again where it was.
    ///
    /// # Errors
    /// When another program has taken its port.
    pub fn start_again(&mut self) -> Result<()> {
        self.server = Some(Server::start(self.folder.path(), self.port)?);
        Ok(())
    }

    /// The page's files, to be changed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The page's file whose name has this start and this end, with a hash between.
    ///
    /// # Errors
    /// When there is none.
    pub fn file(&self, start: &str, end: &str) -> Result<PathBuf> {
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(start) && name.ends_with(end) {
                return Ok(path);
            }
        }
        bail!("the page has no file {start}…{end}")
    }

    /// Adds the package `models/NAME` with one GGUF file of these bytes, and a manifest that describes them truly.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add_package(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.package_file(name)?;
        fs::write(&path, bytes)?;
        self.write_manifest(name, &path)
    }

    /// Adds the package in `folder` as `models/NAME`, its files linked where the disk allows it.
    ///
    /// # Errors
    /// When one can be neither linked nor copied.
    pub fn add_package_folder(&self, name: &str, folder: &Path) -> Result<()> {
        let to = self.folder.path().join("models").join(name);
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let from = entry?.path();
            let target = to.join(from.file_name().unwrap_or_default());
            if fs::hard_link(&from, &target).is_err() {
                fs::copy(&from, &target)?;
            }
        }
        Ok(())
    }

    /// Changes the GGUF file of the package `models/NAME` and leaves its manifest as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(fs::write(self.package_file(name)?, bytes)?)
    }

    /// The page's address, with the package `models/NAME`.
    pub fn url(&self, name: &str) -> String {
        format!("{}?model=models/{name}", self.recorder.url())
    }

    /// The address of the site, with a slash at its end.
    pub fn origin(&self) -> String {
        self.recorder.url()
    }

    /// What browsers asked of the site so far.
    pub fn requests(&self) -> Vec<Request> {
        self.recorder.requests()
    }

    /// How often browsers asked for a model's weights so far.
    pub fn weight_requests(&self) -> usize {
        self.requests().iter().filter(|request| request.target.contains(".gguf")).count()
    }

    /// Bytes of models' weights that browsers were sent so far.
    pub fn weight_bytes(&self) -> u64 {
        let requests = self.requests();
        let weights = requests.iter().filter(|request| request.target.contains(".gguf"));
        weights.map(|request| request.answered_bytes).sum()
    }

    fn package_file(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join("models").join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder.join("model.gguf"))
    }

    fn write_manifest(&self, name: &str, path: &Path) -> Result<()> {
        Ok(fs::write(path.with_file_name("manifest.json"), manifest_of(name, path)?)?)
    }
}

/// The manifest of a package of this one file.
///
/// # Errors
/// When it cannot be read.
pub fn manifest_of(name: &str, path: &Path) -> Result<String> {
    let source = FileSource::open(path)?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = pollster::block_on(ManifestFile::of(&file_name, &source, |_| {}))?;
    let manifest = Manifest {
        name: name.to_owned(),
        base: "random weights".to_owned(),
        adapter: None,
        trained_on: None,
        card: None,
        licence: "MIT OR Apache-2.0".to_owned(),
        task_version: hangtag_weights::task_version::UNSAID,
        presets: vec![],
        files: vec![file],
    };
    Ok(manifest.to_json()?)
}

fn copy_folder(from: &Path, to: &Path, except: Option<&str>) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if except.is_some_and(|name| entry.file_name() == name) {
            continue;
        }
        if source.is_dir() {
            fs::create_dir_all(&target)?;
            copy_folder(&source, &target, None)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
