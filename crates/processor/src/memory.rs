use hangtag_engine::MemoryPlan;
use hangtag_weights::{ByteSource, Gguf, ModelConfig};

use crate::ProcessorError;
use crate::decoder::check;

/// Whether [`ProcessorDecoder::load`](crate::ProcessorDecoder::load) would take the model of `gguf`, by its headers alone, and the
/// memory that it then takes when up to `context_tokens` are read at once.
///
/// # Errors
/// [`ProcessorError::Split`], and what candle's decoders would compute otherwise than the model asks.
pub fn fit<S: ByteSource>(
    gguf: &Gguf<S>,
    config: &ModelConfig,
    context_tokens: usize,
) -> Result<MemoryPlan, ProcessorError> {
    check(config)?;
    let files = gguf.tensors().map(|tensor| tensor.shard + 1).max().unwrap_or(1);
    if files > 1 {
        return Err(ProcessorError::Split(files));
    }
    let stored: usize = gguf.tensors().map(|tensor| tensor.rows() * tensor.row_bytes()).sum();
    let tokens = context_tokens.min(config.max_position_embeddings);
    let f32_bytes = |values: usize| 4 * values as u64;
    let kv_layer = 2 * tokens * config.num_key_value_heads * config.head_dim;
    Ok(MemoryPlan {
        // candle looks tokens up in an embedding of its own, in f32.
        weights_bytes: stored as u64 + f32_bytes(config.vocab_size * config.hidden_size),
        kv_cache_bytes: f32_bytes(config.num_hidden_layers * kv_layer),
        // One layer's keys and values for every query head, and their copies when tokens are added.
        scratch_bytes: f32_bytes(4 * tokens * config.hidden_size),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::tests::{config, gguf};

    #[test]
    fn every_part_grows_with_what_it_is_for() {
        let (gguf, small) = (gguf("llama"), config("llama"));
        let plan = |config: &ModelConfig, context| fit(&gguf, config, context).unwrap();
        let wide = ModelConfig { vocab_size: small.vocab_size + 1, ..small.clone() };
        let more = plan(&wide, 32).weights_bytes - plan(&small, 32).weights_bytes;
        assert_eq!(more, 4 * small.hidden_size as u64);
        assert_eq!(plan(&small, 64).kv_cache_bytes, 2 * plan(&small, 32).kv_cache_bytes);
        assert!(plan(&small, 64).scratch_bytes > plan(&small, 32).scratch_bytes);
        let most = plan(&small, small.max_position_embeddings);
        assert_eq!(plan(&small, usize::MAX), most, "no more than the model knows");
    }
}
