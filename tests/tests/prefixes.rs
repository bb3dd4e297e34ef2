//! Kept prefixes change no answer, and what was read once is not read again while there is room.

use anyhow::Result;
use hangtag_engine::{Constraint, Engine, EngineError, EngineOptions, Event, Job, JobStats};
use hangtag_tests::engines::{Answer, engine, run, run_many, small_options};
use hangtag_tests::goldens;
use hangtag_tests::jobs::{assert_same, mixed_job, tokens};
use hangtag_weights::DType;
use std::ops::ControlFlow;

fn asked(jobs: &[Job]) -> Vec<(&Job, Option<&dyn Constraint>)> {
    jobs.iter().map(|job| (job, None)).collect()
}

/// What the engine tells of the prefix's tokens while it runs a job.
fn prefill_reports(engine: &mut Engine, job: &Job) -> Result<Vec<(usize, usize)>> {
    let mut reports = Vec::new();
    pollster::block_on(engine.run(job, &mut |event| {
        if let Event::Prefill { done, total } = event {
            reports.push((done, total));
        }
        ControlFlow::Continue(())
    }))?;
    Ok(reports)
}

/// Each job by itself, with nothing kept.
fn one_by_one(engine: &mut Engine, jobs: &[Job]) -> Result<Vec<(Vec<Answer>, JobStats)>> {
    let mut alone = |job| {
        engine.clear_prefix_cache();
        Ok(run(engine, job)?)
    };
    let all = jobs.iter().map(&mut alone).collect();
    engine.clear_prefix_cache();
    all
}

#[test]
fn returning_to_an_earlier_text_computes_nothing_of_it() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut engine) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        let jobs = [(30, 60, 5), (31, 137, 9), (32, 1, 3), (33, 90, 2)];
        let jobs = jobs.map(|(seed, prefix, rows)| mixed_job(seed, prefix, rows));
        let expected = one_by_one(&mut engine, &jobs)?;
        for job in &jobs {
            assert_eq!(run(&mut engine, job)?.1.cached_prefix_tokens, 0);
        }
        for (job, (expected, _)) in jobs.iter().zip(&expected) {
            let (answers, stats) = run(&mut engine, job)?;
            let len = job.prefix.len();
            assert_same(&format!("{name}, text of {len}"), &answers, expected);
            assert_eq!(stats.cached_prefix_tokens, len);
            assert_eq!(prefill_reports(&mut engine, job)?, [(len, len)]);
        }
    }
    Ok(())
}

#[test]
fn texts_of_a_list_are_kept_and_the_same_text_is_read_once() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut engine) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        let mut jobs: Vec<Job> = (40..44).map(|seed| mixed_job(seed, 50, 3)).collect();
        jobs[3].prefix = jobs[1].prefix.clone();
        let expected = one_by_one(&mut engine, &jobs)?;
        run(&mut engine, &jobs[2])?;
        // The list finds one text, reads two, and leaves all three.
        for cached in [[0, 0, 50, 50], [50; 4]] {
            let (together, stats) = run_many(&mut engine, &asked(&jobs))?;
            for (number, (expected, _)) in expected.iter().enumerate() {
                assert_same(&format!("{name}, job {number}"), &together[number], expected);
            }
            assert_eq!(stats.iter().map(|s| s.cached_prefix_tokens).collect::<Vec<_>>(), cached);
        }
        assert_eq!(run(&mut engine, &jobs[0])?.1.cached_prefix_tokens, 50);
    }
    Ok(())
}

/// Texts of which some go on, some change and some return, in a context that holds few of them; now and then one is
/// stopped. Each has the answers and the waves that it has with nothing kept.
#[test]
fn kept_prefixes_change_neither_answers_nor_waves() -> Result<()> {
    for name in ["llama", "mistral"] {
        let options = EngineOptions { context_tokens: 320, ..small_options() };
        let Some(mut engine) = engine(name, DType::F32, false, options)? else { return Ok(()) };
        let jobs = texts();
        let expected = one_by_one(&mut engine, &jobs)?;
        let (mut reused, mut whole) = (0, 0);
        for (number, (job, (expected, alone))) in jobs.iter().zip(&expected).enumerate() {
            if number % 5 == 3 {
                stop(&mut engine, &jobs[(number * 7) % jobs.len()], number % 4 + 1);
            }
            if number % 6 == 4 {
                run_many(&mut engine, &asked(&jobs[number - 3..number]))?;
            }
            let (answers, stats) = run(&mut engine, job)?;
            let what = format!("{name}, job {number}");
            assert_same(&what, &answers, expected);
            assert_eq!(stats.decode_steps, alone.decode_steps, "{what}: smaller waves");
            reused += stats.cached_prefix_tokens;
            whole += usize::from(stats.cached_prefix_tokens == job.prefix.len());
        }
        assert!(reused > 300 && whole >= 2, "{name}: {reused} tokens, {whole} whole texts reused");
    }
    Ok(())
}

/// Thirty jobs with four beginnings.
fn texts() -> Vec<Job> {
    let text = |i: usize| {
        let (seed, number) = (50 + (i * i % 6) as u32, i as u32);
        let (common, own) = (40 + i * 11 % 40, [0, 0, 9, 30][i % 4]);
        let prefix = [tokens(seed, common), tokens(200 + number, own)].concat();
        Job { prefix, ..mixed_job(number, 0, [2, 3, 4, 5, 3, 2, 4, 3, 5, 14][i % 10]) }
    };
    (0..30).map(text).collect()
}

/// Runs a job up to its event number `events`.
fn stop(engine: &mut Engine, job: &Job, mut events: usize) {
    let stopped = pollster::block_on(engine.run(job, &mut |_| {
        events -= 1;
        if events == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }));
    assert!(matches!(stopped, Err(EngineError::Cancelled)), "{stopped:?}");
}
