//! What a GGUF file's headers say of the way in which its model is asked.

use std::future::{Future, ready};
use std::ops::ControlFlow;
use std::path::Path;

use hangtag_engine::{Constraint, EngineError, Event, Job, JobStats};
use hangtag_extract::{Decode, Described, ExtractError, Extractor, Limits};
use hangtag_task::{Feature, TaskVersion, prefix};
use hangtag_weights::{FileSource, Gguf, GgufWriter, MemorySource, Value};

/// The golden llama, its headers saying so of the version and its weights zeros.
fn described(version: Option<Value>) -> Result<Described, ExtractError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/llama.gguf");
    let golden = pollster::block_on(Gguf::open(vec![FileSource::open(path).unwrap()])).unwrap();
    let mut metadata = golden.metadata().clone();
    if let Some(version) = version {
        metadata.insert("hangtag.task_version", version);
    }
    let mut writer = GgufWriter::new(metadata).unwrap();
    for tensor in golden.tensors() {
        writer.add_tensor(&tensor.name, tensor.dtype, &tensor.shape).unwrap();
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes, &mut |tensor| Ok(vec![0; tensor.num_bytes()])).unwrap();
    let source = MemorySource::new("model.gguf", bytes);
    Described::read(&pollster::block_on(Gguf::open(vec![source])).unwrap())
}

#[test]
fn a_model_is_asked_in_the_version_that_its_file_says() {
    assert_eq!(described(None).unwrap().version, TaskVersion::Once);
    for version in TaskVersion::ALL {
        assert_eq!(described(Some(version.number().into())).unwrap().version, version);
    }
}

/// Keeps the prompt that it is given, and answers nothing.
#[derive(Default)]
struct Recorder(Vec<u32>);

impl Decode for &mut Recorder {
    fn limits(&self) -> Limits {
        Limits { context_tokens: 512, max_position_embeddings: 512 }
    }

    fn run(
        &mut self,
        job: &Job,
        _constraint: Option<&dyn Constraint>,
        _on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>> {
        self.0.clone_from(&job.prefix);
        ready(Err(EngineError::Cancelled))
    }
}

#[test]
fn an_extractor_asks_in_the_version_of_its_model() {
    let features = [Feature::new("Color")];
    let prompts = TaskVersion::ALL.map(|version| {
        let mut recorder = Recorder::default();
        let described = described(Some(version.number().into())).unwrap();
        let mut extractor = Extractor::new(&mut recorder, described);
        let go_on = &mut |_| ControlFlow::Continue(());
        let result = pollster::block_on(extractor.extract("Red shoe", &features, go_on));
        assert!(matches!(result, Err(ExtractError::Cancelled { .. })));
        assert_eq!(extractor.version(), version);
        let expected = prefix(version, "Red shoe", extractor.task_tokenizer()).unwrap();
        assert_eq!(recorder.0, expected);
        expected
    });
    assert!(prompts[1].len() > prompts[0].len() && prompts[1].starts_with(&prompts[0]));
}

#[test]
fn a_version_that_is_not_known_is_refused_with_its_number() {
    let error = described(Some(9_u32.into())).err().unwrap();
    assert!(matches!(error, ExtractError::TaskVersion { found: 9 }), "{error}");
    assert!(error.to_string().contains("versions 1 to 2"), "{error}");
    let error = described(Some("two".into())).err().unwrap();
    assert!(matches!(error, ExtractError::Metadata(_)), "{error}");
}
