//! The way of one description with a scripted decoder in the engine's place.

use std::future::{Future, ready};
use std::ops::ControlFlow;

use hangtag_engine::{Constraint, EngineError, Event, Finish, GeneratedToken, Job, JobStats};
use hangtag_extract::{
    Decode, ExtractError, Extraction, Language, Limits, MAX_ANSWER_TOKENS, MAX_PREFIX_TOKENS,
    Progress, extract_many_with, extract_with,
};
use hangtag_task::{Feature, Span, TaskError, TaskVersion, Tokenize, parse_feature_list};
use hangtag_weights::{BetaMap, ConfidenceMap};

const END_OF_TEXT: u32 = 0x11_0000;
const PROBABILITY: f32 = 0.9;

/// One token a character, and one that ends a text.
struct Characters;

impl Tokenize for Characters {
    fn encode_start(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        Ok(text.chars().map(u32::from).collect())
    }

    fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        self.encode_start(text)
    }

    fn decode(&self, ids: &[u32]) -> String {
        let text = |&id: &u32| match id {
            END_OF_TEXT => "<|end|>".to_owned(),
            id => char::from_u32(id).map(String::from).unwrap_or_default(),
        };
        ids.iter().map(text).collect()
    }
}

/// Answers from a script, last row first, as rows of a batch finish in any order.
struct Script<'a> {
    limits: Limits,
    /// Window and suffix to the answer's characters.
    answer: &'a dyn Fn(&str, &str) -> String,
    end: u32,
    rows_before_failure: Option<usize>,
    forgotten_row: Option<usize>,
    jobs: Vec<Job>,
}

impl<'a> Script<'a> {
    fn new(answer: &'a dyn Fn(&str, &str) -> String) -> Self {
        Self {
            limits: Limits { context_tokens: 8192, max_position_embeddings: 8192 },
            answer,
            end: u32::from('\n'),
            rows_before_failure: None,
            forgotten_row: None,
            jobs: Vec::new(),
        }
    }

    fn play(
        &mut self,
        job: &Job,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<JobStats, EngineError> {
        self.check_room(job);
        self.jobs.push(job.clone());
        let prefix = Characters.decode(&job.prefix);
        let (done, total) = (job.prefix.len(), job.prefix.len());
        go_on(on_event(Event::Prefill { done, total }))?;
        for (sent, (index, row)) in job.rows.iter().enumerate().rev().enumerate() {
            if self.rows_before_failure == Some(sent) {
                return Err(EngineError::DeviceLost("pulled out".to_owned()));
            }
            if self.forgotten_row == Some(index) {
                continue;
            }
            let answer = (self.answer)(&prefix, &Characters.decode(&row.suffix));
            let event = self.row(index, &answer, row.max_new_tokens);
            go_on(on_event(event))?;
        }
        Ok(JobStats { prefix_tokens: job.prefix.len(), ..JobStats::default() })
    }

    fn row(&self, index: usize, answer: &str, max_new_tokens: usize) -> Event {
        let ids = answer.chars().map(u32::from).chain([self.end]);
        let tokens: Vec<_> = ids
            .take(max_new_tokens)
            .map(|id| GeneratedToken { id, probability: PROBABILITY })
            .collect();
        let finish = match tokens.last() {
            Some(last) if last.id == self.end => Finish::Stop,
            _ => Finish::Length,
        };
        Event::Row { index, tokens, finish }
    }

    fn check_room(&self, job: &Job) {
        let longest = job.rows.iter().map(|row| row.suffix.len() + row.max_new_tokens).max();
        let tokens = job.prefix.len() + longest.unwrap_or(0);
        assert!(tokens <= self.limits.context_tokens);
        assert!(tokens <= self.limits.max_position_embeddings);
        assert!(job.prefix.len() <= MAX_PREFIX_TOKENS);
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<(), EngineError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EngineError::Cancelled),
    }
}

impl Decode for Script<'_> {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn run(
        &mut self,
        job: &Job,
        _constraint: Option<&dyn Constraint>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<JobStats, EngineError>> {
        ready(self.play(job, on_event))
    }
}

fn language(stop_tokens: &[u32]) -> Language<'_> {
    let version = TaskVersion::Once;
    Language { version, tokenizer: &Characters, stop_tokens, vocabulary: None, confidence: None }
}

fn run(
    script: &mut Script,
    text: &str,
    features: &[Feature],
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Extraction, ExtractError> {
    let stop_tokens = [u32::from('\n'), END_OF_TEXT];
    let language = language(&stop_tokens);
    let run = extract_with(script, language, text, features, observe);
    pollster::block_on(run)
}

fn extract(script: &mut Script, text: &str, names: &str) -> Result<Extraction, ExtractError> {
    run(script, text, &features(names), &mut |_| ControlFlow::Continue(()))
}

fn features(names: &str) -> Vec<Feature> {
    parse_feature_list(names).unwrap()
}

fn values(extraction: &Extraction) -> Vec<(&str, Option<&str>)> {
    let features = extraction.features.iter();
    features.map(|feature| (feature.name.as_str(), feature.value.as_deref())).collect()
}

/// Answers with the word after "{feature}=" in the window.
fn lookup(window: &str, suffix: &str) -> String {
    let name = suffix.trim_start_matches("### ").trim_end();
    match window.split_once(&format!("{name}=")) {
        Some((_, rest)) => rest.split_whitespace().next().unwrap_or_default().to_owned(),
        None => "none".to_owned(),
    }
}

#[test]
fn answers_become_values_with_place_and_confidence() {
    let mut script = Script::new(&lookup);
    let extraction = extract(&mut script, "Brand=Nike Color=white", "Color, Brand, Size").unwrap();
    assert_eq!(
        values(&extraction),
        [("Color", Some("white")), ("Brand", Some("Nike")), ("Size", None)]
    );
    let color = &extraction.features[0];
    assert_eq!(color.span, Some(Span { start: 17, end: 22 }));
    // Five letters and the newline that ends them.
    assert!((color.confidence - PROBABILITY.powi(6)).abs() < 1e-6);
    assert_eq!((extraction.stats.windows, extraction.stats.rows), (1, 3));
    assert_eq!(extraction.stats.prefix_tokens, script.jobs[0].prefix.len());
}

#[test]
fn a_map_makes_values_and_none_as_sure_as_they_are_right() {
    let map = ConfidenceMap {
        value: BetaMap { a: 1.0, b: 1.0, c: -1.0 },
        none: BetaMap { a: 0.5, b: 0.5, c: 0.0 },
    };
    let stop_tokens = [u32::from('\n'), END_OF_TEXT];
    let language = Language { confidence: Some(&map), ..language(&stop_tokens) };
    let features = features("Color, Size");
    let mut heard = Vec::new();
    let mut observe = |progress| {
        if let Progress::Feature { value, .. } = progress {
            heard.push(value);
        }
        ControlFlow::Continue(())
    };
    let mut script = Script::new(&lookup);
    let run = extract_with(&mut script, language, "Color=white", &features, &mut observe);
    let extraction = pollster::block_on(run).unwrap();
    let sure: Vec<f32> = extraction.features.iter().map(|feature| feature.confidence).collect();
    assert_eq!(sure, [map.value.apply(PROBABILITY.powi(6)), map.none.apply(PROBABILITY.powi(5))]);
    heard.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(heard, extraction.features, "what is told on the way is as sure as the result");
}

#[test]
fn the_result_is_the_designs_json() {
    let extraction = extract(&mut Script::new(&lookup), "Brand=Nike", "Brand, Size").unwrap();
    let json = serde_json::to_value(&extraction).unwrap();
    assert_eq!(json["features"][0]["name"], "Brand");
    assert_eq!(json["features"][0]["value"], "Nike");
    assert_eq!(json["features"][0]["span"], serde_json::json!([6, 10]));
    assert_eq!(json["features"][1]["value"], serde_json::Value::Null);
    assert_eq!(json["features"][1]["span"], serde_json::Value::Null);
    assert_eq!(json["stats"]["windows"], 1);
    let back: Extraction = serde_json::from_value(json).unwrap();
    assert_eq!(back, extraction);
}

#[test]
fn a_long_text_is_read_in_windows_to_its_end() {
    let filler = "lorem ipsum dolor ".repeat(11_000);
    let text = format!("Brand=Nike {filler} Color=white 👟 Size=42");
    assert!(text.chars().count() > 190_000);
    let mut script = Script::new(&lookup);
    let mut begun = Vec::new();
    let extraction = run(&mut script, &text, &features("Brand, Color, Size"), &mut |progress| {
        if let Progress::Window { index, count } = progress {
            begun.push((index, count));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(
        values(&extraction),
        [("Brand", Some("Nike")), ("Color", Some("white")), ("Size", Some("42"))]
    );
    let span = extraction.features[2].span.as_ref().unwrap();
    let found: String = text.chars().skip(span.start).take(span.end - span.start).collect();
    assert_eq!(found, "42");
    let count = script.jobs.len();
    assert!(count > 90, "{count} windows");
    assert_eq!(begun, (0..count).map(|i| (i, count)).collect::<Vec<_>>());
    assert_eq!(extraction.stats.rows, 3 * count);
}

#[test]
fn after_the_last_window_every_feature_was_reported_with_its_final_value() {
    let text = format!("Brand=Nike {}", "lorem ipsum ".repeat(400));
    let mut script = Script::new(&lookup);
    let mut reported = vec![None; 2];
    let extraction = run(&mut script, &text, &features("Brand, Color"), &mut |progress| {
        if let Progress::Feature { index, value } = progress {
            reported[index] = Some(value);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(script.jobs.len() > 1);
    let reported: Vec<_> = reported.into_iter().flatten().collect();
    assert_eq!(reported, extraction.features);
}

#[test]
fn five_hundred_features_come_back_in_order() {
    let names: Vec<String> = (0..500).map(|i| format!("Feature {i}")).collect();
    let text = "Feature 7=seven Feature 499=last";
    let mut script = Script::new(&lookup);
    let extraction = extract(&mut script, text, &names.join(", ")).unwrap();
    let got: Vec<&str> = extraction.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(got, names);
    assert_eq!(extraction.features[7].value.as_deref(), Some("seven"));
    assert_eq!(extraction.features[499].value.as_deref(), Some("last"));
}

#[test]
fn emoji_and_right_to_left_text_are_placed_by_characters() {
    let text = "👩‍👩‍👧 שם=נעל צבע=כחול";
    let extraction = extract(&mut Script::new(&lookup), text, "צבע, שם").unwrap();
    assert_eq!(values(&extraction), [("צבע", Some("כחול")), ("שם", Some("נעל"))]);
    let place = |feature: usize| {
        let span = extraction.features[feature].span.as_ref().unwrap();
        let characters = text.chars().skip(span.start).take(span.end - span.start);
        characters.collect::<String>()
    };
    assert_eq!((place(0), place(1)), ("כחול".to_owned(), "נעל".to_owned()));
}

#[test]
fn a_feature_named_as_the_marker_keeps_its_name() {
    let answer = |_: &str, _: &str| "none".to_owned();
    let mut script = Script::new(&answer);
    let extraction = extract(&mut script, "### Brand\nNike", "###").unwrap();
    assert_eq!(values(&extraction), [("###", None)]);
    let suffix = Characters.decode(&script.jobs[0].rows[0].suffix);
    assert_eq!(suffix.matches("###").count(), 1, "{suffix:?}");
    let prefix = Characters.decode(&script.jobs[0].prefix);
    assert_eq!(prefix.matches("###").count(), 1, "{prefix:?}");
}

#[test]
fn the_end_of_text_token_is_no_part_of_the_value() {
    let mut script = Script::new(&lookup);
    script.end = END_OF_TEXT;
    let extraction = extract(&mut script, "Brand=Nike", "Brand").unwrap();
    assert_eq!(values(&extraction), [("Brand", Some("Nike"))]);
}

#[test]
fn an_answer_without_end_is_cut_at_a_whole_word() {
    let answer = |_: &str, _: &str| "recycled cotton and polyester blend of yarns".to_owned();
    let mut script = Script::new(&answer);
    let text = "recycled cotton and polyester blend of yarns";
    let extraction = extract(&mut script, text, "Material").unwrap();
    // 32 characters are "recycled cotton and polyester bl".
    assert_eq!(MAX_ANSWER_TOKENS, 32);
    assert_eq!(values(&extraction), [("Material", Some("recycled cotton and polyester"))]);
    assert_eq!(extraction.features[0].span, Some(Span { start: 0, end: 29 }));
}

#[test]
fn a_stop_keeps_what_was_answered() {
    let mut script = Script::new(&lookup);
    let mut seen = 0;
    let error = run(&mut script, "A=1 B=2 C=3 D=4", &features("A, B, C, D"), &mut |progress| {
        seen += usize::from(matches!(progress, Progress::Feature { .. }));
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap_err();
    assert!(matches!(error, ExtractError::Cancelled { .. }));
    let finished = error.finished().unwrap();
    assert_eq!(values(finished), [("C", Some("3")), ("D", Some("4"))]);
}

#[test]
fn a_stop_between_windows_runs_no_more() {
    let text = "lorem ipsum ".repeat(1000);
    let mut script = Script::new(&lookup);
    let error = run(&mut script, &text, &features("A"), &mut |progress| match progress {
        Progress::Window { index: 2, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .unwrap_err();
    assert!(matches!(error, ExtractError::Cancelled { .. }));
    assert_eq!(script.jobs.len(), 2);
    assert_eq!(values(error.finished().unwrap()), [("A", None)]);
}

#[test]
fn an_engine_error_keeps_the_finished_rows() {
    let mut script = Script::new(&lookup);
    script.rows_before_failure = Some(3);
    let error = extract(&mut script, "A=1 B=2 C=3 D=4", "A, B, C, D").unwrap_err();
    assert!(matches!(error, ExtractError::Engine { .. }));
    assert_eq!(
        values(error.finished().unwrap()),
        [("B", Some("2")), ("C", Some("3")), ("D", Some("4"))]
    );
}

#[test]
fn a_row_that_the_engine_forgets_is_an_error_and_not_a_none() {
    let mut script = Script::new(&lookup);
    script.forgotten_row = Some(1);
    let error = extract(&mut script, "A=1 B=2 C=3", "A, B, C").unwrap_err();
    match &error {
        ExtractError::NoAnswer { feature, .. } => assert_eq!(feature, "B"),
        other => panic!("{other}"),
    }
    assert_eq!(values(error.finished().unwrap()), [("A", Some("1")), ("C", Some("3"))]);
}

#[test]
fn bad_input_is_refused_before_anything_runs() {
    let mut script = Script::new(&lookup);
    for text in ["", " \n\t"] {
        let error = extract(&mut script, text, "A").unwrap_err();
        assert!(matches!(error, ExtractError::Task(_)), "{error}");
    }
    let go_on = &mut |_| ControlFlow::Continue(());
    let error = run(&mut script, "text", &[], go_on).unwrap_err();
    assert!(matches!(error, ExtractError::Task(_)), "{error}");
    let twice = [features("A"), features("A")].concat();
    let error = run(&mut script, "text", &twice, go_on).unwrap_err();
    assert!(matches!(error, ExtractError::Task(_)), "{error}");
    assert!(script.jobs.is_empty());
}

#[test]
fn a_context_too_small_is_refused_with_the_figures() {
    let mut script = Script::new(&lookup);
    script.limits.context_tokens = 50;
    let error = extract(&mut script, "A=1", "A").unwrap_err();
    assert!(matches!(error, ExtractError::ContextTooSmall { context_tokens: 50, .. }));
}

#[test]
fn a_small_context_reads_in_more_windows() {
    let text = format!("{}A=1", "lorem ipsum ".repeat(100));
    let mut script = Script::new(&lookup);
    script.limits.context_tokens = 256;
    let extraction = extract(&mut script, &text, "A, B").unwrap();
    assert!(script.jobs.len() > 5);
    assert_eq!(values(&extraction), [("A", Some("1")), ("B", None)]);
}

#[test]
fn version_2_reads_every_window_twice_and_finds_the_same() {
    let short = "Brand=Nike Color=white".to_owned();
    let long = format!("{} Color=white", "lorem ipsum ".repeat(100));
    let features = features("Color");
    let stop_tokens = [u32::from('\n'), END_OF_TEXT];
    for (text, least_windows) in [(short, 1), (long, 6)] {
        let mut script = Script::new(&lookup);
        script.limits.context_tokens = 512;
        let language = Language { version: TaskVersion::Twice, ..language(&stop_tokens) };
        let go_on = &mut |_| ControlFlow::Continue(());
        let extraction =
            pollster::block_on(extract_with(&mut script, language, &text, &features, go_on));
        let extraction = extraction.unwrap();
        assert_eq!(values(&extraction), [("Color", Some("white"))]);
        assert!(extraction.stats.windows >= least_windows, "{}", extraction.stats.windows);
        for job in &script.jobs {
            let (first, second) = job.prefix.split_at(job.prefix.len() / 2);
            assert_eq!(first, second);
        }
    }
}

/// Short, blank, long, and one that breaks the decoder when it is its turn.
#[test]
fn several_texts_give_what_each_gives_and_one_stops_no_other() {
    let long = format!("Brand=Nike {} Color=white", "lorem ipsum ".repeat(500));
    let texts = ["Brand=Puma Color=red", "", long.as_str(), "Color=blue", "Size=42"];
    let features = features("Brand, Color");
    let stop_tokens = [u32::from('\n'), END_OF_TEXT];
    let language = language(&stop_tokens);
    let many = |script: &mut Script| {
        let go_on = &mut |_, _| ControlFlow::Continue(());
        pollster::block_on(extract_many_with(script, language, &texts, &features, go_on))
    };
    let check = |results: Vec<Result<Extraction, ExtractError>>| {
        assert_eq!(results.len(), texts.len());
        for (text, result) in texts.iter().zip(results) {
            match extract(&mut Script::new(&lookup), text, "Brand, Color") {
                Ok(expected) => assert_eq!(result.unwrap(), expected, "{text:.20}"),
                Err(_) => assert!(matches!(result, Err(ExtractError::Task(_))), "{text:.20}"),
            }
        }
    };
    let mut script = Script::new(&lookup);
    check(many(&mut script));
    let first: Vec<usize> = script.jobs.iter().take(3).map(|job| job.prefix.len()).collect();
    assert!(first.iter().all(|tokens| *tokens < 60), "short texts run together: {first:?}");

    // All break: each text has its own error, those that are refused before anything runs theirs.
    let mut broken = Script { rows_before_failure: Some(1), ..Script::new(&lookup) };
    for (text, result) in texts.iter().zip(many(&mut broken)) {
        match text.is_empty() {
            true => assert!(matches!(result, Err(ExtractError::Task(_)))),
            false => assert!(matches!(result, Err(ExtractError::Engine { .. })), "{text:.20}"),
        }
    }
}

#[test]
fn stop_is_heard_among_several_texts_and_none_is_asked_again() {
    let long = format!("Brand=Nike {} Color=white", "lorem ipsum ".repeat(500));
    let texts = [long.as_str(), "Brand=Puma Color=red", "Color=blue", long.as_str()];
    let features = features("Brand, Color");
    let stop_tokens = [u32::from('\n'), END_OF_TEXT];
    let language = language(&stop_tokens);
    // At the first answer of a short text; then at the first of the long one, after both short ones.
    for (stopping, finished) in [(1, 0), (0, 2)] {
        let mut script = Script::new(&lookup);
        let stop = &mut |number: usize, progress: Progress| match progress {
            Progress::Feature { .. } if number == stopping => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let results =
            pollster::block_on(extract_many_with(&mut script, language, &texts, &features, stop));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), finished);
        let stopped = |result: &_| matches!(result, Err(ExtractError::Cancelled { .. }));
        assert_eq!(results.iter().filter(|result| stopped(result)).count(), 4 - finished);
        let begun = results[stopping].as_ref().unwrap_err().finished();
        assert!(begun.is_some_and(|begun| !begun.features.is_empty()), "answers were lost");
    }
}
