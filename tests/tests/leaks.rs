//! Two hundred extractions leave nothing behind, neither on the GPU nor in the process.

use anyhow::{Context, Result};
use hangtag_engine::kernel::{self, Form, Inner, Variant};
use hangtag_engine::matrix::MatrixFormat;
use hangtag_engine::{EngineOptions, GpuUsage, Speculation};
use hangtag_extract::{ExtractError, Extractor, Progress};
use hangtag_task::{Feature, parse_feature_list};
use hangtag_tests::engines::{gpu, small_options};
use hangtag_tests::goldens;
use std::ops::{ControlFlow, Range};

/// Extractions before the measurement: pools of the driver and of the allocator fill.
const WARM_UP: usize = 40;
/// What the process may grow by meanwhile, for pages come and go: some 6 KiB an extraction.
const PROCESS_BYTES: u64 = 1 << 20;

/// What is in use at a time.
#[derive(Debug, Clone, Copy)]
struct Usage {
    gpu: GpuUsage,
    /// Bytes of the process that are in memory; `None` where the system does not tell in a file.
    process_bytes: Option<u64>,
}

impl Usage {
    fn of(extractor: &Extractor) -> Result<Self> {
        let gpu = extractor.engine().gpu().usage().context("the GPU tells no usage")?;
        Ok(Self { gpu, process_bytes: resident_bytes() })
    }

    /// What has grown since `before`.
    fn grown_since(&self, before: &Usage) -> Vec<&'static str> {
        let (old, new) = (before.gpu, self.gpu);
        let process = self.process_bytes.zip(before.process_bytes);
        [
            ("buffers", new.buffers > old.buffers),
            ("other objects", new.other_objects > old.other_objects),
            ("GPU memory", new.allocated_bytes > old.allocated_bytes),
            ("process", process.is_some_and(|(new, old)| new > old + PROCESS_BYTES)),
        ]
        .into_iter()
        .filter_map(|(what, has_grown)| has_grown.then_some(what))
        .collect()
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// Extracts again and again, calls `after` each time, and says what has grown meanwhile.
fn grown(
    extractor: &mut Extractor,
    runs: Range<usize>,
    mut after: impl FnMut(&Extractor),
) -> Result<Vec<&'static str>> {
    let features = parse_feature_list("Color, Size")?;
    let before = Usage::of(extractor)?;
    for run in runs {
        extract(extractor, run, &features)?;
        after(extractor);
    }
    let now = Usage::of(extractor)?;
    println!("{before:?}\n{now:?}");
    Ok(now.grown_since(&before))
}

/// One extraction: of a new text, a former one, several together, or one that is stopped.
fn extract(extractor: &mut Extractor, run: usize, features: &[Feature]) -> Result<()> {
    let text = |number: usize| format!("Shirt no. {number}, blue, size {}", number % 50);
    let (new, former) = (text(run), text(run / 8));
    let mut go_on = |_: Progress| ControlFlow::Continue(());
    match run % 4 {
        0 => {
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let texts: [&str; 2] = [&new, &former];
            let both = extractor.extract_many(&texts, features, go_on);
            for extraction in pollster::block_on(both) {
                extraction?;
            }
        }
        1 => {
            let mut stop = |_: Progress| ControlFlow::Break(());
            let stopped = pollster::block_on(extractor.extract(&new, features, &mut stop));
            assert!(matches!(stopped, Err(ExtractError::Cancelled { .. })));
        }
        2 => drop(pollster::block_on(extractor.extract(&former, features, &mut go_on))?),
        _ => drop(pollster::block_on(extractor.extract(&new, features, &mut go_on))?),
    }
    Ok(())
}

/// One test, because all of it is about the memory of one process.
#[test]
fn two_hundred_extractions_leave_nothing_and_what_is_left_is_noticed() -> Result<()> {
    let Some(gpu) = gpu("leaks", false) else { return Ok(()) };
    // Steps of measured sizes would be encoded ahead as the clock has it.
    let speculation = Speculation::Fixed(3);
    let options = EngineOptions { context_tokens: 512, speculation, ..small_options() };
    let gguf = goldens::open("llama")?;
    let mut extractor = pollster::block_on(Extractor::load(gguf, gpu, options, |_| {}))?;
    grown(&mut extractor, 0..WARM_UP, |_| {})?;
    assert_eq!(grown(&mut extractor, WARM_UP..200, |_| {})?, Vec::<&str>::new());

    if resident_bytes().is_some() {
        let mut left = Vec::new();
        let leak = |_: &Extractor| left.push(vec![1_u8; 1 << 20]);
        assert_eq!(grown(&mut extractor, 200..212, leak)?, ["process"]);
    }

    let form = Form { lanes: 16, split: 1, groups: 1, tokens: 1, inner: Inner::Float };
    let variant = Variant { format: MatrixFormat::F32, form, quads: 1 };
    let mut left = Vec::new();
    let leak = |extractor: &Extractor| {
        left.push(kernel::COPY.compile(extractor.engine().gpu(), variant));
    };
    let grown = grown(&mut extractor, 212..224, leak)?;
    assert!(grown.contains(&"other objects"), "{grown:?}");
    Ok(())
}
