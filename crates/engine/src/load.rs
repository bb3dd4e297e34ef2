//! Weights on their way from the file to the GPU, a few megabytes at a time.

use std::ops::Range;

use hangtag_weights::{ByteSource, Gguf, TensorInfo};

use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::matrix::{MatrixFormat, Packed, TILE_ROWS, dequantized, pack_rows};
use crate::source::{LinearSource, NormSource, span};

/// How far loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of the file that are on the GPU.
    pub loaded_bytes: u64,
    /// Bytes of the file that are needed.
    pub total_bytes: u64,
}

/// Weights that are read, repacked and uploaded at a time.
const CHUNK_WEIGHTS: usize = 8 << 20;
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
        let bias = match source.has_bias() {
            true => Some(self.bias(source).await?),
            false => None,
        };
        Ok(Linear { format, rows: source.num_rows(), columns, parts, bias })
    }

    pub async fn norm(&mut self, source: &NormSource) -> Result<NormWeights, EngineError> {
        let weight = self.floats(&source.weight).await?;
        let bias = match &source.bias {
            Some(bias) => Some(self.floats(bias).await?),
            None => None,
        };
        let upload = |name, values: Vec<f32>| self.gpu.vector(name, &values);
        Ok(NormWeights {
            weight: upload("norm", weight),
            bias: bias.map(|bias| upload("norm bias", bias)),
        })
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
        let words = self.gpu.storage("weights", tiles as u64 * tile_words);
        let scales = self.gpu.storage("scales", tiles as u64 * tile_scales);
        let chunk_rows = (CHUNK_WEIGHTS / columns.max(1) / TILE_ROWS).max(1) * TILE_ROWS;
        for first in rows.clone().step_by(chunk_rows) {
            let chunk = first..(first + chunk_rows).min(rows.end);
            let packed = self.packed(source, chunk).await?;
            let tile = ((first - rows.start) / TILE_ROWS) as u64;
            let queue = &self.gpu.queue;
            queue.write_buffer(&words, tile * tile_words, bytemuck::cast_slice(&packed.words));
            queue.write_buffer(&scales, tile * tile_scales, bytemuck::cast_slice(&packed.scales));
            self.flush().await?;
        }
        Ok(Part { rows, words, scales })
    }

    /// Rows of a matrix, read from where its pieces have them.
    async fn packed(
        &mut self,
        source: &LinearSource,
        rows: Range<usize>,
    ) -> Result<Packed, EngineError> {
        let origins: Vec<(usize, usize)> = rows.map(|row| source.origin(row)).collect();
        let mut read = Vec::new();
        for (index, piece) in source.pieces.iter().enumerate() {
            let span = span(&origins, index).unwrap_or_default();
            let bytes = self.gguf.read_rows(&piece.weight, span.clone()).await?;
            self.advance(bytes.len());
            read.push((span.start, bytes));
        }
        let row = |&(piece, row): &(usize, usize)| {
            let weight = &source.pieces[piece].weight;
            let (first, bytes) = &read[piece];
            let at = (row - first) * weight.row_bytes();
            (weight.dtype, &bytes[at..at + weight.row_bytes()])
        };
        let rows: Vec<_> = origins.iter().map(row).collect();
        pack_rows(source.format(), &rows, source.columns())
    }

    /// The bias of a matrix's rows, 0 for pieces without one.
    async fn bias(&mut self, source: &LinearSource) -> Result<wgpu::Buffer, EngineError> {
        let mut read = Vec::new();
        for piece in &source.pieces {
            read.push(match &piece.bias {
                Some(bias) => self.floats(bias).await?,
                None => Vec::new(),
            });
        }
        let of_row = |row| {
            let (piece, row) = source.origin(row);
            read[piece].get(row).copied().unwrap_or_default()
        };
        let values: Vec<f32> = (0..source.num_rows()).map(of_row).collect();
        Ok(self.gpu.vector("bias", &values))
    }

    async fn floats(&mut self, tensor: &TensorInfo) -> Result<Vec<f32>, EngineError> {
        let bytes = self.gguf.read(tensor).await?;
        self.advance(bytes.len());
        dequantized(tensor.dtype, &bytes)
    }

    fn advance(&mut self, bytes: usize) {
        self.loaded_bytes = (self.loaded_bytes + bytes as u64).min(self.total_bytes);
        self.unflushed_bytes += bytes as u64;
        let (loaded_bytes, total_bytes) = (self.loaded_bytes, self.total_bytes);
        (self.progress)(LoadProgress { loaded_bytes, total_bytes });
    }

    /// Drains the queue now and then.
    async fn flush(&mut self) -> Result<(), EngineError> {
        if self.unflushed_bytes >= FLUSH_BYTES {
            self.unflushed_bytes = 0;
            self.gpu.finish().await?;
        }
        Ok(())
    }
}
