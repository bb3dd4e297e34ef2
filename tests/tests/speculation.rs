//! Drafted tokens change no answer and no probability, whatever they are; those that are right save steps.

use anyhow::{Context, Result};
use hangtag_engine::{
    Constraint, Engine, EngineOptions, Finish, GeneratedToken, Job, JobStats, RowRequest,
    Speculation, TokenSet,
};
use hangtag_extract::{Extractor, MAX_ANSWER_TOKENS, Spans};
use hangtag_task::{parse_feature_list, prefix, suffix};
use hangtag_tests::engines::{Answer, engine, gpu, run_constrained, run_many, small_options};
use hangtag_tests::goldens;
use hangtag_tests::jobs::{VOCAB_SIZE, assert_same, mixed_job};
use hangtag_tests::require::require;
use hangtag_weights::{DType, FileSource, Gguf, fetch};
use std::fmt;
use std::rc::Rc;

/// Of a row, a place in its answer and the token that is right there, the token that is drafted.
type Guess = fn(usize, usize, Option<u32>) -> u32;

const GUESSES: [(&str, Guess); 4] = [
    ("right", |_, _, right| right.unwrap_or(7)),
    ("wrong", |_, _, right| (right.unwrap_or(7) + 1) % VOCAB_SIZE),
    ("now and then wrong", |row, place, right| match (row + place) % 3 {
        0 => (right.unwrap_or(7) + 1) % VOCAB_SIZE,
        _ => right.unwrap_or(7),
    }),
    // Stop tokens, too, and what is no token.
    ("rubbish", |row, place, _| (7919 * (31 * row + place) as u32) % (VOCAB_SIZE + 90)),
];

/// Drafts more than it is asked for, made of known answers. One token in seven is allowed, or any.
struct Drafts {
    answers: Vec<Vec<u32>>,
    guess: Guess,
    masked: bool,
}

impl fmt::Debug for Drafts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drafts")
    }
}

impl Constraint for Drafts {
    fn allowed(&self, row: usize, answer: &[u32]) -> Option<Rc<TokenSet>> {
        let mut set = TokenSet::default();
        let seventh = |id: &u32| *id as usize % 7 == (row + answer.len()) % 7;
        (0..VOCAB_SIZE).filter(seventh).for_each(|id| set.insert(id));
        self.masked.then(|| Rc::new(set))
    }

    fn draft(&self, row: usize, answer: &[u32], count: usize) -> Vec<u32> {
        let Some(known) = self.answers.get(row) else { return Vec::new() };
        let places = answer.len()..answer.len() + count + 9;
        places.map(|place| (self.guess)(row, place, known.get(place).copied())).collect()
    }
}

/// The answers without drafts, and what makes drafts of them.
fn plain(
    engine: &mut Engine,
    job: &Job,
    masked: bool,
) -> Result<(Vec<Answer>, JobStats, Vec<Vec<u32>>)> {
    engine.set_speculation(Speculation::Off);
    let none = Drafts { answers: Vec::new(), guess: GUESSES[0].1, masked };
    let (answers, stats) = run_constrained(engine, job, Some(&none))?;
    assert_eq!((stats.drafted_tokens, stats.accepted_tokens), (0, 0));
    let ids = answers.iter().map(Answer::ids).collect();
    Ok((answers, stats, ids))
}

#[test]
fn drafts_change_steps_and_no_answer() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut engine) = engine(name, DType::Q4_0, false, small_options())? else {
            return Ok(());
        };
        let job = mixed_job(2, 37, 21);
        for masked in [false, true] {
            let (expected, plain, answers) = plain(&mut engine, &job, masked)?;
            for (what, guess) in GUESSES {
                for speculation in [
                    Speculation::Fixed(1),
                    Speculation::Fixed(4),
                    Speculation::Fixed(40),
                    Speculation::Measured,
                ] {
                    engine.set_speculation(speculation);
                    let drafts = Drafts { answers: answers.clone(), guess, masked };
                    let (answers, stats) = run_constrained(&mut engine, &job, Some(&drafts))?;
                    let what = format!("{name}, masked: {masked}, {what}, {speculation:?}");
                    assert_same(&what, &answers, &expected);
                    check_steps(&what, speculation, &stats, &plain);
                }
            }
        }
    }
    Ok(())
}

fn check_steps(what: &str, speculation: Speculation, stats: &JobStats, plain: &JobStats) {
    assert_eq!(stats.generated_tokens, plain.generated_tokens, "{what}");
    assert!(stats.decode_steps <= plain.decode_steps, "{what}: {stats:?}");
    let Speculation::Fixed(count) = speculation else { return };
    if what.contains(", wrong") {
        // They were tried, so that taking them unseen would have shown.
        assert!(stats.drafted_tokens > 100 && stats.accepted_tokens == 0, "{what}: {stats:?}");
        assert_eq!(stats.decode_steps, plain.decode_steps, "{what}");
    }
    if what.contains(", right") {
        // A step has room for 256 tokens, so that not every row of 21 tries 40.
        let most = plain.decode_steps.div_ceil(1 + count.min(10));
        assert!(stats.decode_steps <= most, "{what}: {stats:?}, {plain:?}");
    }
}

#[test]
#[should_panic(expected = "row 1")]
fn a_draft_that_was_taken_unseen_is_noticed() {
    let token = |id| GeneratedToken { id, probability: 0.5 };
    let answer = |ids: [u32; 2]| Answer { tokens: ids.map(token).to_vec(), finish: Finish::Length };
    assert_same("unseen", &[answer([3, 4]), answer([5, 7])], &[answer([3, 4]), answer([5, 6])]);
}

/// Rows whose segments fill the cache to its last slot, so that a token too many would be another row's or none's.
#[test]
fn drafts_end_with_their_rows_slots() -> Result<()> {
    let job = mixed_job(3, 50, 12);
    let slots = |row: &RowRequest| row.suffix.len() + row.max_new_tokens;
    let all = job.prefix.len() + job.rows.iter().map(slots).sum::<usize>();
    for (context_tokens, max_rows) in [(all, 64), (50 + 64, 64), (all, 4)] {
        let options = EngineOptions { context_tokens, max_rows, ..small_options() };
        let Some(mut engine) = engine("llama", DType::F32, false, options)? else {
            return Ok(());
        };
        let (expected, plain, answers) = plain(&mut engine, &job, true)?;
        for (what, guess) in GUESSES {
            engine.set_speculation(Speculation::Fixed(40));
            let drafts = Drafts { answers: answers.clone(), guess, masked: true };
            let (answers, stats) = run_constrained(&mut engine, &job, Some(&drafts))?;
            let what = format!("{what}, {context_tokens} tokens, {max_rows} rows");
            assert_same(&what, &answers, &expected);
            assert!(stats.decode_steps <= plain.decode_steps, "{what}");
        }
    }
    Ok(())
}

#[test]
fn jobs_with_and_without_drafts_run_together() -> Result<()> {
    let Some(mut engine) = engine("phi", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let jobs = [(5, 30, 4), (6, 1, 7), (7, 61, 3)];
    let jobs = jobs.map(|(seed, prefix, rows)| mixed_job(seed, prefix, rows));
    let mut expected = Vec::new();
    let mut drafts = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let (answers, _, ids) = plain(&mut engine, job, number == 2)?;
        expected.push(answers);
        drafts.push(Drafts { answers: ids, guess: GUESSES[2].1, masked: number == 2 });
    }
    engine.set_speculation(Speculation::Fixed(3));
    let constraint = |number: usize| (number != 1).then_some(&drafts[number] as &dyn Constraint);
    let asked: Vec<_> = jobs.iter().enumerate().map(|(i, job)| (job, constraint(i))).collect();
    let (together, stats) = run_many(&mut engine, &asked)?;
    for (number, expected) in expected.iter().enumerate() {
        assert_same(&format!("job {number}"), &together[number], expected);
        assert_eq!(stats[number].accepted_tokens > 0, number != 1, "job {number}");
    }
    Ok(())
}

/// An engine that was loaded to do without has room for one token a row, and for the drafts of fewer rows than it may have.
#[test]
fn an_engine_without_room_for_drafts_does_without() -> Result<()> {
    let options = EngineOptions { max_rows: 9, speculation: Speculation::Off, ..small_options() };
    let Some(mut engine) = engine("llama", DType::F32, false, options)? else { return Ok(()) };
    let job = mixed_job(2, 37, 9);
    let (expected, plain, answers) = plain(&mut engine, &job, false)?;
    engine.set_speculation(Speculation::Fixed(4));
    let drafts = Drafts { answers, guess: GUESSES[0].1, masked: false };
    let (answers, stats) = run_constrained(&mut engine, &job, Some(&drafts))?;
    assert_same("little room", &answers, &expected);
    assert!(stats.accepted_tokens > 0 && stats.decode_steps < plain.decode_steps, "{stats:?}");
    Ok(())
}

const TEXT: &str = "Fjell Tromsø 3-in-1 jacket for women, outer shell of recycled polyester with a waterproof membrane \
                    (10,000 mm water column), detachable inner jacket of fleece, adjustable hood, two-way zip, \
                    navy blue with orange details, size M, 890 g\nWash at 30 degrees with similar colours, do not tumble dry";

/// SmolLM2 answers as it does token by token, with drafts from the text, in fewer steps.
#[test]
fn smollm2_answers_from_the_text_in_fewer_steps() -> Result<()> {
    let found = fetch::fetch("smollm2-135m", &fetch::cache_dir()?, &mut |_| {});
    let Some(path) = require("SmolLM2 with drafts", found) else { return Ok(()) };
    let Some(gpu) = gpu("SmolLM2 with drafts", false) else { return Ok(()) };
    let gguf = pollster::block_on(Gguf::open(vec![FileSource::open(&path)?]))?;
    let options = EngineOptions { context_tokens: 512, max_rows: 8, ..small_options() };
    let mut extractor = pollster::block_on(Extractor::load(gguf, gpu, options, |_| {}))?;
    let features = parse_feature_list("Brand, Material, Features, Color, Weight, Washing")?;
    let task = extractor.task_tokenizer();
    let row = |feature| {
        Ok(RowRequest { suffix: suffix(feature, task)?, max_new_tokens: MAX_ANSWER_TOKENS })
    };
    let job = Job {
        prefix: prefix(extractor.version(), TEXT, task)?,
        rows: features.iter().map(row).collect::<Result<_>>()?,
        stop_tokens: extractor.tokenizer().stop_tokens(),
    };
    let vocabulary = extractor.vocabulary().clone();
    let spans = Spans::new(&vocabulary, TEXT, &features).with_tokens(&job.prefix);
    let mut run = |speculation| {
        extractor.engine_mut().set_speculation(speculation);
        run_constrained(extractor.engine_mut(), &job, Some(&spans))
    };
    let (expected, plain) = run(Speculation::Off)?;
    let longest = expected.iter().map(|answer| answer.tokens.len()).max();
    assert!(longest.context("no answers")? > 8, "no long answer: {expected:?}");
    for speculation in [Speculation::Fixed(3), Speculation::Measured] {
        let (answers, stats) = run(speculation)?;
        assert_same(&format!("{speculation:?}"), &answers, &expected);
        println!("{speculation:?}: {stats:?}, without: {plain:?}");
        if speculation != Speculation::Measured {
            assert!(2 * stats.decode_steps <= plain.decode_steps, "{stats:?}, {plain:?}");
            assert!(3 * stats.accepted_tokens > stats.drafted_tokens, "{stats:?}");
        }
    }
    Ok(())
}
