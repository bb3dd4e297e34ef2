//! The device that trains.

use candle_core::Device;

use crate::TrainError;

/// Which device to train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// The first NVIDIA GPU.
    Cuda,
    /// The processor: for small models and trials.
    Cpu,
}

/// Opens a device.
///
/// # Errors
/// When this program was built without CUDA, or there is no NVIDIA GPU.
pub fn open_device(kind: DeviceKind) -> Result<Device, TrainError> {
    match kind {
        DeviceKind::Cpu => Ok(Device::Cpu),
        #[cfg(feature = "cuda")]
        DeviceKind::Cuda => cuda::open(),
        #[cfg(not(feature = "cuda"))]
        DeviceKind::Cuda => Err(TrainError::NoCuda {
            problem: "this hangtag was built without CUDA; build it with --features cuda, or train with --device cpu"
                .to_owned(),
        }),
    }
}

/// Bytes of the device's memory in use by all programs; `None` on the CPU.
pub fn memory_in_use(device: &Device) -> Option<u64> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => cuda::memory_in_use(),
        _ => None,
    }
}

/// Hands freed memory, which is kept for the next allocation, back to the device.
pub(crate) fn release_memory(device: &Device) {
    #[cfg(feature = "cuda")]
    if matches!(device, Device::Cuda(_)) {
        cuda::release_memory();
    }
    #[cfg(not(feature = "cuda"))]
    let _ = device;
}

#[cfg(feature = "cuda")]
mod cuda {
    use candle_core::Device;
    use cudarc::driver::{result, sys};

    use crate::TrainError;

    pub(super) fn open() -> Result<Device, TrainError> {
        let device = Device::new_cuda(0).map_err(|error| TrainError::NoCuda {
            problem: format!("no NVIDIA GPU can be used ({error}); train with --device cpu, or see that nvidia-smi works"),
        })?;
        if let Device::Cuda(cuda) = &device {
            // SAFETY: everything here runs on the one stream that candle uses, in order.
            unsafe { cuda.disable_event_tracking() };
        }
        keep_freed_memory()?;
        Ok(device)
    }

    /// Lets the driver keep freed memory for the next allocation and not hand it back at every synchronisation.
    fn keep_freed_memory() -> Result<(), TrainError> {
        let mut keep = u64::MAX;
        // SAFETY: device 0 was just opened, and the attribute's value is a 64-bit number.
        let done = unsafe {
            result::device::get(0)
                .and_then(|device| result::device::get_default_mem_pool(device))
                .and_then(|pool| {
                    result::mem_pool::set_attribute(
                        pool,
                        sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                        (&raw mut keep).cast(),
                    )
                })
        };
        done.map_err(|error| TrainError::NoCuda {
            problem: format!("setting up the GPU's memory: {error:?}"),
        })
    }

    pub(super) fn release_memory() {
        // SAFETY: device 0 is open, and its pool lives as long as it.
        let trimmed = unsafe {
            result::device::get(0)
                .and_then(|device| result::device::get_default_mem_pool(device))
                .and_then(|pool| result::mem_pool::trim_to(pool, 0))
        };
        // What could not be handed back only counts as used.
        let _ = trimmed;
    }

    pub(super) fn memory_in_use() -> Option<u64> {
        result::mem_get_info().ok().map(|(free, total)| (total - free) as u64)
    }
}
