//! The messages between the page and its workers: the one that holds the model, and the one that reads workbooks.
//!
//! They travel as JSON strings through `postMessage`; one with files as an array of the string and the files. The worker speaks first ([`FromWorker::Hello`]); a page that
//! hears another [`VERSION`] is looking at a stale cached file and must be reloaded.

use hangtag_task::{Feature, FeatureValue};
use serde::{Deserialize, Serialize};

use crate::traffic::Request;

/// Version of these messages. Raise it with every change of a field.
pub const VERSION: u32 = 6;

/// Number of one extraction, counted by the page from 1.
pub type RunId = u32;

/// What the page asks of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// Look for a GPU, read what a model says of itself, and say whether its files are kept on this device.
    Open {
        /// The model.
        place: Place,
        /// Bytes of GPU memory to use at most.
        memory_limit_bytes: Option<u64>,
    },
    /// Download what is missing, check it and put it on the GPU.
    Load {
        /// Keep a copy of the person's own files.
        keep: bool,
    },
    /// Halt the download; what is there stays.
    Pause,
    /// Fill in the features of one text. Runs are served one after the other.
    Extract {
        /// Names this run in every answer.
        run: RunId,
        /// The product text.
        text: String,
        /// What is asked, in the order of the table.
        features: Vec<Feature>,
    },
    /// Fill in the features of several texts, as many at once as the GPU has room for.
    ExtractPart {
        /// Names this run in its answer.
        run: RunId,
        /// The product texts.
        texts: Vec<String>,
        /// What is asked of each, in the order of the table.
        features: Vec<Feature>,
    },
    /// Measure how fast the model is on the GPU.
    Measure {
        /// Names this run in every answer.
        run: RunId,
    },
    /// Stop this run and every earlier one, running or waiting.
    Stop {
        /// The last run to stop.
        run: RunId,
    },
    /// Delete the open model's files from this device and take it off the GPU.
    Forget,
    /// Delete another model's files from this device.
    Remove {
        /// Its [`KeptModel::id`].
        id: String,
    },
    /// Try to reach a foreign address and report whether the browser refused.
    CheckIsolation,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "where", rename_all = "snake_case")]
pub enum Place {
    /// None is chosen yet.
    Nowhere,
    /// A package of the page's own site.
    Site {
        /// Absolute URL of its folder, ending in a slash.
        package_url: String,
    },
    /// The files that come with the message.
    Files,
    /// A model that an earlier visit has kept.
    Kept {
        /// Its [`KeptModel::id`].
        id: String,
    },
}

/// What the worker tells the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    /// The worker listens.
    Hello {
        /// The worker's [`VERSION`].
        version: u32,
    },
    /// There is something to compute with, and the model if one was chosen.
    Opened {
        /// What the model says of itself.
        package: Option<Package>,
        /// What computes.
        device: Device,
    },
    /// The model that was to be opened is none that can be used. What was there before stays.
    Refused {
        /// Why.
        message: String,
    },
    /// What is kept on this device; told after every change.
    Shelf {
        /// The models and the room.
        shelf: Shelf,
    },
    /// Loading goes on.
    Loading {
        /// Where it stands.
        step: LoadStep,
    },
    /// The model is on the GPU.
    Loaded {
        /// How it got there and what it takes.
        model: Loaded,
    },
    /// The download was halted.
    Paused {
        /// Bytes on this device.
        kept_bytes: u64,
    },
    /// The files are gone from this device.
    Forgotten,
    /// A run goes on.
    Running {
        /// The run.
        run: RunId,
        /// Where it stands.
        step: RunStep,
    },
    /// One feature of a run; sent again if a later part of a long text changes it.
    Row {
        /// The run.
        run: RunId,
        /// Index into the run's features.
        index: usize,
        /// The answer.
        value: FeatureValue,
    },
    /// All features of a run are answered.
    Finished {
        /// The run.
        run: RunId,
        /// What it took.
        stats: RunStats,
    },
    /// All texts of a [`ToWorker::ExtractPart`] are answered.
    Part {
        /// The run.
        run: RunId,
        /// For each text the answers, or why it could not be read.
        results: Vec<Result<Vec<FeatureValue>, String>>,
    },
    /// A measurement goes on.
    Measuring {
        /// The run.
        run: RunId,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// The end of a [`ToWorker::Measure`].
    Measured {
        /// The run.
        run: RunId,
        /// What came of it.
        measurement: Measurement,
    },
    /// A run ended because the page asked.
    Stopped {
        /// The run.
        run: RunId,
    },
    /// A run, or with no run the loading, failed.
    Failed {
        /// The run, if one failed.
        run: Option<RunId>,
        /// Why.
        failure: Failure,
    },
    /// Answer to [`ToWorker::CheckIsolation`].
    Isolation {
        /// Whether the browser refused the foreign address because of the page's policy.
        blocked: bool,
    },
    /// The worker has made requests.
    Requests {
        /// Those that it has not told of yet.
        requests: Vec<Request>,
    },
}

/// A table to be made a workbook of, by the worker that reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The cells, the header's first.
    pub rows: Vec<Vec<String>>,
    /// The columns that hold numbers.
    pub numbers: Vec<usize>,
}

/// What the worker for workbooks tells the page. A workbook goes there as bare bytes, and its CSV comes back; a [`Table`] goes
/// there as JSON, and its workbook comes back, as bare bytes too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromSheet {
    /// The worker listens.
    Hello,
    /// In the workbook that comes next, cells had to be cut, since they are longer than one may be.
    Cut {
        /// How many.
        cells: usize,
    },
    /// The workbook cannot be read or written.
    Failed {
        /// Why.
        message: String,
    },
    /// The worker has made requests.
    Requests {
        /// Those that it has not told of yet.
        requests: Vec<Request>,
    },
}

/// A model package, from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name of the model.
    pub name: String,
    /// The published model it is made from.
    pub base: String,
    /// SPDX licence expression.
    pub licence: String,
    /// Bytes of all its files.
    pub size_bytes: u64,
    /// The adapter that was merged into it; `None` for a model as it was published.
    pub adapter: Option<String>,
    /// What the adapter was trained on, in a few words.
    pub trained_on: Option<String>,
    /// Text of its model card, in Markdown.
    pub card: Option<String>,
    /// Bytes kept in this browser, checked or partly downloaded.
    pub kept_bytes: u64,
    /// Its [`KeptModel::id`] where it is kept; none where that is known only when it has been read.
    pub id: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it needs of the GPU or the processor; none before its headers have been read.
    pub fit: Option<Fit>,
}

/// Where a model's files come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the page's own site.
    Site,
    /// From the person's own files.
    Files,
    /// From this browser alone.
    Kept,
}

/// Memory that a model takes of what it runs on, and what it can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// Bytes of weights.
    pub weights_bytes: u64,
    /// Bytes of the key-value cache.
    pub kv_cache_bytes: u64,
    /// Bytes of scratch space.
    pub scratch_bytes: u64,
    /// Tokens that text and answers may take together.
    pub context_tokens: usize,
    /// Answers that are written at once.
    pub rows: usize,
    /// Whether memory is too short for the usual sizes.
    pub is_reduced: bool,
}

impl Fit {
    /// All bytes.
    pub fn total_bytes(&self) -> u64 {
        self.weights_bytes + self.kv_cache_bytes + self.scratch_bytes
    }
}

/// What is kept on this device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// The models that are there whole.
    pub models: Vec<KeptModel>,
    /// Bytes that the browser keeps for this page in all, if it says so.
    pub used_bytes: Option<u64>,
    /// Bytes that it would keep at most, if it says so.
    pub quota_bytes: Option<u64>,
    /// Why the browser keeps nothing, if it does not.
    pub refused: Option<String>,
}

impl Shelf {
    /// Bytes that may still be kept; none where the browser does not tell.
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.quota_bytes?.saturating_sub(self.used_bytes?))
    }
}

/// A model on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptModel {
    /// What it is called among the kept ones: the SHA-256 of its first file.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Bytes of its files.
    pub size_bytes: u64,
}

impl Package {
    /// Whether every byte is on this device.
    pub fn is_kept(&self) -> bool {
        self.kept_bytes >= self.size_bytes
    }
}

/// What the worker computes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "device", rename_all = "snake_case")]
pub enum Device {
    /// A GPU, or what plays one.
    Gpu(Gpu),
    /// The processor, in the place of a GPU that the browser does not offer.
    Processor,
}

impl Device {
    /// Whether an answer takes seconds.
    pub fn is_slow(&self) -> bool {
        match self {
            Self::Gpu(gpu) => gpu.is_software,
            Self::Processor => true,
        }
    }
}

/// The GPU that the worker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// The adapter's name, as far as the browser tells it.
    pub name: String,
    /// Whether it is the CPU that plays a GPU, which is slow.
    pub is_software: bool,
    /// Subgroup operations in shaders.
    pub subgroups: bool,
    /// Products of four bytes at once in shaders.
    pub integer_dot: bool,
}

/// Steps of loading, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum LoadStep {
    /// Another tab loads the model or writes its file; this one waits for it.
    WaitingForOtherTab,
    /// Bytes come over the network.
    Downloading {
        /// Bytes here.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
        /// Bytes a second over the last seconds.
        bytes_per_second: f64,
    },
    /// The person's own file is copied into the browser's storage.
    Keeping {
        /// Bytes copied.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// A file is compared with the manifest's hash.
    Checking {
        /// Bytes compared.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// Weights go to the GPU.
    Uploading {
        /// Bytes there.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
}

/// A model on the GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Where its file is.
    pub storage: Storage,
    /// Its [`KeptModel::id`], if it is kept.
    pub id: Option<String>,
    /// Bytes that came over the network this time.
    pub downloaded_bytes: u64,
    /// What it takes of the GPU.
    pub fit: Fit,
    /// Seconds from the request to load until now.
    pub seconds: f64,
    /// Another tab has it there and answers for this one.
    pub in_other_tab: bool,
}

/// Where a model's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "where", rename_all = "snake_case")]
pub enum Storage {
    /// In the browser's private file system: the next visit downloads nothing.
    Kept,
    /// In memory only.
    Memory {
        /// Why it could not be kept.
        reason: String,
    },
    /// In the person's own files.
    Files {
        /// Why it could not be kept, if it was to be.
        reason: Option<String>,
    },
}

/// Steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum RunStep {
    /// The worker has begun.
    Started,
    /// The text is longer than the model's context and is read in overlapping parts.
    Window {
        /// The part, from 0.
        index: usize,
        /// Parts in all.
        count: usize,
    },
    /// The model reads the text.
    Reading {
        /// Tokens read.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// The model writes answers.
    Writing {
        /// Answers that go on.
        active: usize,
    },
}

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RunStats {
    /// Tokens of text.
    pub prefix_tokens: usize,
    /// Of these, tokens that an earlier run had read already.
    pub cached_prefix_tokens: usize,
    /// Parts in which the text was read.
    pub windows: usize,
    /// Tokens of the answers.
    pub generated_tokens: usize,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// How fast a model is on a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Tokens of a text that are read in a second.
    pub read_tokens_per_second: f64,
    /// Writing answers, in batches of growing size.
    pub decode: Vec<DecodeSpeed>,
    /// Features asked of one text.
    pub features: usize,
    /// Tokens of that text.
    pub text_tokens: usize,
    /// Seconds to ask for one feature at a time.
    pub seconds_one_by_one: f64,
    /// Seconds to ask for all of them at once.
    pub seconds_together: f64,
}

/// How fast answers are written together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecodeSpeed {
    /// Answers.
    pub rows: usize,
    /// Tokens of all of them in a second.
    pub tokens_per_second: f64,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind, which decides what the page advises.
    pub kind: FailureKind,
    /// The whole message.
    pub message: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No usable WebGPU adapter.
    NoGpu,
    /// The GPU went away; the worker has to be started anew.
    DeviceLost,
    /// The model or the run needs more memory than there is.
    OutOfMemory,
    /// A file could not be fetched; asking again may help.
    Network,
    /// The server does not have the file, or has another in its place.
    Server,
    /// A downloaded file is not the one that the manifest promises.
    HashMismatch,
    /// The model's files are damaged, or of a kind that is not supported.
    Model,
    /// The text or the features.
    Input,
    /// Anything else; the worker may be in no state to go on.
    Internal,
}

impl Failure {
    /// A failure of this kind with this message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Whether only a new worker helps.
    pub fn needs_restart(&self) -> bool {
        matches!(self.kind, FailureKind::DeviceLost | FailureKind::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hangtag_task::Span;

    #[test]
    fn messages_survive_the_way() {
        let row = FromWorker::Row {
            run: 3,
            index: 1,
            value: FeatureValue {
                name: "Brand".into(),
                value: Some("Łódź 👟".into()),
                confidence: 0.5,
                span: Some(Span { start: 2, end: 8 }),
            },
        };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<FromWorker>(&text).unwrap(), row);

        let part = FromWorker::Part { run: 4, results: vec![Ok(vec![]), Err("too long".into())] };
        let text = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<FromWorker>(&text).unwrap(), part);

        let request = Request { host: "localhost:8080".into(), began_ms: 1.5e12 };
        let told = FromSheet::Requests { requests: vec![request] };
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<FromSheet>(&text).unwrap(), told);

        let ask = ToWorker::Extract {
            run: 1,
            text: "a\n\"b\"".into(),
            features: hangtag_task::parse_feature_list("Brand, ###").unwrap(),
        };
        let text = serde_json::to_string(&ask).unwrap();
        assert_eq!(serde_json::from_str::<ToWorker>(&text).unwrap(), ask);

        let place = Place::Kept { id: "ab".into() };
        let open = ToWorker::Open { place, memory_limit_bytes: Some(7) };
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!(serde_json::from_str::<ToWorker>(&text).unwrap(), open);
    }

    #[test]
    fn free_room_is_known_only_where_the_browser_tells_both() {
        let mut shelf = Shelf { used_bytes: Some(3), ..Shelf::default() };
        assert_eq!(shelf.free_bytes(), None);
        shelf.quota_bytes = Some(2);
        assert_eq!(shelf.free_bytes(), Some(0));
        shelf.quota_bytes = Some(5);
        assert_eq!(shelf.free_bytes(), Some(2));
    }

    #[test]
    fn a_message_of_another_version_is_refused() {
        assert!(serde_json::from_str::<FromWorker>(r#"{"type":"hello"}"#).is_err());
        assert!(serde_json::from_str::<ToWorker>(r#"{"type":"dance"}"#).is_err());
    }
}
