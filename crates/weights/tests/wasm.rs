//! The tokenizers give the recorded ids in wasm too, and files read there as they do natively.
#![cfg(target_arch = "wasm32")]

mod support;

use hangtag_weights::{DType, Gguf, MemorySource, blocks};
use support::SMALL;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn ids_are_the_recorded_ones() {
    for golden in &SMALL {
        let differences = golden.differences(&golden.metadata().await);
        assert!(differences.is_empty(), "{}:\n{}", golden.name, differences.join("\n"));
    }
}

#[wasm_bindgen_test]
async fn the_comparison_can_fail() {
    let mut metadata = SMALL[0].metadata().await;
    metadata.insert("tokenizer.ggml.pre", "gpt-2");
    assert!(!SMALL[0].differences(&metadata).is_empty());
}

#[wasm_bindgen_test]
async fn blocks_dequantise_as_recorded() {
    let source = MemorySource::new("blocks.gguf", include_bytes!("golden/blocks.gguf"));
    let gguf = Gguf::open(vec![source]).await.expect("a readable file");
    let stored = gguf.tensor("Q4_K").expect("the blocks");
    let expected = gguf.tensor("Q4_K.f32").expect("their values");
    let values = blocks::dequantize(DType::Q4K, &gguf.read(stored).await.expect("blocks"));
    let expected = blocks::dequantize(DType::F32, &gguf.read(expected).await.expect("values"));
    assert_eq!(values, expected);
}
