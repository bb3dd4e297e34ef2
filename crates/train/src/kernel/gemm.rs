//! Matrix products with an addend, through cuBLAS or candle.

use candle_core::{Result, Tensor};

/// How an operand enters a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// As it is.
    Plain,
    /// Transposed.
    Transposed,
}

impl Op {
    fn apply(self, matrix: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain => Ok(matrix.clone()),
            Self::Transposed => matrix.t(),
        }
    }
}

/// `op(a) · op(b)`; both contiguous matrices, or batches of them.
pub(crate) fn gemm(a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
    op_a.apply(a)?.matmul(&op_b.apply(b)?)
}

/// `sum + op(a) · op(b)`, all contiguous matrices. On a GPU the product is added in place, so `sum` must be the only
/// handle to its numbers.
pub(crate) fn gemm_add(sum: Tensor, a: &Tensor, op_a: Op, b: &Tensor, op_b: Op) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let candle_core::Device::Cuda(device) = sum.device() {
        return cublas::gemm_add(&device.clone(), sum, a, op_a, b, op_b);
    }
    sum + gemm(a, op_a, b, op_b)?
}

#[cfg(feature = "cuda")]
mod cublas {
    use std::ffi::c_void;

    use candle_core::cuda_backend::CudaDevice;
    use candle_core::{DType, Result, Tensor, bail};
    use cudarc::cublas::{result, sys};

    use super::Op;
    use crate::kernel::cuda::pointer;

    /// cuBLAS is column-major: its `b`ᵀ·`a`ᵀ is our `a`·`b`.
    pub(super) fn gemm_add(
        device: &CudaDevice,
        sum: Tensor,
        a: &Tensor,
        op_a: Op,
        b: &Tensor,
        op_b: Op,
    ) -> Result<Tensor> {
        let (rows, columns) = sum.dims2()?;
        let (a_rows, a_columns) = a.dims2()?;
        let (b_rows, b_columns) = b.dims2()?;
        let (m, k) = if op_a == Op::Plain { (a_rows, a_columns) } else { (a_columns, a_rows) };
        let (k_b, n) = if op_b == Op::Plain { (b_rows, b_columns) } else { (b_columns, b_rows) };
        if (m, n, k) != (rows, columns, k_b) || a.dtype() != sum.dtype() || b.dtype() != sum.dtype()
        {
            bail!("cannot add {a:?} · {b:?} ({op_a:?}, {op_b:?}) to {sum:?}");
        }
        let dtype = match sum.dtype() {
            DType::BF16 => sys::cudaDataType_t::CUDA_R_16BF,
            DType::F32 => sys::cudaDataType_t::CUDA_R_32F,
            other => bail!("no product of {other:?}"),
        };
        let transpose = |op| match op {
            Op::Plain => sys::cublasOperation_t::CUBLAS_OP_N,
            Op::Transposed => sys::cublasOperation_t::CUBLAS_OP_T,
        };
        let one = 1.0_f32;
        let one: *const c_void = (&raw const one).cast();
        // SAFETY: the shapes were checked above, the matrices are contiguous (`pointer` checks it), and `sum` is ours
        // alone by this function's contract; the work is queued on candle's stream, which also frees memory.
        let done = unsafe {
            result::gemm_ex(
                *device.cublas_handle().handle(),
                transpose(op_b),
                transpose(op_a),
                i32(n)?,
                i32(m)?,
                i32(k)?,
                one,
                pointer(device, b)? as *const c_void,
                dtype,
                i32(b_columns)?,
                pointer(device, a)? as *const c_void,
                dtype,
                i32(a_columns)?,
                one,
                pointer(device, &sum)? as *mut c_void,
                dtype,
                i32(columns)?,
                sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        done.map_err(candle_core::Error::wrap)?;
        Ok(sum)
    }

    fn i32(value: usize) -> Result<i32> {
        i32::try_from(value).map_err(candle_core::Error::wrap)
    }
}
