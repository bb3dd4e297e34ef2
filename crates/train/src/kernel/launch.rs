//! How an operation asks for its CUDA kernel, whether this build has CUDA or not.

use candle_core::{Result, Tensor};

/// One argument of a kernel, in the kernel's order.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only a launch reads it"))]
pub(super) enum Arg<'a> {
    /// A tensor; its kernel sees the pointer.
    In(&'a Tensor),
    /// A tensor that may be missing; the kernel sees null.
    Maybe(Option<&'a Tensor>),
    /// The output of this number.
    Out(usize),
    /// Null where an output is not wanted.
    Null,
    I32(usize),
    U32(u32),
    /// A number of things that fits 32 bits.
    Count(usize),
    I64(usize),
    U64(u64),
    F32(f32),
}

/// How many threads run a kernel.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only a launch reads it"))]
pub(super) enum Grid {
    /// This many blocks of 256 threads, each with this many bytes of shared memory.
    Blocks(usize, usize),
    /// One thread for each of this many things.
    Threads(usize),
}

#[cfg(feature = "cuda")]
pub(super) use super::cuda::launch;

/// Without CUDA no tensor is on such a device.
#[cfg(not(feature = "cuda"))]
pub(super) fn launch(
    _: &candle_core::CudaDevice,
    name: &str,
    _: candle_core::DType,
    _: &Grid,
    _: &[Arg<'_>],
    _: &[(candle_core::Shape, candle_core::DType)],
) -> Result<Vec<Tensor>> {
    candle_core::bail!("{name}: this build has no CUDA")
}

/// Threads that handle four neighbours each.
///
/// # Errors
/// When rows are no multiple of four long; the layers of all supported models are.
pub(super) fn by_four(count: usize, width: usize) -> Result<Grid> {
    if !width.is_multiple_of(4) {
        candle_core::bail!(
            "rows of {width} numbers are no multiple of four, which the CUDA kernels want"
        );
    }
    Ok(Grid::Threads(count / 4))
}
