//! Weights on their way from the file to the GPU, a few megabytes at a time.

use std::ops::Range;

use hangtag_weights::{ByteSource, Gguf, TensorInfo};

use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::matrix::{MatrixFormat, TILE_ROWS, dequantized, pack};
use crate::plan::{LinearSource, NormSource};

/// How far loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of the file that are on the GPU.
    pub loaded_bytes: u64,
    /// Bytes of the file that are needed.
    pub total_bytes: u64,
}

/// File bytes that are read, repacked and uploaded at a time.
const CHUNK_BYTES: usize = 4 << 20;
/// Uploaded bytes after which the queue is drained, so that its staging memory stays small.
const FLUSH_BYTES: u64 = 64 << 20;

/// A matrix on the GPU, in as many parts as the GPU's binding size asks for.
#[derive(Debug)]
pub(crate) struct Linear {
    pub format: MatrixFormat,
    pub rows: usize,
    pub columns: usize,
    pub parts: Vec<Part>,
    pub bias: Option<wgpu::Buffer>,
}

#[derive(Debug)]
pub(crate) struct Part {
    /// Rows of the matrix that stand in this part.
    pub rows: Range<usize>,
    pub words: wgpu::Buffer,
    pub scales: wgpu::Buffer,
}

/// A norm's vectors on the GPU.
#[derive(Debug)]
pub(crate) struct NormWeights {
    pub weight: wgpu::Buffer,
    pub bias: Option<wgpu::Buffer>,
}

pub(crate) struct Loader<'a, S, F> {
    gpu: &'a Gpu,
    gguf: &'a Gguf<S>,
    progress: F,
    loaded_bytes: u64,
    total_bytes: u64,
    unflushed_bytes: u64,
}

impl<'a, S: ByteSource, F: FnMut(LoadProgress)> Loader<'a, S, F> {
    pub fn new(gpu: &'a Gpu, gguf: &'a Gguf<S>, total_bytes: u64, progress: F) -> Self {
        Loader { gpu, gguf, progress, loaded_bytes: 0, total_bytes, unflushed_bytes: 0 }
    }

    pub async fn linear(&mut self, source: &LinearSource) -> Result<Linear, EngineError> {
        let (format, columns) = (source.format(), source.columns());
        let largest = format.tile_words(columns).max(format.tile_scales(columns)) as u64 * 4;
        let limit_bytes = self.gpu.describe().max_binding_bytes;
        let part_rows = (limit_bytes / largest) as usize * TILE_ROWS;
        if part_rows == 0 {
            let what = "a tile of a weight matrix";
            return Err(EngineError::BufferTooLarge { what, needed_bytes: largest, limit_bytes });
        }
        let mut parts = Vec::new();
        for first in (0..source.num_rows()).step_by(part_rows) {
            let rows = first..(first + part_rows).min(source.num_rows());
            parts.push(self.part(source, rows).await?);
        }
        let bias = match &source.bias {
            Some(bias) => Some(self.vector(bias, source.rows.clone()).await?),
            None => None,
        };
        Ok(Linear { format, rows: source.num_rows(), columns, parts, bias })
    }

    pub async fn norm(&mut self, source: &NormSource) -> Result<NormWeights, EngineError> {
        let weight = self.vector(&source.weight, 0..source.weight.num_elements()).await?;
        let bias = match &source.bias {
            Some(bias) => Some(self.vector(bias, 0..bias.num_elements()).await?),
            None => None,
        };
        Ok(NormWeights { weight, bias })
    }

    async fn part(
        &mut self,
        source: &LinearSource,
        rows: Range<usize>,
    ) -> Result<Part, EngineError> {
        let (format, columns) = (source.format(), source.columns());
        let tiles = rows.len().div_ceil(TILE_ROWS);
        let tile_words = 4 * format.tile_words(columns) as u64;
        let tile_scales = 4 * format.tile_scales(columns) as u64;
        let name = &source.weight.name;
        let words = self.gpu.storage(name, tiles as u64 * tile_words);
        let scales = self.gpu.storage(name, tiles as u64 * tile_scales);
        let row_bytes = source.weight.row_bytes().max(1);
        let chunk_rows = (CHUNK_BYTES / row_bytes / TILE_ROWS).max(1) * TILE_ROWS;
        for first in rows.clone().step_by(chunk_rows) {
            let chunk = first..(first + chunk_rows).min(rows.end);
            let in_tensor = source.rows.start + chunk.start..source.rows.start + chunk.end;
            let bytes = self.gguf.read_rows(&source.weight, in_tensor).await?;
            let packed = pack(source.weight.dtype, &bytes, chunk.len(), columns)?;
            let tile = ((first - rows.start) / TILE_ROWS) as u64;
            let queue = &self.gpu.queue;
            queue.write_buffer(&words, tile * tile_words, bytemuck::cast_slice(&packed.words));
            queue.write_buffer(&scales, tile * tile_scales, bytemuck::cast_slice(&packed.scales));
            self.advance(bytes.len()).await?;
        }
        Ok(Part { rows, words, scales })
    }

    /// A vector in f32.
    async fn vector(
        &mut self,
        tensor: &TensorInfo,
        range: Range<usize>,
    ) -> Result<wgpu::Buffer, EngineError> {
        let bytes = self.gguf.read(tensor).await?;
        let values = dequantized(tensor.dtype, &bytes)?;
        let values = values.get(range).unwrap_or_default();
        let buffer = self.gpu.storage(&tensor.name, 4 * values.len() as u64);
        self.gpu.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(values));
        self.advance(bytes.len()).await?;
        Ok(buffer)
    }

    async fn advance(&mut self, bytes: usize) -> Result<(), EngineError> {
        self.loaded_bytes = (self.loaded_bytes + bytes as u64).min(self.total_bytes);
        self.unflushed_bytes += bytes as u64;
        if self.unflushed_bytes >= FLUSH_BYTES {
            self.unflushed_bytes = 0;
            self.gpu.finish().await?;
        }
        let (loaded_bytes, total_bytes) = (self.loaded_bytes, self.total_bytes);
        (self.progress)(LoadProgress { loaded_bytes, total_bytes });
        Ok(())
    }
}
