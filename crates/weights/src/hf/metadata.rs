//! GGUF metadata out of a model's description.

use crate::config::{Family, ModelConfig};
use crate::metadata::Metadata;

/// The pairs from which [`ModelConfig::from_gguf`] reads `config` again, and the model's `name`.
pub fn metadata_of(config: &ModelConfig, name: &str) -> Metadata {
    let llama = config.family == Family::Llama;
    let family = if llama { "llama" } else { "phi2" };
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", family);
    metadata.insert("general.name", name);
    let sizes = [
        ("vocab_size", config.vocab_size),
        ("context_length", config.max_position_embeddings),
        ("embedding_length", config.hidden_size),
        ("block_count", config.num_hidden_layers),
        ("feed_forward_length", config.intermediate_size),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
        ("rope.dimension_count", config.rotary_dim),
        // 0: no window.
        ("attention.sliding_window", config.sliding_window.unwrap_or(0)),
    ];
    for (key, size) in sizes {
        // Sizes were checked to be far below u32's limit.
        metadata.insert(format!("{family}.{key}"), size as u32);
    }
    metadata.insert(format!("{family}.rope.freq_base"), config.rope_theta);
    let norm = if llama { "layer_norm_rms_epsilon" } else { "layer_norm_epsilon" };
    metadata.insert(format!("{family}.attention.{norm}"), config.norm_eps);
    metadata
}
