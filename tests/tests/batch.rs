//! The engine's short cuts give what the long way gives: shared prefixes, batches, waves, a cache kept between jobs.

use anyhow::Result;
use hangtag_engine::{
    Constraint, Engine, EngineError, EngineOptions, Event, Finish, Job, RowRequest, TokenSet,
};
use hangtag_tests::compare::{argmax, assert_close, nmse};
use hangtag_tests::engines::{
    Answer, engine, gpu, load, model, run, run_constrained, run_many, small_options,
};
use hangtag_tests::goldens;
use hangtag_tests::jobs::{VOCAB_SIZE, assert_same, mixed_job, tokens};
use hangtag_tests::variants::Variant;
use hangtag_weights::{DType, ModelConfig};
use std::ops::ControlFlow;
use std::rc::Rc;

/// Each row by itself, with nothing cached.
fn one_by_one(engine: &mut Engine, job: &Job) -> Result<Vec<Answer>> {
    let alone = |row: &RowRequest| {
        engine.clear_prefix_cache();
        let (answers, stats) = run(engine, &Job { rows: vec![row.clone()], ..job.clone() })?;
        assert_eq!(stats.cached_prefix_tokens, 0);
        Ok(answers[0].clone())
    };
    job.rows.iter().map(alone).collect()
}

#[test]
fn a_batch_answers_as_its_rows_one_by_one() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut engine) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        for (seed, prefix) in [(1, 1), (2, 37), (3, 130)] {
            let job = mixed_job(seed, prefix, 21);
            let expected = one_by_one(&mut engine, &job)?;
            engine.clear_prefix_cache();
            let (answers, stats) = run(&mut engine, &job)?;
            assert_same(&format!("{name}, prefix of {prefix}"), &answers, &expected);
            assert_eq!((stats.prefix_tokens, stats.cached_prefix_tokens), (prefix, 0));
            assert_eq!(
                stats.suffix_tokens,
                job.rows.iter().map(|row| row.suffix.len()).sum::<usize>()
            );
            assert_eq!(
                stats.generated_tokens,
                answers.iter().map(|answer| answer.tokens.len()).sum::<usize>()
            );
        }
    }
    Ok(())
}

/// The comparison above would be worth little if all rows said the same.
#[test]
fn rows_of_the_mixed_job_differ() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let (answers, _) = run(&mut engine, &mixed_job(2, 37, 21))?;
    let distinct: std::collections::BTreeSet<_> = answers.iter().map(Answer::ids).collect();
    assert!(distinct.len() >= 18, "only {} distinct answers", distinct.len());
    assert!(answers.iter().any(|answer| answer.finish == Finish::Stop), "no row was stopped");
    assert!(
        answers.iter().any(|answer| answer.finish == Finish::Length),
        "no row reached its length"
    );
    Ok(())
}

/// No cache, no batch, no decoding: every token is the likeliest of the logits of all tokens before it.
#[test]
fn answers_are_the_likeliest_tokens_of_the_plain_logits() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut engine) = engine(name, DType::Q4_0, false, small_options())? else {
            return Ok(());
        };
        let job = mixed_job(4, 23, 6);
        let (answers, _) = run(&mut engine, &job)?;
        for (row, answer) in job.rows.iter().zip(&answers) {
            let mut all = [&job.prefix[..], &row.suffix, &answer.ids()].concat();
            all.pop();
            let logits = pollster::block_on(engine.logits(&all))?;
            let first = job.prefix.len() + row.suffix.len() - 1;
            let likeliest: Vec<u32> =
                logits.chunks(VOCAB_SIZE as usize).skip(first).map(argmax).collect();
            assert_eq!(answer.ids(), likeliest, "{name}");
        }
    }
    Ok(())
}

/// A token in seven is allowed, others in each row and at each place; row 1 may say anything, row 2 nothing, which is the same.
#[derive(Debug)]
struct EverySeventh;

impl EverySeventh {
    fn allows(row: usize, place: usize, id: u32) -> bool {
        [1, 2].contains(&row) || id as usize % 7 == (row + place) % 7
    }
}

impl Constraint for EverySeventh {
    fn allowed(&self, row: usize, answer: &[u32]) -> Option<Rc<TokenSet>> {
        let mut set = TokenSet::default();
        let seventh = |id: &u32| row != 2 && Self::allows(row, answer.len(), *id);
        (0..VOCAB_SIZE).filter(seventh).for_each(|id| set.insert(id));
        (row != 1).then(|| Rc::new(set))
    }
}

/// Of the allowed tokens the likeliest by the plain logits, with its probability among all.
#[test]
fn constrained_answers_are_the_likeliest_of_what_is_allowed() -> Result<()> {
    for baseline in [false, true] {
        let Some(mut engine) = engine("llama", DType::Q4_0, baseline, small_options())? else {
            return Ok(());
        };
        let job = mixed_job(4, 23, 9);
        let (answers, _) = run_constrained(&mut engine, &job, Some(&EverySeventh))?;
        for (index, (row, answer)) in job.rows.iter().zip(&answers).enumerate() {
            let mut all = [&job.prefix[..], &row.suffix, &answer.ids()].concat();
            all.pop();
            let logits = pollster::block_on(engine.logits(&all))?;
            let first = job.prefix.len() + row.suffix.len() - 1;
            let places = logits.chunks(VOCAB_SIZE as usize).skip(first).zip(&answer.tokens);
            for (place, (logits, token)) in places.enumerate() {
                let allowed = |id: u32| EverySeventh::allows(index, place, id);
                let masked = logits.iter().zip(0..);
                let masked: Vec<f32> =
                    masked.map(|(x, id)| if allowed(id) { *x } else { f32::MIN }).collect();
                assert_eq!(token.id, argmax(&masked), "row {index}, token {place}");
                let chosen = logits[token.id as usize];
                let probability = 1.0 / logits.iter().map(|x| (x - chosen).exp()).sum::<f32>();
                assert!((token.probability - probability).abs() < 2e-3, "row {index}");
            }
        }
        let (free, _) = run(&mut engine, &job)?;
        assert!(
            free.iter().zip(&answers).any(|(a, b)| a.ids() != b.ids()),
            "nothing was forbidden"
        );
        assert_eq!(free[1].ids(), answers[1].ids());
    }
    Ok(())
}

/// Texts of every length, more than fit at once, and one that fits with no other.
#[test]
fn jobs_that_run_together_answer_as_each_by_itself() -> Result<()> {
    for name in goldens::NAMES {
        for baseline in [false, true] {
            let options = EngineOptions { context_tokens: 700, max_rows: 16, ..small_options() };
            let Some(mut engine) = engine(name, DType::F32, baseline, options)? else {
                return Ok(());
            };
            let sizes = [(1, 2), (37, 5), (130, 4), (64, 3), (9, 21), (50, 1), (40, 5)];
            let jobs: Vec<Job> = (20..)
                .zip(sizes)
                .map(|(seed, (prefix, rows))| mixed_job(seed, prefix, rows))
                .collect();
            let asked: Vec<(&Job, Option<&dyn Constraint>)> = jobs
                .iter()
                .zip(0..)
                .map(|(job, i)| (job, (i % 3 == 0).then_some(&EverySeventh as &dyn Constraint)))
                .collect();
            let (together, stats) = run_many(&mut engine, &asked)?;
            for (number, (job, constraint)) in asked.iter().enumerate() {
                engine.clear_prefix_cache();
                let (expected, alone) = run_constrained(&mut engine, job, *constraint)?;
                assert_same(&format!("{name}, job {number}"), &together[number], &expected);
                assert_eq!(stats[number], alone, "{name}, job {number}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_longest_common_prefix_is_reused_and_changes_nothing() -> Result<()> {
    for name in goldens::NAMES {
        let Some(mut kept) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        let Some(mut fresh) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        let first = mixed_job(5, 60, 5);
        let branch = |keep: usize, more: usize, seed: u32| {
            let prefix = [&first.prefix[..keep], &tokens(seed, more)].concat();
            Job { prefix, ..mixed_job(seed, 0, 5) }
        };
        let jobs = [
            (0, first.clone()),
            (60, first.clone()),      // the same text again
            (60, branch(60, 15, 6)),  // a text that goes on
            (41, branch(41, 30, 7)),  // another end
            (41, branch(41, 0, 8)),   // a text cut short
            (0, mixed_job(9, 50, 5)), // another text
        ];
        for (i, (common, job)) in jobs.iter().enumerate() {
            let (answers, stats) = run(&mut kept, job)?;
            assert_eq!(stats.cached_prefix_tokens, *common, "{name}, job {i}");
            fresh.clear_prefix_cache();
            let (expected, _) = run(&mut fresh, job)?;
            assert_same(&format!("{name}, job {i}"), &answers, &expected);
        }
    }
    Ok(())
}

#[test]
fn plain_logits_leave_the_cached_prefix_alone_or_drop_it() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let job = mixed_job(10, 40, 4);
    let (expected, _) = run(&mut engine, &job)?;
    pollster::block_on(engine.logits(&tokens(11, 25)))?;
    let (answers, _) = run(&mut engine, &job)?;
    assert_same("after logits", &answers, &expected);
    Ok(())
}

#[test]
fn a_job_after_a_cancelled_one_is_right() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let next = mixed_job(12, 33, 9);
    let (expected, _) = run(&mut engine, &next)?;
    let stopped =
        Job { prefix: [&next.prefix[..20], &tokens(13, 200)].concat(), ..mixed_job(13, 0, 9) };
    for event_to_stop_at in [1, 2, 3, 6] {
        let mut events = 0;
        let result = pollster::block_on(engine.run(&stopped, &mut |_| {
            events += 1;
            if events == event_to_stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }));
        assert!(
            matches!(result, Err(EngineError::Cancelled)),
            "stopped at event {event_to_stop_at}"
        );
        assert_eq!(events, event_to_stop_at, "events came after the stop");
        let (answers, _) = run(&mut engine, &next)?;
        assert_same(&format!("after a stop at event {event_to_stop_at}"), &answers, &expected);
    }
    Ok(())
}

#[test]
fn a_dropped_run_leaves_the_engine_usable() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let next = mixed_job(14, 33, 5);
    let (expected, _) = run(&mut engine, &next)?;
    let other = mixed_job(15, 90, 5);
    let mut ignore = |_: Event| ControlFlow::Continue(());
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    {
        let mut running = std::pin::pin!(engine.run(&other, &mut ignore));
        let _ = running.as_mut().poll(&mut context);
    }
    let (answers, _) = run(&mut engine, &next)?;
    assert_same("after a dropped run", &answers, &expected);
    Ok(())
}

#[test]
fn more_rows_than_fit_are_answered_in_waves() -> Result<()> {
    for name in goldens::NAMES {
        let job = mixed_job(16, 40, 23);
        let Some(mut roomy) = engine(name, DType::F32, false, small_options())? else {
            return Ok(());
        };
        let (expected, _) = run(&mut roomy, &job)?;
        let few_rows = EngineOptions { max_rows: 4, ..small_options() };
        // Room for the prefix and the longest row (18 + 23 tokens), and little more.
        let little_context = EngineOptions { context_tokens: 40 + 64, ..small_options() };
        for (what, options) in [("4 rows", few_rows), ("a small context", little_context)] {
            let Some(mut engine) = engine(name, DType::F32, false, options)? else { return Ok(()) };
            let (answers, _) = run(&mut engine, &job)?;
            assert_same(&format!("{name}, {what}"), &answers, &expected);
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_the_figures() -> Result<()> {
    let options = EngineOptions { context_tokens: 96, ..small_options() };
    let Some(mut engine) = engine("llama", DType::F32, false, options)? else { return Ok(()) };
    let fitting = mixed_job(17, 40, 4);
    let (expected, _) = run(&mut engine, &fitting)?;
    let row = RowRequest { suffix: tokens(18, 10), max_new_tokens: 20 };
    let long = Job { prefix: tokens(17, 90), rows: vec![row], stop_tokens: vec![] };
    let error = run(&mut engine, &long).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("96"), "does not name the capacity: {error:?}");
    // 90 + 10 + 20; the last token generated needs no place of its own.
    assert!(error.contains("120") || error.contains("119"), "does not name the need: {error:?}");
    let (answers, _) = run(&mut engine, &fitting)?;
    assert_same("after a refused job", &answers, &expected);
    Ok(())
}

#[test]
fn positions_beyond_the_model_are_refused() -> Result<()> {
    let mut variant = Variant::read(&goldens::open("llama")?)?;
    variant.metadata.insert("llama.context_length", 64_u32);
    let gguf = variant.open(DType::F32, DType::F32)?;
    let Some(gpu) = gpu("llama: positions", false) else { return Ok(()) };
    let mut engine = load(gpu, &gguf, small_options())?;
    let row = RowRequest { suffix: tokens(18, 10), max_new_tokens: 20 };
    let job = Job { prefix: tokens(17, 60), rows: vec![row], stop_tokens: vec![] };
    let error = run(&mut engine, &job).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("64"), "does not name the model's positions: {error:?}");
    Ok(())
}

#[test]
fn too_little_memory_is_refused_before_loading() -> Result<()> {
    let gguf = model("llama", DType::F32)?;
    let config = ModelConfig::from_gguf(&gguf)?;
    let plan = Engine::plan(&gguf, &config, &small_options())?;
    assert!(plan.weights_bytes > 300_000, "{plan}");
    // 2 layers, keys and values, 2 heads of 16 numbers of 2 or 4 bytes, 1024 tokens.
    assert!((262_144..=2 * 524_288).contains(&plan.kv_cache_bytes), "{plan}");
    assert_eq!(plan.total_bytes(), plan.weights_bytes + plan.kv_cache_bytes + plan.scratch_bytes);
    let options =
        EngineOptions { memory_limit_bytes: Some(plan.total_bytes() - 1), ..small_options() };
    let Some(gpu) = gpu("llama: memory limit", false) else { return Ok(()) };
    let error = load(gpu, &gguf, options).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.chars().filter(char::is_ascii_digit).count() >= 4, "no figures in {error:?}");
    Ok(())
}

#[test]
fn jobs_that_make_no_sense_are_errors_or_empty() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let good = mixed_job(19, 12, 3);
    let (answers, _) = run(&mut engine, &Job { rows: vec![], ..good.clone() })?;
    assert!(answers.is_empty());
    let with_row = |suffix: Vec<u32>, max_new_tokens| {
        let rows = vec![good.rows[0].clone(), RowRequest { suffix, max_new_tokens }];
        Job { rows, ..good.clone() }
    };
    assert!(
        run(&mut engine, &with_row(vec![VOCAB_SIZE], 4)).is_err(),
        "a token that does not exist in a suffix"
    );
    assert!(run(&mut engine, &with_row(vec![], 4)).is_err(), "a row without a suffix");
    let strange = Job { prefix: vec![5, u32::MAX], ..good.clone() };
    assert!(run(&mut engine, &strange).is_err(), "a token that does not exist in the prefix");
    let expected = one_by_one(&mut engine, &good)?;
    let (answers, _) = run(&mut engine, &good)?;
    assert_same("after refused jobs", &answers, &expected);
    Ok(())
}

#[test]
fn no_prefix_is_a_prefix_too() -> Result<()> {
    let Some(mut engine) = engine("llama", DType::F32, false, small_options())? else {
        return Ok(());
    };
    let prompt = &goldens::prompts("llama")?[1];
    let rows =
        vec![RowRequest { suffix: prompt.tokens.clone(), max_new_tokens: prompt.greedy.len() }];
    let (answers, _) = run(&mut engine, &Job { prefix: vec![], rows, stop_tokens: vec![] })?;
    assert_eq!(answers[0].ids(), prompt.greedy);
    Ok(())
}

#[test]
fn rounded_products_stay_near_the_exact_ones() -> Result<()> {
    for dtype in [DType::Q4_0, DType::Q8_0] {
        let rounded = EngineOptions { exact_products: false, ..small_options() };
        let Some(mut exact) = engine("llama", dtype, false, small_options())? else {
            return Ok(());
        };
        let Some(mut rounded) = engine("llama", dtype, false, rounded)? else { return Ok(()) };
        assert!(rounded.gpu().describe().tier.integer_dot, "every adapter of wgpu has it");
        let text = tokens(20, 45);
        let expected = pollster::block_on(exact.logits(&text))?;
        let actual = pollster::block_on(rounded.logits(&text))?;
        let error = nmse(&actual, &expected);
        assert!(error < 1e-3, "{dtype:?}: NMSE {error:e}");
        // Exact products would be nearer by far: were these taken, nothing would have been tested.
        assert!(error > 1e-8, "{dtype:?}: NMSE {error:e}, so nothing was rounded");
    }
    Ok(())
}

#[test]
fn the_baseline_tier_answers_as_the_full_one() -> Result<()> {
    for name in goldens::NAMES {
        for (dtype, limit) in
            [(DType::F32, 1e-5), (DType::Q4_0, 1e-4), (DType::Q8_0, 1e-4), (DType::F16, 1e-5)]
        {
            let Some(mut full) = engine(name, dtype, false, small_options())? else {
                return Ok(());
            };
            let Some(mut baseline) = engine(name, dtype, true, small_options())? else {
                return Ok(());
            };
            let tier = baseline.gpu().describe().tier;
            assert!(
                !tier.subgroups && !tier.integer_dot,
                "the baseline uses more than the baseline"
            );
            let text = tokens(20, 45);
            let actual = pollster::block_on(full.logits(&text))?;
            let expected = pollster::block_on(baseline.logits(&text))?;
            assert_close(
                &format!("{name} {dtype:?}, full against baseline"),
                &actual,
                &expected,
                limit,
            );
        }
        let Some(mut baseline) = engine(name, DType::F32, true, small_options())? else {
            return Ok(());
        };
        let job = mixed_job(21, 30, 9);
        let (answers, _) = run(&mut baseline, &job)?;
        assert_same(&format!("{name}, baseline"), &answers, &one_by_one(&mut baseline, &job)?);
    }
    Ok(())
}
