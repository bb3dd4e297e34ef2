//! Model configurations from metadata.
#![cfg(not(target_arch = "wasm32"))]

use hangtag_weights::{
    DType, Family, Gguf, GgufWriter, MemorySource, Metadata, Mlp, ModelConfig, Norm, RopeStyle,
};
use pollster::block_on;

fn llama() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "llama");
    metadata.insert("llama.embedding_length", 64_u32);
    metadata.insert("llama.feed_forward_length", 96_u32);
    metadata.insert("llama.block_count", 2_u32);
    metadata.insert("llama.attention.head_count", 4_u32);
    metadata.insert("llama.attention.head_count_kv", 2_u32);
    metadata.insert("llama.context_length", 128_u32);
    metadata.insert("llama.attention.layer_norm_rms_epsilon", 1e-5_f32);
    metadata
}

fn phi() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "phi2");
    metadata.insert("phi2.embedding_length", 64_u32);
    metadata.insert("phi2.feed_forward_length", 256_u32);
    metadata.insert("phi2.block_count", 1_u32);
    metadata.insert("phi2.attention.head_count", 2_u32);
    metadata.insert("phi2.attention.head_count_kv", 2_u32);
    metadata.insert("phi2.context_length", 2048_u32);
    metadata.insert("phi2.attention.layer_norm_epsilon", 1e-5_f32);
    metadata.insert("phi2.rope.dimension_count", 12_u32);
    metadata
}

fn model(metadata: Metadata, more: &[&str]) -> Gguf<MemorySource> {
    let mut writer = GgufWriter::new(metadata).unwrap();
    writer.add_tensor("token_embd.weight", DType::F16, &[10, 64]).unwrap();
    writer.add_tensor("output_norm.weight", DType::F32, &[64]).unwrap();
    for name in more {
        writer.add_tensor(name, DType::F32, &[2]).unwrap();
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes, &mut |tensor| Ok(vec![0; tensor.num_bytes()])).unwrap();
    block_on(Gguf::open(vec![MemorySource::new("m", bytes)])).unwrap()
}

#[test]
fn llama_is_read() {
    let expected = ModelConfig {
        family: Family::Llama,
        vocab_size: 10,
        hidden_size: 64,
        intermediate_size: 96,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 16,
        max_position_embeddings: 128,
        norm: Norm::RmsNorm,
        norm_eps: 1e-5,
        parallel_block: false,
        rotary_dim: 16,
        rope_theta: 10_000.0,
        rope_style: RopeStyle::Interleaved,
        mlp: Mlp::SwiGlu,
        sliding_window: None,
        tie_word_embeddings: true,
    };
    assert_eq!(ModelConfig::from_gguf(&model(llama(), &[])).unwrap(), expected);
    let mut metadata = llama();
    metadata.insert("llama.attention.sliding_window", 32_u32);
    metadata.insert("llama.rope.freq_base", 1e6_f32);
    metadata.insert("llama.attention.key_length", 32_u32);
    metadata.insert("llama.rope.scaling.type", "none");
    metadata.remove("llama.attention.head_count_kv");
    let changed = ModelConfig {
        num_key_value_heads: 4,
        head_dim: 32,
        rotary_dim: 32,
        rope_theta: 1e6,
        sliding_window: Some(32),
        tie_word_embeddings: false,
        ..expected
    };
    assert_eq!(ModelConfig::from_gguf(&model(metadata, &["output.weight"])).unwrap(), changed);
}

#[test]
fn phi_2_is_read() {
    let expected = ModelConfig {
        family: Family::Phi,
        vocab_size: 10,
        hidden_size: 64,
        intermediate_size: 256,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 2,
        head_dim: 32,
        max_position_embeddings: 2048,
        norm: Norm::LayerNorm,
        norm_eps: 1e-5,
        parallel_block: true,
        rotary_dim: 12,
        rope_theta: 10_000.0,
        rope_style: RopeStyle::Halves,
        mlp: Mlp::GeluTanh,
        sliding_window: None,
        tie_word_embeddings: false,
    };
    let gguf = model(phi(), &["output.weight"]);
    assert_eq!(ModelConfig::from_gguf(&gguf).unwrap(), expected);
}

/// The error for a llama model with one more metadata pair.
fn refused(key: &str, value: impl Into<hangtag_weights::Value>) -> String {
    let mut metadata = llama();
    metadata.insert(key, value);
    ModelConfig::from_gguf(&model(metadata, &[])).expect_err(key).to_string()
}

#[test]
fn what_is_not_supported_is_named() {
    assert!(refused("general.architecture", "qwen2").contains("qwen2"));
    assert!(refused("llama.rope.scaling.type", "yarn").contains("yarn"));
    assert!(refused("llama.rope.scale_linear", 2.0_f32).contains("linear RoPE scaling by 2"));
    assert!(refused("llama.expert_count", 8_u32).contains("experts"));
    assert!(refused("llama.attention.head_count", vec![4_u32, 4]).contains("head_count"));
    assert!(refused("llama.attention.value_length", 8_u32).contains("size 8"));
    for tensor in ["rope_freqs.weight", "rope_factors_long.weight"] {
        let error = ModelConfig::from_gguf(&model(llama(), &[tensor])).unwrap_err();
        assert!(error.to_string().contains(tensor));
    }
}

#[test]
fn implausible_sizes_are_refused() {
    for (key, value, problem) in [
        ("llama.embedding_length", 0_u32, "embedding_length is 0"),
        ("llama.embedding_length", 128, "token_embd.weight has shape"),
        ("llama.feed_forward_length", 0, "feed_forward_length is 0"),
        ("llama.feed_forward_length", u32::MAX, "feed_forward_length is"),
        ("llama.block_count", 0, "block_count is 0"),
        ("llama.block_count", 1000, "1000 layers"),
        ("llama.attention.head_count", 0, "head_count is 0"),
        ("llama.attention.head_count", 5, "does not divide into 5 heads"),
        ("llama.attention.head_count_kv", 0, "head_count_kv is 0"),
        ("llama.attention.head_count_kv", 3, "over 3 key-value heads"),
        ("llama.attention.head_count_kv", 8, "over 8 key-value heads"),
        ("llama.attention.key_length", 258, "head size 258 is over"),
        ("llama.context_length", 0, "context_length is 0"),
        ("llama.rope.dimension_count", 0, "dimension_count is 0"),
        ("llama.rope.dimension_count", 7, "rotary size 7"),
        ("llama.rope.dimension_count", 18, "rotary size 18"),
    ] {
        let error = refused(key, value);
        assert!(error.contains(problem), "{key} {value}: {error}");
    }
    for number in [0.0_f32, -1.0, f32::NAN, f32::INFINITY] {
        assert!(refused("llama.attention.layer_norm_rms_epsilon", number).contains("epsilon"));
        assert!(refused("llama.rope.freq_base", number).contains("RoPE base"));
    }
}

#[test]
fn a_missing_key_is_named() {
    for (key, _) in llama().iter().filter(|(key, _)| !key.ends_with("_kv")) {
        let mut metadata = llama();
        metadata.remove(key);
        let error = ModelConfig::from_gguf(&model(metadata, &[])).expect_err(key);
        assert!(error.to_string().contains(key), "{error}");
    }
}
