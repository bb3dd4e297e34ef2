//! A weight matrix as the GPU keeps it: tiles of 64 rows, words of four neighbouring rows together
//! (see shader/shared/matrix.wgsl), 4-bit weights as 4-bit.

use half::f16;
use hangtag_weights::{DType, blocks};

use crate::error::EngineError;

/// Rows of a tile.
pub const TILE_ROWS: usize = 64;

/// How a matrix is kept on the GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatrixFormat {
    /// 4 bits a weight, scale and minimum of each 32 as two f16: Q4_0 and Q4_1.
    Q4,
    /// 8 bits a weight, scale of each 32: Q8_0.
    Q8,
    /// f16; also what Q4_K, Q5_K and Q6_K are expanded to.
    F16,
    /// f32; also what BF16, whose range f16 lacks, is expanded to.
    F32,
}

impl MatrixFormat {
    /// Every format.
    pub const ALL: [MatrixFormat; 4] = [Self::Q4, Self::Q8, Self::F16, Self::F32];

    /// The format that keeps a file's type.
    #[must_use]
    pub fn of(dtype: DType) -> MatrixFormat {
        match dtype {
            DType::Q4_0 | DType::Q4_1 => Self::Q4,
            DType::Q8_0 => Self::Q8,
            DType::F16 | DType::Q4K | DType::Q5K | DType::Q6K => Self::F16,
            DType::F32 | DType::BF16 => Self::F32,
        }
    }

    /// The format that keeps rows of both: F16 or F32 where they differ.
    #[must_use]
    pub fn and(self, other: MatrixFormat) -> MatrixFormat {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::F32, _) | (_, Self::F32) => Self::F32,
            _ => Self::F16,
        }
    }

    /// Weights in one 32-bit word.
    #[must_use]
    pub fn weights_per_word(self) -> usize {
        match self {
            Self::Q4 => 8,
            Self::Q8 => 4,
            Self::F16 => 2,
            Self::F32 => 1,
        }
    }

    /// Whether 32 columns share a scale.
    #[must_use]
    pub fn has_scales(self) -> bool {
        matches!(self, Self::Q4 | Self::Q8)
    }

    /// The columns must be a multiple of this.
    #[must_use]
    pub fn column_multiple(self) -> usize {
        if self.has_scales() { 32 } else { 8 }
    }

    /// Words of weights of one tile.
    #[must_use]
    pub fn tile_words(self, columns: usize) -> usize {
        TILE_ROWS * columns / self.weights_per_word()
    }

    /// Words of scales of one tile.
    #[must_use]
    pub fn tile_scales(self, columns: usize) -> usize {
        if self.has_scales() { TILE_ROWS * columns / 32 } else { 0 }
    }

    /// Bytes on the GPU of a tile, scales included.
    #[must_use]
    pub fn tile_bytes(self, columns: usize) -> u64 {
        4 * (self.tile_words(columns) + self.tile_scales(columns)) as u64
    }
}

/// Rows of a matrix in the GPU's layout; the last tile is filled up with zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// How the weights are kept.
    pub format: MatrixFormat,
    /// (tiles, columns / weights_per_word, 64)
    pub words: Vec<u32>,
    /// (tiles, columns / 32, 64) scale and minimum as two f16, or empty
    pub scales: Vec<u32>,
}

/// Packs rows of a tensor as they are in the file.
///
/// `bytes` holds `rows` × `columns` values of type `dtype`, row-major.
///
/// # Errors
/// If `bytes` is not of that size.
pub fn pack(
    dtype: DType,
    bytes: &[u8],
    rows: usize,
    columns: usize,
) -> Result<Packed, EngineError> {
    let row_bytes = columns / dtype.block_size() * dtype.block_bytes();
    let format = MatrixFormat::of(dtype);
    if bytes.len() != rows * row_bytes || !columns.is_multiple_of(format.column_multiple()) {
        return Err(EngineError::Unsupported {
            what: "the number of a matrix's columns",
            found: columns,
            rule: "a multiple of 32 (of 8 for f16 and f32)",
        });
    }
    let rows: Vec<_> = bytes.chunks_exact(row_bytes.max(1)).map(|row| (dtype, row)).collect();
    pack_rows(format, &rows, columns)
}

/// Packs rows of `columns` values, each in its own file type; those of another format are expanded.
///
/// # Errors
/// If a row is not of that size.
pub(crate) fn pack_rows(
    format: MatrixFormat,
    rows: &[(DType, &[u8])],
    columns: usize,
) -> Result<Packed, EngineError> {
    let tiles = rows.len().div_ceil(TILE_ROWS);
    let mut packed = Packed {
        format,
        words: vec![0; tiles * format.tile_words(columns)],
        scales: vec![0; tiles * format.tile_scales(columns)],
    };
    for (row, (dtype, bytes)) in rows.iter().enumerate() {
        let (words, scales) = row_words(format, *dtype, bytes)?;
        let at = |i: usize, per_row: usize| {
            (row / TILE_ROWS * per_row + i) * TILE_ROWS + row % TILE_ROWS
        };
        for (i, word) in words.iter().enumerate() {
            packed.words[at(i, words.len())] = *word;
        }
        for (i, scale) in scales.iter().enumerate() {
            packed.scales[at(i, scales.len())] = *scale;
        }
    }
    Ok(packed)
}

/// The words and scales of one row.
fn row_words(
    format: MatrixFormat,
    dtype: DType,
    bytes: &[u8],
) -> Result<(Vec<u32>, Vec<u32>), EngineError> {
    let (mut words, mut scales) = (Vec::new(), Vec::new());
    let mut block = |block: &[u8], scale: u16, minimum: u16, quants: usize| {
        scales.push(u32::from(scale) | u32::from(minimum) << 16);
        words.extend(block[quants..].chunks_exact(4).map(le_word));
    };
    let le16 = |b: &[u8], at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
    let in_blocks = bytes.chunks_exact(dtype.block_bytes());
    match (format, dtype) {
        // value = (nibble - 8) · scale: -8 · scale is a shift of the exponent, so f16 holds it exactly.
        (MatrixFormat::Q4, DType::Q4_0) => in_blocks.for_each(|b| {
            let scale = f16::from_bits(le16(b, 0));
            block(b, scale.to_bits(), f16::from_f32(-8.0 * scale.to_f32()).to_bits(), 2);
        }),
        (MatrixFormat::Q4, _) => in_blocks.for_each(|b| block(b, le16(b, 0), le16(b, 2), 4)),
        (MatrixFormat::Q8, _) => in_blocks.for_each(|b| block(b, le16(b, 0), 0, 2)),
        (MatrixFormat::F16, DType::F16) | (MatrixFormat::F32, DType::F32) => {
            words.extend(bytes.chunks_exact(4).map(le_word));
        }
        (MatrixFormat::F16, _) => {
            words.extend(dequantized(dtype, bytes)?.chunks_exact(2).map(|pair| {
                let bits = |x: f32| u32::from(f16::from_f32(x).to_bits());
                bits(pair[0]) | bits(pair[1]) << 16
            }));
        }
        (MatrixFormat::F32, _) => {
            words.extend(dequantized(dtype, bytes)?.into_iter().map(f32::to_bits));
        }
    }
    Ok((words, scales))
}

fn le_word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

pub(crate) fn dequantized(dtype: DType, bytes: &[u8]) -> Result<Vec<f32>, EngineError> {
    blocks::dequantize(dtype, bytes).map_err(|error| EngineError::Job(error.to_string()))
}

impl Packed {
    /// The weight at (`row`, `column`), as the kernels see it.
    #[must_use]
    pub fn weight(&self, columns: usize, row: usize, column: usize) -> f32 {
        let (tile, lane) = (row / TILE_ROWS, row % TILE_ROWS);
        let word = |i: usize| {
            self.words[(tile * (columns / self.format.weights_per_word()) + i) * TILE_ROWS + lane]
        };
        let half = |bits: u32| f16::from_bits((bits & 0xffff) as u16).to_f32();
        let (scale, minimum) = if self.format.has_scales() {
            let s = self.scales[(tile * (columns / 32) + column / 32) * TILE_ROWS + lane];
            (half(s), half(s >> 16))
        } else {
            (1.0, 0.0)
        };
        match self.format {
            MatrixFormat::Q4 => {
                let in_block = column % 32;
                let bits = word(column / 32 * 4 + in_block % 16 / 4);
                let nibble = bits >> (8 * (in_block % 4) + 4 * (in_block / 16)) & 15;
                nibble as f32 * scale + minimum
            }
            MatrixFormat::Q8 => {
                f32::from((word(column / 4) >> (8 * (column % 4))) as u8 as i8) * scale
            }
            MatrixFormat::F16 => half(word(column / 2) >> (16 * (column % 2))),
            MatrixFormat::F32 => f32::from_bits(word(column)),
        }
    }
}
