//! `hf:owner/name`: models of the Hugging Face hub, through the crate hf-hub, which resumes downloads and keeps them in the
//! cache that Python's huggingface_hub uses as well.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Result;
use hangtag_weights::hash::{is_sha256_hex, sha256_reader};
use hangtag_weights::hf::{self, CONFIG_FILE, INDEX_FILE, SINGLE_FILE, TOKENIZER_FILES};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use indicatif::ProgressBar;

use crate::failure::{Failure, bad_input, failed};
use crate::progress;

const PREFIX: &str = "hf:";
const WHAT_A_NAME_IS: &str =
    "write hf:OWNER/NAME, with @REVISION behind it if need be, or hf:OWNER/NAME/FILE.gguf";
/// How often a broken connection is taken up again.
const RETRIES: usize = 5;

/// What `hf:` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Owner and name.
    pub repository: String,
    revision: String,
    /// One GGUF file of the repository.
    file: Option<String>,
}

impl Reference {
    /// Reads a model's name; `None` if it is not one of the hub.
    pub fn parse(model: &str) -> Option<Result<Self, Failure>> {
        let name = model.strip_prefix(PREFIX)?;
        let read = || {
            let (owner, rest) = name.split_once('/')?;
            let (name, file) = match rest.split_once(".gguf").map(|_| rest.split_once('/')) {
                Some(split) => split.map(|(name, file)| (name, Some(file.to_owned())))?,
                None => (rest, None),
            };
            let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
            let plain = |part: &str| {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
            };
            let revision_is_plain = revision.split('/').all(plain);
            let file_is_plain = file.iter().flat_map(|file| file.split('/')).all(plain);
            (plain(owner) && plain(name) && revision_is_plain && file_is_plain).then(|| Self {
                repository: format!("{owner}/{name}"),
                revision: revision.to_owned(),
                file,
            })
        };
        Some(read().ok_or_else(|| {
            bad_input(format!("{model}: this is no name of the Hugging Face hub"))
                .hint(WHAT_A_NAME_IS)
        }))
    }
}

/// The local path of `model`: itself, or for `hf:` the folder or file in the hub's cache, downloaded where it is missing.
pub fn resolve(model: &str, quiet: bool) -> Result<PathBuf> {
    match Reference::parse(model) {
        None => Ok(model.into()),
        Some(reference) => get(&reference?, quiet),
    }
}

/// Gets a folder of transformers, or one GGUF file. What the small files show to be unsupported is refused before the
/// weights are downloaded.
fn get(reference: &Reference, quiet: bool) -> Result<PathBuf> {
    let hub = Hub::open(reference, quiet)?;
    if let Some(file) = &reference.file {
        return hub.file(file);
    }
    let config = hub.file(CONFIG_FILE)?;
    let folder = config.parent().map(Path::to_path_buf).unwrap_or_default();
    for file in TOKENIZER_FILES {
        hub.file(file)?;
    }
    hf::check_description(&folder)
        .map_err(|error| bad_input(format!("hf:{}: {error}", reference.repository)))?;
    for file in hub.weights(&folder)? {
        hub.file(&file)?;
    }
    Ok(folder)
}

/// A repository, in the cache and on the hub.
struct Hub<'a> {
    reference: &'a Reference,
    cache: CacheRepo,
    /// None where `HF_HUB_OFFLINE` forbids it.
    remote: Option<ApiRepo>,
    quiet: bool,
}

impl<'a> Hub<'a> {
    fn open(reference: &'a Reference, quiet: bool) -> Result<Self> {
        if env::var_os("HF_HOME").is_none() && env::home_dir().is_none() {
            return Err(failed("no cache folder for the hub: set HF_HOME to a folder").into());
        }
        let repo = Repo::with_revision(
            reference.repository.clone(),
            RepoType::Model,
            reference.revision.clone(),
        );
        let cache = Cache::from_env();
        let token = env::var("HF_TOKEN").ok().filter(|token| !token.is_empty());
        let api = ApiBuilder::from_env()
            .with_token(token.or_else(|| cache.token()))
            .with_retries(RETRIES)
            .with_progress(false)
            .build()
            .map_err(failed)?;
        let offline = env::var("HF_HUB_OFFLINE").is_ok_and(|value| is_yes(&value));
        let remote = (!offline).then(|| api.repo(repo.clone()));
        Ok(Self { reference, cache: cache.repo(repo), remote, quiet })
    }

    /// The path of a file in the cache, downloaded where it is missing.
    fn file(&self, name: &str) -> Result<PathBuf> {
        if let Some(path) = self.cache.get(name) {
            return Ok(path);
        }
        let bar = progress::bytes(self.quiet, name);
        let path = self.remote(name)?.download_with_progress(name, Bar(bar.clone()));
        bar.finish_and_clear();
        let path = path.map_err(|error| self.failure(name, &error))?;
        self.verify(name, &path)?;
        Ok(path)
    }

    fn remote(&self, name: &str) -> Result<&ApiRepo, Failure> {
        self.remote.as_ref().ok_or_else(|| {
            failed(format!(
                "hf:{}: {name} is not in the cache, and HF_HUB_OFFLINE forbids to get it",
                self.reference.repository
            ))
            .hint("unset HF_HUB_OFFLINE once, to download it")
        })
    }

    /// The names of the files with weights: those of the index, or the only one.
    fn weights(&self, folder: &Path) -> Result<Vec<String>> {
        let wrong =
            |error: hf::HfError| bad_input(format!("hf:{}: {error}", self.reference.repository));
        if self.cache.get(SINGLE_FILE).is_some() || self.cache.get(INDEX_FILE).is_some() {
            return Ok(hf::weight_files(folder).map_err(wrong)?.into_iter().collect());
        }
        let info = self.remote(INDEX_FILE)?.info();
        let info = info.map_err(|error| self.failure("the list of files", &error))?;
        let has = |name: &str| info.siblings.iter().any(|sibling| sibling.rfilename == name);
        if has(INDEX_FILE) {
            self.file(INDEX_FILE)?;
        } else if !has(SINGLE_FILE) {
            return Err(bad_input(format!(
                "hf:{}: it has neither {SINGLE_FILE} nor {INDEX_FILE}",
                self.reference.repository
            ))
            .hint("weights must be safetensors; of a repository with GGUF files, name one: hf:OWNER/NAME/FILE.gguf")
            .into());
        }
        let files = hf::weight_files(folder).map_err(wrong)?;
        if let Some(missing) = files.iter().find(|file| !has(file)) {
            return Err(bad_input(format!(
                "hf:{}: {INDEX_FILE} names {missing}, which the repository does not have",
                self.reference.repository
            ))
            .into());
        }
        Ok(files.into_iter().collect())
    }

    /// Large files lie in the cache under their SHA-256: one that is another is deleted, so that the next start gets it anew.
    fn verify(&self, name: &str, path: &Path) -> Result<()> {
        let Ok(blob) = path.canonicalize() else { return Ok(()) };
        let expected = blob.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_sha256_hex(&expected) {
            return Ok(());
        }
        let bar = progress::bytes(self.quiet, &format!("checking {name}"));
        let file = File::open(&blob)?;
        bar.set_length(file.metadata()?.len());
        let found = sha256_reader(file, &mut |done| bar.set_position(done))?;
        bar.finish_and_clear();
        if found == expected {
            return Ok(());
        }
        fs::remove_file(path)?;
        fs::remove_file(&blob)?;
        Err(failed(format!(
            "hf:{}: {name} has SHA-256 {found}, expected {expected}; it was deleted",
            self.reference.repository
        ))
        .hint("run the command again: only this file is got anew")
        .into())
    }

    fn failure(&self, name: &str, error: &ApiError) -> Failure {
        let what = format!("hf:{}: {name}", self.reference.repository);
        let cause = match error {
            ApiError::TooManyRetries(cause) => cause,
            other => other,
        };
        let ApiError::RequestError(request) = cause else {
            return failed(format!("{what}: {cause}"))
                .hint("run the command again: it goes on where it stopped");
        };
        match **request {
            ureq::Error::StatusCode(401 | 403) => bad_input(format!("{what}: the hub refuses access")).hint(format!(
                "if the repository exists, it is private or has terms to accept: accept them at \
                 https://huggingface.co/{}, then set HF_TOKEN to a token of your account",
                self.reference.repository
            )),
            ureq::Error::StatusCode(404) => {
                bad_input(format!("{what}: the hub has no such repository, revision or file"))
                    .hint(WHAT_A_NAME_IS)
            }
            _ => failed(format!("{what}: {request}")).hint(
                "is there a network? Run the command again: it goes on where it stopped. Or get the folder elsewhere and give its path",
            ),
        }
    }
}

fn is_yes(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

/// hf-hub's progress on our bar.
struct Bar(ProgressBar);

impl Progress for Bar {
    fn init(&mut self, size: usize, _: &str) {
        self.0.set_length(size as u64);
        self.0.set_position(0);
    }

    fn update(&mut self, size: usize) {
        self.0.inc(size as u64);
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let read = |name: &str| Reference::parse(name).unwrap().unwrap();
        let phi = read("hf:microsoft/phi-2");
        assert_eq!((phi.repository.as_str(), phi.revision.as_str()), ("microsoft/phi-2", "main"));
        assert_eq!(read("hf:a/b@v1.0").revision, "v1.0");
        let file = read("hf:TheBloke/phi-2-GGUF@main/phi-2.Q4_0.gguf");
        assert_eq!(file.file.as_deref(), Some("phi-2.Q4_0.gguf"));
        assert_eq!(file.repository, "TheBloke/phi-2-GGUF");
        assert!(Reference::parse("smollm2-135m").is_none());
        for wrong in
            ["hf:", "hf:phi-2", "hf:a/", "hf:a/b/c", "hf:a/../b.gguf", "hf:a/b@", "hf:a/b c"]
        {
            assert!(Reference::parse(wrong).unwrap().is_err(), "{wrong}");
        }
    }
}
