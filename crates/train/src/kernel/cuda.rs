//! Compiles the kernels of `cuda/` and runs them on candle's stream.

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{CudaView, DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, DType, Result, Shape, Storage, Tensor, bail};
use half::bf16;

use super::launch::{Arg, Grid};

const SOURCES: [&str; 11] = [
    include_str!("cuda/prelude.cu"),
    include_str!("cuda/norm.cu"),
    include_str!("cuda/heads.cu"),
    include_str!("cuda/attention.cu"),
    include_str!("cuda/activation.cu"),
    include_str!("cuda/cross_entropy.cu"),
    include_str!("cuda/rows.cu"),
    include_str!("cuda/lora.cu"),
    include_str!("cuda/optimizer.cu"),
    include_str!("cuda/quantize.cu"),
    include_str!("cuda/fake_quantize.cu"),
];

/// Runs the kernel `name` for activations of type `dtype` and returns its outputs.
///
/// # Errors
/// When the kernels cannot be compiled, an argument is of a kind that they do not take, or the launch fails.
pub(super) fn launch(
    device: &CudaDevice,
    name: &str,
    dtype: DType,
    grid: &Grid,
    args: &[Arg<'_>],
    outputs: &[(Shape, DType)],
) -> Result<Vec<Tensor>> {
    let (module, ptx) = ptx(dtype)?;
    let function = device.get_or_load_custom_func(name, module, ptx)?;
    let outputs: Vec<Tensor> =
        outputs.iter().map(|(shape, dtype)| empty(device, shape, *dtype)).collect::<Result<_>>()?;
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        words.push(match arg {
            Arg::In(tensor) | Arg::Maybe(Some(tensor)) => pointer(device, tensor)?,
            Arg::Out(index) => pointer(device, &outputs[*index])?,
            Arg::Maybe(None) | Arg::Null => 0,
            Arg::I32(value) => {
                u64::from(i32::try_from(*value).map_err(candle_core::Error::wrap)? as u32)
            }
            Arg::U32(value) => u64::from(*value),
            Arg::Count(value) => {
                u64::from(u32::try_from(*value).map_err(candle_core::Error::wrap)?)
            }
            Arg::I64(value) => *value as u64,
            Arg::U64(value) => *value,
            Arg::F32(value) => u64::from(value.to_bits()),
        });
    }
    let config = match *grid {
        Grid::Blocks(blocks, shared_bytes) => LaunchConfig {
            grid_dim: (u32::try_from(blocks).map_err(candle_core::Error::wrap)?, 1, 1),
            block_dim: (256, 1, 1),
            shared_mem_bytes: u32::try_from(shared_bytes).map_err(candle_core::Error::wrap)?,
        },
        Grid::Threads(count) => LaunchConfig {
            grid_dim: (u32::try_from(count.div_ceil(256)).map_err(candle_core::Error::wrap)?, 1, 1),
            block_dim: (256, 1, 1),
            shared_mem_bytes: 0,
        },
    };
    if config.grid_dim.0 == 0 {
        return Ok(outputs);
    }
    let mut builder = function.builder();
    for word in &words {
        builder.arg(word);
    }
    // SAFETY: the arguments are those of the kernel of this name in `cuda/`, in its order (the tests run every one); a
    // word is at least as wide as each parameter and little-endian; all tensors stay alive until the launch is queued,
    // and candle frees memory on the same stream.
    unsafe { builder.launch(config) }.w()?;
    Ok(outputs)
}

/// Memory for a tensor that a kernel will fill.
fn empty(device: &CudaDevice, shape: &Shape, dtype: DType) -> Result<Tensor> {
    let count = shape.elem_count().max(1);
    // SAFETY: whoever launches writes every element before anything reads it.
    let storage = unsafe {
        match dtype {
            DType::BF16 => {
                CudaStorage::wrap_cuda_slice(device.alloc::<bf16>(count)?, device.clone())
            }
            DType::F32 => CudaStorage::wrap_cuda_slice(device.alloc::<f32>(count)?, device.clone()),
            DType::U32 => CudaStorage::wrap_cuda_slice(device.alloc::<u32>(count)?, device.clone()),
            other => bail!("no kernel writes {other:?}"),
        }
    };
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape.clone(), BackpropOp::none(), false))
}

/// Where a contiguous tensor begins on the device.
pub(crate) fn pointer(device: &CudaDevice, tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    if !layout.is_contiguous() {
        bail!("a kernel was given a tensor that is not contiguous: {layout:?}");
    }
    let Storage::Cuda(storage) = &*storage else {
        bail!("a kernel on the GPU was given a tensor of the CPU");
    };
    let stream = device.cuda_stream();
    let offset = layout.start_offset();
    macro_rules! address {
        ($slice:expr) => {{
            let view: CudaView<'_, _> = $slice.slice(offset..);
            let (address, _guard) = view.device_ptr(&stream);
            address
        }};
    }
    Ok(match &storage.slice {
        CudaStorageSlice::BF16(slice) => address!(slice),
        CudaStorageSlice::F32(slice) => address!(slice),
        CudaStorageSlice::U32(slice) => address!(slice),
        CudaStorageSlice::U8(slice) => address!(slice),
        _ => bail!("no kernel reads {:?}", tensor.dtype()),
    })
}

/// The compiled kernels for activations of `dtype`, and the name of their module.
fn ptx(dtype: DType) -> Result<(&'static str, &'static str)> {
    static BF16: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    static F32: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let (module, cell, define) = match dtype {
        DType::BF16 => ("hangtag_bf16", &BF16, "#define BF16\n"),
        DType::F32 => ("hangtag_f32", &F32, ""),
        other => bail!("training computes in BF16 or F32, not {other:?}"),
    };
    match cell.get_or_init(|| compile(define)) {
        Ok(ptx) => Ok((module, ptx)),
        Err(message) => bail!("compiling the CUDA kernels: {message}"),
    }
}

fn compile(define: &str) -> std::result::Result<String, String> {
    let source = format!("{define}{}", SOURCES.join("\n"));
    let options = cudarc::nvrtc::CompileOptions { arch: Some("compute_80"), ..Default::default() };
    let ptx = cudarc::nvrtc::compile_ptx_with_opts(source, options);
    ptx.map(|ptx| ptx.to_src()).map_err(|error| format!("{error:?}"))
}
