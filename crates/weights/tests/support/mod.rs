//! Comparing a tokenizer with recorded ids, natively and in wasm.

use hangtag_weights::gguf::read_metadata;
use hangtag_weights::{ByteSource, MemorySource, Metadata, Position, Tokenizer};
use serde::Deserialize;

/// The ids of one text.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub start: Vec<u32>,
    pub continuation: Vec<u32>,
}

/// One of the small tokenizers and what was recorded of it.
pub struct Golden {
    pub name: &'static str,
    pub gguf: &'static [u8],
    pub ids: &'static str,
    /// How a text comes back when it is decoded.
    pub decoded: fn(&str) -> String,
}

pub const TEXTS: &str = include_str!("../golden/texts.json");

#[allow(dead_code)] // not by every test that uses this module
pub const SMALL: [Golden; 3] = [
    Golden {
        name: "smollm",
        gguf: include_bytes!("../golden/smollm.gguf"),
        ids: include_str!("../golden/smollm.ids.json"),
        decoded: str::to_owned,
    },
    Golden {
        name: "phi-2",
        gguf: include_bytes!("../golden/phi-2.gguf"),
        ids: include_str!("../golden/phi-2.ids.json"),
        decoded: str::to_owned,
    },
    Golden {
        name: "llama",
        gguf: include_bytes!("../golden/llama.gguf"),
        ids: include_str!("../golden/llama.ids.json"),
        decoded: |text| text.replace('▁', " "),
    },
];

pub async fn metadata_of(source: &impl ByteSource) -> Metadata {
    read_metadata(source).await.expect("a readable header")
}

#[allow(dead_code)]
impl Golden {
    pub async fn metadata(&self) -> Metadata {
        metadata_of(&MemorySource::new(self.name, self.gguf)).await
    }

    /// Differences between the tokenizer of `metadata` and the recorded ids, one a line.
    pub fn differences(&self, metadata: &Metadata) -> Vec<String> {
        let tokenizer = Tokenizer::from_gguf(metadata).expect("a usable tokenizer");
        differences(&tokenizer, TEXTS, self.ids, self.decoded)
    }
}

/// Differences between a tokenizer and recorded ids, and between texts and what is decoded from their ids.
pub fn differences(
    tokenizer: &Tokenizer,
    texts: &str,
    ids: &str,
    decoded: fn(&str) -> String,
) -> Vec<String> {
    let texts: Vec<String> = serde_json::from_str(texts).expect("texts");
    let recorded: Vec<Recorded> = serde_json::from_str(ids).expect("ids");
    assert_eq!(texts.len(), recorded.len());
    assert!(texts.len() > 100);
    let mut differences = Vec::new();
    for (text, recorded) in texts.iter().zip(&recorded) {
        let encode = |at| tokenizer.encode(text, at).expect("ids");
        let at_start = encode(Position::Start);
        if at_start != recorded.start {
            differences.push(format!(
                "{text:?} at the start: {at_start:?}, recorded {:?}",
                recorded.start
            ));
        }
        let ids = encode(Position::Continuation);
        if ids != recorded.continuation {
            differences.push(format!("{text:?}: {ids:?}, recorded {:?}", recorded.continuation));
        }
        let back = tokenizer.decode(&recorded.continuation);
        if back != decoded(text) {
            differences.push(format!("{text:?} decodes to {back:?}"));
        }
    }
    differences
}
