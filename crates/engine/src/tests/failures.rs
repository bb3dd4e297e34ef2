//! What stays in the prefix store after the GPU has failed.

use std::ops::ControlFlow;

use hangtag_weights::ModelConfig;
use hangtag_weights::random::{RandomWeights, shape};

use super::harness::gpu;
use crate::{Engine, EngineError, EngineOptions, Event, GeneratedToken, Job, RowRequest};

fn config() -> ModelConfig {
    ModelConfig {
        vocab_size: 96,
        hidden_size: 64,
        intermediate_size: 96,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 16,
        rotary_dim: 16,
        ..shape("tinyllama-1.1b").expect("a known shape")
    }
}

async fn engine() -> Engine {
    let config = config();
    let gguf = RandomWeights::open("random", &config).await.expect("whole blocks");
    let options = EngineOptions { context_tokens: 128, ..EngineOptions::default() };
    let gpu = gpu(false).await;
    Engine::load(gpu, &gguf, config, options, |_| {}).await.expect("a small model")
}

fn job(first: u32, prefix: u32) -> Job {
    let rows = vec![RowRequest { suffix: vec![1, 2], max_new_tokens: 5 }];
    Job { prefix: (first..first + prefix).collect(), rows, stop_tokens: vec![] }
}

/// The row's answer and the tokens of the prefix that were in the cache. At the event number `fails_at`, from 1 on, the GPU
/// reports an error.
async fn run(
    engine: &mut Engine,
    job: &Job,
    fails_at: usize,
) -> Result<(Vec<GeneratedToken>, usize), EngineError> {
    let device = engine.gpu().device.clone();
    let (mut answer, mut events) = (Vec::new(), 0);
    let mut on_event = |event| {
        events += 1;
        if events == fails_at {
            fail(&device);
        }
        if let Event::Row { tokens, .. } = event {
            answer = tokens;
        }
        ControlFlow::Continue(())
    };
    let stats = engine.run(job, &mut on_event).await?;
    Ok((answer, stats.cached_prefix_tokens))
}

/// Asks for a buffer that is good for nothing, which is an error.
fn fail(device: &wgpu::Device) {
    let _ = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::empty(),
        mapped_at_creation: false,
    });
}

#[test]
fn no_prefix_is_kept_over_a_failure_of_the_gpu() {
    pollster::block_on(async {
        let mut engine = engine().await;
        let (kept, failing) = (job(10, 30), job(50, 40));
        let expected = run(&mut engine, &failing, 0).await.expect("it runs");
        // Before the prefix is computed, before the suffix, before a token.
        for fails_at in [1, 2, 4] {
            engine.clear_prefix_cache();
            let first = run(&mut engine, &kept, 0).await.expect("it runs");
            assert_eq!(run(&mut engine, &kept, 0).await.expect("it runs").1, 30);
            let failed = run(&mut engine, &failing, fails_at).await;
            assert!(
                matches!(failed, Err(EngineError::Device(_))),
                "at event {fails_at}: {failed:?}"
            );
            assert_eq!(run(&mut engine, &failing, 0).await.expect("it runs"), expected);
            assert_eq!(run(&mut engine, &kept, 0).await.expect("it runs"), first);
        }
    });
}

#[test]
fn what_does_not_fit_whole_is_made_smaller_before_it_is_refused() {
    pollster::block_on(async {
        let config = config();
        let gguf = RandomWeights::open("random", &config).await.expect("whole blocks");
        let gpu = gpu(false).await;
        let fit = |limit| {
            let options = EngineOptions { memory_limit_bytes: limit, ..EngineOptions::default() };
            Engine::fit(&gguf, &config, &options, gpu.describe())
        };
        let (options, whole) = fit(None).expect("a small model");
        assert_eq!(options, EngineOptions::default());

        let (smaller, plan) = fit(Some(whole.total_bytes() - 1)).expect("a smaller batch");
        assert!(smaller.max_rows < options.max_rows);
        assert_eq!(smaller.context_tokens, options.context_tokens);
        let (short, least) = fit(Some(plan.total_bytes() / 2)).expect("a smaller context");
        assert!(short.context_tokens < options.context_tokens);
        assert!(least.total_bytes() <= plan.total_bytes() / 2);
        Engine::load(gpu, &gguf, config.clone(), short, |_| {}).await.expect("the sizes that fit");
    });
}

#[test]
fn what_the_gpu_has_room_for_now_is_what_fits() {
    pollster::block_on(async {
        let config = config();
        let gguf = RandomWeights::open("random", &config).await.expect("whole blocks");
        let gpu = gpu(false).await;
        let options = EngineOptions::default();
        let now = Engine::fit_now(&gguf, &config, &options, &gpu).await.expect("a small model");
        assert_eq!(now, Engine::fit(&gguf, &config, &options, gpu.describe()).expect("as small"));
    });
}

#[test]
fn a_model_over_every_limit_is_refused_with_figures() {
    pollster::block_on(async {
        let config = config();
        let gguf = RandomWeights::open("random", &config).await.expect("whole blocks");
        let gpu = gpu(false).await;
        let options = EngineOptions { memory_limit_bytes: Some(1), ..EngineOptions::default() };
        let error = Engine::fit(&gguf, &config, &options, gpu.describe()).expect_err("a byte");
        assert!(error.is_memory() && error.to_string().contains("MiB"), "{error}");
        assert!(Engine::load(gpu, &gguf, config, options, |_| {}).await.is_err());
    });
}
