//! Other files made out of a golden model on the fly: other dtypes, other names, other metadata.

use anyhow::Result;
use hangtag_weights::{ByteSource, DType, Gguf, GgufWriter, MemorySource, Metadata, blocks};

/// A whole GGUF file as f32 numbers, to be changed and written again.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Metadata of the file to write.
    pub metadata: Metadata,
    /// Name, row-major shape and numbers of each tensor.
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Variant {
    /// Reads and dequantises all of `gguf`.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn read<S: ByteSource>(gguf: &Gguf<S>) -> Result<Self> {
        let mut tensors = Vec::new();
        for tensor in gguf.tensors() {
            let bytes = pollster::block_on(gguf.read(tensor))?;
            let numbers = blocks::dequantize(tensor.dtype, &bytes)?;
            tensors.push((tensor.name.clone(), tensor.shape.clone(), numbers));
        }
        Ok(Self { metadata: gguf.metadata().clone(), tensors })
    }

    /// The numbers of the tensor `name`.
    ///
    /// # Panics
    /// When there is none.
    pub fn tensor_mut(&mut self, name: &str) -> &mut Vec<f32> {
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.0 == name);
        &mut tensor.unwrap_or_else(|| panic!("no tensor {name}")).2
    }

    /// Cuts each fused `attn_qkv` into `attn_q`, `attn_k` and `attn_v`, as converters write Phi-2 from its present repository.
    pub fn split_qkv(&mut self) {
        let fused = std::mem::take(&mut self.tensors);
        for (name, shape, numbers) in fused {
            if !name.contains("attn_qkv") {
                self.tensors.push((name, shape, numbers));
                continue;
            }
            for (part, numbers) in
                ["attn_q", "attn_k", "attn_v"].iter().zip(numbers.chunks(numbers.len() / 3))
            {
                let mut shape = shape.clone();
                shape[0] /= 3;
                self.tensors.push((name.replace("attn_qkv", part), shape, numbers.to_vec()));
            }
        }
    }

    /// The bytes of a GGUF file whose matrices are stored as `matrices`, except embedding and output, stored as `ends`.
    /// Vectors are F32.
    ///
    /// # Errors
    /// When a dtype is one that cannot be written.
    pub fn to_bytes(&self, matrices: DType, ends: DType) -> Result<Vec<u8>> {
        let dtype_of = |name: &str, shape: &[usize]| match name {
            _ if shape.len() < 2 => DType::F32,
            "token_embd.weight" | "output.weight" => ends,
            _ => matrices,
        };
        let mut writer = GgufWriter::new(self.metadata.clone())?;
        let mut stored = Vec::new();
        for (name, shape, numbers) in &self.tensors {
            let dtype = dtype_of(name, shape);
            writer.add_tensor(name, dtype, shape)?;
            stored.push(blocks::quantize(dtype, numbers)?);
        }
        let mut out = Vec::new();
        let mut next = stored.into_iter();
        writer.write(&mut out, &mut |_| Ok(next.next().unwrap_or_default()))?;
        Ok(out)
    }

    /// [`Variant::to_bytes`], opened again.
    ///
    /// # Errors
    /// When a dtype is one that cannot be written.
    pub fn open(&self, matrices: DType, ends: DType) -> Result<Gguf<MemorySource>> {
        let source = MemorySource::new("variant.gguf", self.to_bytes(matrices, ends)?);
        Ok(pollster::block_on(Gguf::open(vec![source]))?)
    }
}
