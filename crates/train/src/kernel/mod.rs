//! The operations of training that candle lacks, or has in slower pieces, each with its backward pass.
//!
//! Each exists twice: in plain loops over f32 here, for the CPU, and as a CUDA kernel of the same name in `cuda/`, compiled
//! when the program starts, for bf16 or f32. Tensors are contiguous; shapes stand in comments.

mod activation;
mod attention;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod cuda;
mod gemm;
mod heads;
mod launch;
mod lora;
mod norm;
mod optimizer;
mod quantize;
mod rows;

#[cfg(test)]
mod tests;

pub(crate) use activation::{gelu, gelu_backward, swiglu, swiglu_backward};
pub(crate) use attention::{Mask, masked_softmax, softmax_backward};
pub(crate) use cross_entropy::{cross_entropy, likeliest};
pub(crate) use gemm::{Op, gemm, gemm_add};
pub(crate) use heads::{
    HeadShape, Rotation, merge_heads, merge_heads_backward, split_heads, split_heads_backward,
};
pub(crate) use lora::{Parts, block_diagonal, diagonal_blocks, dropout};
pub(crate) use norm::{Addends, NormParams, add_norm, norm_backward};
pub(crate) use optimizer::{AdamwStep, Moments, adamw};
pub(crate) use quantize::{dequantize, fake_quantize_q4_0};
pub(crate) use rows::gather_rows;

use candle_core::{Device, Result, Shape, Tensor};

/// Stands for "no row" among indices.
pub(crate) const NOTHING: u32 = u32::MAX;

/// The numbers of a tensor on the CPU.
fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn indices(tensor: &Tensor) -> Result<Vec<u32>> {
    tensor.flatten_all()?.to_vec1()
}

fn optional_floats(tensor: Option<&Tensor>) -> Result<Option<Vec<f32>>> {
    tensor.map(floats).transpose()
}

fn on_cpu(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// Runs `on_cpu` for tensors of the CPU, else the CUDA launch.
macro_rules! dispatch {
    ($device:expr, $cpu:expr, $cuda:expr) => {
        match $device {
            candle_core::Device::Cpu => $cpu,
            candle_core::Device::Cuda(device) =>
            {
                #[allow(clippy::redundant_closure_call)]
                $cuda(device)
            }
            _ => candle_core::bail!("training runs on the CPU or on CUDA"),
        }
    };
}
use dispatch;
