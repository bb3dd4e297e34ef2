//! Models written as GGUF and opened again.

use anyhow::Result;
use hangtag_weights::export::{Base, Format, GgufType, Options, export};
use hangtag_weights::{Adapter, FileSource, Gguf};
use std::path::Path;

/// `base`, with `adapter` merged in, as a GGUF file of `gguf_type` in the new folder `out`.
///
/// # Errors
/// When it cannot be exported or opened again.
pub fn exported(
    base: &Base,
    adapter: Option<&Adapter>,
    gguf_type: GgufType,
    out: &Path,
) -> Result<Gguf<FileSource>> {
    let name = "exported";
    let options = Options {
        format: Format::Gguf(gguf_type),
        shard_bytes: None,
        name: name.to_owned(),
        base: name.to_owned(),
        adapter: None,
        trained_on: None,
        card: None,
        confidence: None,
        licence: "MIT".to_owned(),
        task_version: hangtag_weights::task_version::UNSAID,
    };
    export(base, adapter, out, &options, &mut |_| {})?;
    let file = FileSource::open(out.join(format!("{name}.gguf")))?;
    Ok(pollster::block_on(Gguf::open(vec![file]))?)
}
