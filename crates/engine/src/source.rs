//! Where a model's tensors stand in its file, and how the engine puts them together.

use std::ops::Range;

use hangtag_weights::{ByteSource, Gguf, Mlp, ModelConfig, Norm, RopeStyle, TensorInfo};

use crate::error::EngineError;
use crate::matrix::{MatrixFormat, TILE_ROWS};

/// A matrix of the engine: rows of one or more tensors that have the same input.
#[derive(Debug, Clone)]
pub(crate) struct LinearSource {
    pub pieces: Vec<Piece>,
    pub order: RowOrder,
}

/// Rows of a tensor.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub weight: TensorInfo,
    pub bias: Option<TensorInfo>,
    pub rows: Range<usize>,
}

/// The order of a matrix's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// One piece below the other.
    Stacked,
    /// Rows of two pieces in turn.
    Alternating,
    /// Stacked, and in each head of the first `rows` rows value i is followed by value i + rotary_dim / 2, with which it
    /// turns. Queries and keys meet only in dot products, which do not mind.
    Paired { rows: usize, head_dim: usize, rotary_dim: usize },
}

impl LinearSource {
    fn one(piece: Piece) -> LinearSource {
        LinearSource { pieces: vec![piece], order: RowOrder::Stacked }
    }

    pub fn num_rows(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows.len()).sum()
    }

    pub fn columns(&self) -> usize {
        self.pieces.first().map_or(0, |piece| piece.weight.columns())
    }

    pub fn format(&self) -> MatrixFormat {
        let formats = self.pieces.iter().map(|piece| MatrixFormat::of(piece.weight.dtype));
        formats.reduce(MatrixFormat::and).unwrap_or(MatrixFormat::F32)
    }

    pub fn bytes(&self) -> u64 {
        self.num_rows().div_ceil(TILE_ROWS) as u64 * self.format().tile_bytes(self.columns())
    }

    pub fn file_bytes(&self) -> u64 {
        self.pieces.iter().map(|p| (p.rows.len() * p.weight.row_bytes()) as u64).sum()
    }

    pub fn has_bias(&self) -> bool {
        self.pieces.iter().any(|piece| piece.bias.is_some())
    }

    /// The piece of the matrix's row, and the row of that piece's tensor.
    pub fn origin(&self, row: usize) -> (usize, usize) {
        let mut row = match self.order {
            RowOrder::Stacked => row,
            RowOrder::Alternating => return (row % 2, self.pieces[row % 2].rows.start + row / 2),
            RowOrder::Paired { rows, head_dim, rotary_dim } => match row % head_dim {
                i if row < rows && i < rotary_dim => row - i + i % 2 * (rotary_dim / 2) + i / 2,
                _ => row,
            },
        };
        let mut piece = 0;
        while piece + 1 < self.pieces.len() && row >= self.pieces[piece].rows.len() {
            row -= self.pieces[piece].rows.len();
            piece += 1;
        }
        (piece, self.pieces[piece].rows.start + row)
    }
}

/// A product of a step, for measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductInfo {
    /// What it computes.
    pub name: &'static str,
    /// How its weights are kept.
    pub format: MatrixFormat,
    /// Rows of its matrix.
    pub rows: usize,
    /// Columns of its matrix.
    pub columns: usize,
    /// How often a step runs it.
    pub count: usize,
}

/// A norm's weight and, for LayerNorm, bias.
#[derive(Debug, Clone)]
pub(crate) struct NormSource {
    pub weight: TensorInfo,
    pub bias: Option<TensorInfo>,
}

/// The tensors of one decoder block.
#[derive(Debug, Clone)]
pub(crate) struct BlockSource {
    pub attention_norm: NormSource,
    /// Queries, keys and values.
    pub query_key_value: LinearSource,
    pub attention_output: LinearSource,
    /// None in parallel blocks, whose MLP reads the attention's norm.
    pub mlp_norm: Option<NormSource>,
    /// Up, or gate and up in turn.
    pub up: LinearSource,
    pub down: LinearSource,
}

/// The tensors of a model, found and of the right shape.
#[derive(Debug, Clone)]
pub(crate) struct ModelSource {
    pub embedding: LinearSource,
    pub blocks: Vec<BlockSource>,
    pub output_norm: NormSource,
    /// None if the embedding is the output layer too.
    pub output: Option<LinearSource>,
}

impl ModelSource {
    /// Finds every tensor that the configuration asks for.
    pub fn find<S: ByteSource>(
        gguf: &Gguf<S>,
        config: &ModelConfig,
    ) -> Result<ModelSource, EngineError> {
        check_config(config)?;
        let finder = Finder { gguf, config };
        let blocks = (0..config.num_hidden_layers).map(|layer| finder.block(layer));
        let (words, hidden) = (config.vocab_size, config.hidden_size);
        Ok(ModelSource {
            embedding: LinearSource::one(finder.piece("token_embd", words, hidden)?),
            blocks: blocks.collect::<Result<_, _>>()?,
            output_norm: finder.norm("output_norm")?,
            output: match config.tie_word_embeddings {
                true => None,
                false => Some(LinearSource::one(finder.piece("output", words, hidden)?)),
            },
        })
    }

    /// Every matrix.
    pub fn linears(&self) -> impl Iterator<Item = &LinearSource> {
        let blocks = self
            .blocks
            .iter()
            .flat_map(|b| [&b.query_key_value, &b.attention_output, &b.up, &b.down]);
        std::iter::once(&self.embedding).chain(blocks).chain(self.output.as_ref())
    }

    /// The products of a step.
    pub fn products(&self) -> Vec<ProductInfo> {
        let info = |name, count, linear: &LinearSource| ProductInfo {
            name,
            format: linear.format(),
            rows: linear.num_rows(),
            columns: linear.columns(),
            count,
        };
        let layers = self.blocks.len();
        let of_block = self.blocks.first().map(|block| {
            [
                ("query, key, value", &block.query_key_value),
                ("attention output", &block.attention_output),
                ("MLP up", &block.up),
                ("MLP down", &block.down),
            ]
        });
        let of_block = of_block.into_iter().flatten();
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        of_block
            .map(|(name, linear)| info(name, layers, linear))
            .chain(std::iter::once(info("output", 1, output)))
            .collect()
    }

    /// Bytes of the vectors in f32, and in the file.
    pub fn vector_bytes(&self) -> (u64, u64) {
        let norms = self
            .blocks
            .iter()
            .flat_map(|b| std::iter::once(&b.attention_norm).chain(b.mlp_norm.as_ref()))
            .chain(std::iter::once(&self.output_norm));
        let norms = norms.flat_map(|n| std::iter::once(&n.weight).chain(n.bias.as_ref()));
        let pieces = self.linears().flat_map(|linear| &linear.pieces);
        let in_file = |v: &TensorInfo| v.num_bytes() as u64;
        let of_norms: (u64, u64) = norms.fold((0, 0), |(f32s, file), v| {
            (f32s + 4 * v.num_elements() as u64, file + in_file(v))
        });
        let biased = self.linears().filter(|linear| linear.has_bias());
        let biases: u64 = biased.map(|linear| 4 * linear.num_rows() as u64).sum();
        let read: u64 = pieces.filter_map(|piece| piece.bias.as_ref()).map(in_file).sum();
        (of_norms.0 + biases, of_norms.1 + read)
    }

    /// Bytes that loading reads from the file.
    pub fn file_bytes(&self) -> u64 {
        self.linears().map(LinearSource::file_bytes).sum::<u64>() + self.vector_bytes().1
    }
}

fn check_config(config: &ModelConfig) -> Result<(), EngineError> {
    let unsupported = |what, found, rule| Err(EngineError::Unsupported { what, found, rule });
    if !config.head_dim.is_multiple_of(4) || config.head_dim > 256 {
        return unsupported("head_dim", config.head_dim, "a multiple of 4 and at most 256");
    }
    if !config.hidden_size.is_multiple_of(8) {
        return unsupported("hidden_size", config.hidden_size, "a multiple of 8");
    }
    if !config.intermediate_size.is_multiple_of(8) {
        return unsupported("intermediate_size", config.intermediate_size, "a multiple of 8");
    }
    if config.rotary_dim == 0 || config.rotary_dim > config.head_dim || config.rotary_dim % 2 == 1 {
        return unsupported("rotary_dim", config.rotary_dim, "even, positive and within head_dim");
    }
    Ok(())
}

struct Finder<'a, S> {
    gguf: &'a Gguf<S>,
    config: &'a ModelConfig,
}

impl<S: ByteSource> Finder<'_, S> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<TensorInfo, EngineError> {
        let tensor = self.gguf.tensor(name)?;
        if tensor.shape != shape {
            return Err(EngineError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(tensor.clone())
    }

    fn piece(&self, name: &str, rows: usize, columns: usize) -> Result<Piece, EngineError> {
        let weight = self.tensor(&format!("{name}.weight"), &[rows, columns])?;
        let bias = format!("{name}.bias");
        let bias = self.gguf.has_tensor(&bias).then(|| self.tensor(&bias, &[rows])).transpose()?;
        if !columns.is_multiple_of(MatrixFormat::of(weight.dtype).column_multiple()) {
            let rule = "a multiple of 32 for quantised weights, of 8 for others";
            let what = "the number of a matrix's columns";
            return Err(EngineError::Unsupported { what, found: columns, rule });
        }
        Ok(Piece { weight, bias, rows: 0..rows })
    }

    fn norm(&self, name: &str) -> Result<NormSource, EngineError> {
        let size = self.config.hidden_size;
        let weight = self.tensor(&format!("{name}.weight"), &[size])?;
        let bias = match self.config.norm {
            Norm::RmsNorm => None,
            Norm::LayerNorm => Some(self.tensor(&format!("{name}.bias"), &[size])?),
        };
        Ok(NormSource { weight, bias })
    }

    /// Queries, keys and values, from one tensor or from three.
    fn query_key_value(&self, prefix: &str) -> Result<LinearSource, EngineError> {
        let config = self.config;
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let columns = config.hidden_size;
        let pieces = match self.gguf.has_tensor(&format!("{prefix}.attn_qkv.weight")) {
            true => vec![self.piece(&format!("{prefix}.attn_qkv"), query + 2 * kv, columns)?],
            false => vec![
                self.piece(&format!("{prefix}.attn_q"), query, columns)?,
                self.piece(&format!("{prefix}.attn_k"), kv, columns)?,
                self.piece(&format!("{prefix}.attn_v"), kv, columns)?,
            ],
        };
        let order = match config.rope_style {
            RopeStyle::Interleaved => RowOrder::Stacked,
            RopeStyle::Halves => RowOrder::Paired {
                rows: query + kv,
                head_dim: config.head_dim,
                rotary_dim: config.rotary_dim,
            },
        };
        Ok(LinearSource { pieces, order })
    }

    fn block(&self, layer: usize) -> Result<BlockSource, EngineError> {
        let config = self.config;
        let prefix = format!("blk.{layer}");
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let heads = config.num_attention_heads * config.head_dim;
        let piece =
            |name: &str, rows, columns| self.piece(&format!("{prefix}.{name}"), rows, columns);
        let mlp_norm = (!config.parallel_block)
            .then(|| self.norm(&format!("{prefix}.ffn_norm")))
            .transpose()?;
        let up = piece("ffn_up", inner, hidden)?;
        Ok(BlockSource {
            attention_norm: self.norm(&format!("{prefix}.attn_norm"))?,
            query_key_value: self.query_key_value(&prefix)?,
            attention_output: LinearSource::one(piece("attn_output", hidden, heads)?),
            mlp_norm,
            up: match config.mlp {
                Mlp::SwiGlu => LinearSource {
                    pieces: vec![piece("ffn_gate", inner, hidden)?, up],
                    order: RowOrder::Alternating,
                },
                Mlp::GeluTanh => LinearSource::one(up),
            },
            down: LinearSource::one(piece("ffn_down", hidden, inner)?),
        })
    }
}

/// The rows of a piece's tensor that some rows of a matrix come from.
pub(crate) fn span(origins: &[(usize, usize)], piece: usize) -> Option<Range<usize>> {
    let rows = || origins.iter().filter(|(from, _)| *from == piece).map(|(_, row)| *row);
    Some(rows().min()?..rows().max()? + 1)
}

#[cfg(test)]
mod tests {
    use hangtag_weights::DType;

    use super::*;

    fn source(rows: &[usize], order: RowOrder) -> LinearSource {
        let piece = |&rows: &usize| Piece {
            weight: TensorInfo {
                name: String::new(),
                shape: vec![rows, 32],
                dtype: DType::F32,
                offset: 0,
                shard: 0,
            },
            bias: None,
            rows: 0..rows,
        };
        LinearSource { pieces: rows.iter().map(piece).collect(), order }
    }

    fn origins(source: &LinearSource) -> Vec<(usize, usize)> {
        (0..source.num_rows()).map(|row| source.origin(row)).collect()
    }

    #[test]
    fn stacked_rows_follow_each_other() {
        let source = source(&[2, 1, 2], RowOrder::Stacked);
        assert_eq!(origins(&source), [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]);
    }

    #[test]
    fn alternating_rows_take_turns() {
        let source = source(&[2, 2], RowOrder::Alternating);
        assert_eq!(origins(&source), [(0, 0), (1, 0), (0, 1), (1, 1)]);
        assert_eq!(span(&origins(&source)[1..], 1), Some(0..2));
        assert_eq!(span(&origins(&source)[..1], 1), None);
    }

    /// A head of 6 of which 4 are rotated: 0 with 2 and 1 with 3, in queries and keys but not in values.
    #[test]
    fn paired_rows_stand_beside_what_they_turn_with() {
        let order = RowOrder::Paired { rows: 12, head_dim: 6, rotary_dim: 4 };
        let source = source(&[6, 6, 6], order);
        let turned = [0, 2, 1, 3, 4, 5];
        let expected = [turned, turned, [0, 1, 2, 3, 4, 5]];
        let expected = expected.iter().enumerate().flat_map(|(p, rows)| rows.map(|row| (p, row)));
        assert_eq!(origins(&source), expected.collect::<Vec<_>>());
    }
}
