//! The device: what it offers (the tier), its buffers, and how results come back.
//!
//! Everything that differs between GPUs is decided here and nowhere else.

use std::sync::{Arc, Mutex};

use bytemuck::Pod;

use crate::error::EngineError;
use crate::tuning::Class;

/// Size of the buffers that try whether there is room.
const ROOM_BUFFER_BYTES: u64 = 128 << 20;

/// What a device offers beyond WebGPU's baseline. It only changes speed: buffers hold the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier {
    /// Reductions inside a subgroup.
    pub subgroups: bool,
    /// Products of four bytes at once.
    pub integer_dot: bool,
}

impl Tier {
    /// What every WebGPU device has.
    pub const BASELINE: Tier = Tier { subgroups: false, integer_dot: false };
}

/// How to choose the device.
#[derive(Debug, Clone, Copy, Default)]
pub struct GpuOptions {
    /// Use no optional feature and WebGPU's default limits, whatever the GPU offers.
    pub baseline: bool,
}

/// A GPU in words and figures.
#[derive(Debug, Clone)]
pub struct GpuInfo {
    /// The adapter's name; browsers may hide it.
    pub name: String,
    /// Vulkan, Metal, Dx12 or BrowserWebGpu.
    pub backend: String,
    /// The driver and its version, where known.
    pub driver: String,
    /// True for a CPU that plays the GPU, such as lavapipe and SwiftShader.
    pub is_software: bool,
    /// Whose tuning it takes.
    pub class: Class,
    /// Optional features in use.
    pub tier: Tier,
    /// The largest buffer that a shader may see, in bytes.
    pub max_binding_bytes: u64,
}

/// What a program has of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuUsage {
    /// Buffers.
    pub buffers: usize,
    /// Bind groups, pipelines, shaders, layouts, and commands that are not done.
    pub other_objects: usize,
    /// Bytes of GPU memory, where the backend knows.
    pub allocated_bytes: Option<u64>,
}

/// An open device.
#[derive(Debug)]
pub struct Gpu {
    #[cfg(not(target_arch = "wasm32"))]
    instance: wgpu::Instance,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    info: GpuInfo,
    failure: Arc<Mutex<Option<Failure>>>,
}

#[derive(Debug, Clone)]
enum Failure {
    Error(String),
    OutOfMemory,
    Lost(String),
}

impl Gpu {
    /// Opens the most capable GPU.
    ///
    /// # Errors
    /// [`EngineError::NoGpu`] if there is none or it cannot be opened.
    pub async fn request(options: &GpuOptions) -> Result<Gpu, EngineError> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle().with_env());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..Default::default()
            })
            .await
            .map_err(|error| EngineError::NoGpu(error.to_string()))?;
        let tier =
            if options.baseline { Tier::BASELINE } else { offered_tier(&instance, &adapter) };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("hangtag"),
                required_features: features_of(tier),
                required_limits: wanted_limits(&adapter, options),
                ..Default::default()
            })
            .await
            .map_err(|error| EngineError::NoGpu(error.to_string()))?;
        let failure = watch(&device);
        let info = describe(&adapter, &device, tier);
        Ok(Gpu {
            #[cfg(not(target_arch = "wasm32"))]
            instance,
            device,
            queue,
            info,
            failure,
        })
    }

    /// The device in words and figures.
    #[must_use]
    pub fn describe(&self) -> &GpuInfo {
        &self.info
    }

    /// What the program has of the device now, its models included; for tests. A browser does not tell.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn usage(&self) -> Option<GpuUsage> {
        let hub = self.instance.generate_report()?.hub;
        let others = [
            &hub.bind_groups,
            &hub.bind_group_layouts,
            &hub.compute_pipelines,
            &hub.pipeline_layouts,
            &hub.shader_modules,
            &hub.command_encoders,
            &hub.command_buffers,
            &hub.compute_passes,
        ];
        Some(GpuUsage {
            buffers: hub.buffers.num_kept_from_user,
            other_objects: others.iter().map(|report| report.num_kept_from_user).sum(),
            allocated_bytes: self
                .device
                .generate_allocator_report()
                .map(|r| r.total_allocated_bytes),
        })
    }

    /// The error that the device reported since the last call, if any.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let Ok(mut failure) = self.failure.lock() else { return Ok(()) };
        match &*failure {
            None => Ok(()),
            // A lost device stays lost.
            Some(Failure::Lost(text)) => Err(EngineError::DeviceLost(text.clone())),
            Some(Failure::Error(text)) => {
                let error = EngineError::Device(text.clone());
                *failure = None;
                Err(error)
            }
            Some(Failure::OutOfMemory) => {
                *failure = None;
                Err(EngineError::RanOutOfMemory)
            }
        }
    }

    /// A buffer of `bytes` bytes (rounded up to 16) for `usage`, zeroed.
    pub(crate) fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.max(16).next_multiple_of(16),
            usage,
            mapped_at_creation: false,
        })
    }

    /// Whether the GPU would give this much memory now: asks for it and gives it back, so that nothing is read in vain.
    ///
    /// # Errors
    /// What the device reported since the last check.
    pub(crate) async fn has_room(&self, bytes: u64) -> Result<bool, EngineError> {
        let largest = self.info.max_binding_bytes.min(ROOM_BUFFER_BYTES);
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffers: Vec<wgpu::Buffer> = (0..bytes.div_ceil(largest))
            .map(|at| self.storage("room", largest.min(bytes - at * largest)))
            .collect();
        let refusal = scope.pop().await;
        buffers.iter().for_each(wgpu::Buffer::destroy);
        // Browsers free what was destroyed when work that was submitted afterwards is done; an empty submission is none.
        self.uniform("after room", &0_u32);
        self.finish().await?;
        Ok(refusal.is_none())
    }

    /// A storage buffer of `bytes` bytes, zeroed.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC;
        self.buffer(label, bytes, usage)
    }

    /// A storage buffer that holds `values`.
    pub(crate) fn vector(&self, label: &str, values: &[f32]) -> wgpu::Buffer {
        let buffer = self.storage(label, size_of_val(values) as u64);
        self.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(values));
        buffer
    }

    /// A uniform buffer that holds `value`.
    pub(crate) fn uniform<T: Pod>(&self, label: &str, value: &T) -> wgpu::Buffer {
        let bytes = bytemuck::bytes_of(value);
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = self.buffer(label, bytes.len() as u64, usage);
        self.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }

    /// A buffer that results are copied into and read from.
    pub(crate) fn readback(&self, label: &str, bytes: u64) -> wgpu::Buffer {
        self.buffer(label, bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)
    }

    /// Submits what is queued and waits until the GPU has done it.
    ///
    /// # Errors
    /// What the device reported since the last check.
    pub(crate) async fn finish(&self) -> Result<(), EngineError> {
        self.queue.submit([]);
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // The receiver is gone when the caller dropped the future: nobody waits for the result.
            let _ = sender.send(());
        });
        #[cfg(not(target_arch = "wasm32"))]
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            return Err(EngineError::Device(error.to_string()));
        }
        // A sender that was dropped unused means a lost device, which the check tells.
        let _ = receiver.await;
        self.check()
    }

    /// Waits for the work submitted so far, then returns the first `count` values of a readback buffer.
    ///
    /// # Errors
    /// What the device reported since the last check.
    pub(crate) async fn read<T: Pod>(
        &self,
        buffer: &wgpu::Buffer,
        count: usize,
    ) -> Result<Vec<T>, EngineError> {
        let bytes = (count * size_of::<T>()) as u64;
        let slice = buffer.slice(..bytes.max(16).next_multiple_of(16).min(buffer.size()));
        let (sender, receiver) = futures_channel::oneshot::channel();
        slice.map_async(wgpu::MapMode::Read, move |result| {
            // The receiver is gone when the caller dropped the future: nobody waits for the result.
            let _ = sender.send(result);
        });
        #[cfg(not(target_arch = "wasm32"))]
        if let Err(error) = self.device.poll(wgpu::PollType::wait_indefinitely()) {
            return Err(EngineError::Device(error.to_string()));
        }
        let mapped = receiver.await;
        if let Err(error) = self.check() {
            // Left mapped, it could not be used again.
            if matches!(mapped, Ok(Ok(()))) {
                buffer.unmap();
            }
            return Err(error);
        }
        match mapped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(EngineError::Device(error.to_string())),
            Err(_) => return Err(EngineError::DeviceLost("while reading a result".into())),
        }
        let view = slice.get_mapped_range().map_err(|e| EngineError::Device(e.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view[..count * size_of::<T>()]);
        drop(view);
        buffer.unmap();
        Ok(values)
    }
}

fn offered_tier(instance: &wgpu::Instance, adapter: &wgpu::Adapter) -> Tier {
    let features = adapter.features();
    let language = instance.wgsl_language_features();
    Tier {
        subgroups: features.contains(wgpu::Features::SUBGROUP),
        integer_dot: language.contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct),
    }
}

fn features_of(tier: Tier) -> wgpu::Features {
    let mut features = wgpu::Features::empty();
    features.set(wgpu::Features::SUBGROUP, tier.subgroups);
    features
}

/// WebGPU's default limits, with the adapter's own for the sizes of buffers.
fn wanted_limits(adapter: &wgpu::Adapter, options: &GpuOptions) -> wgpu::Limits {
    let defaults = wgpu::Limits::default();
    if options.baseline {
        return defaults;
    }
    let offered = adapter.limits();
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size.max(defaults.max_buffer_size),
        max_storage_buffer_binding_size: offered
            .max_storage_buffer_binding_size
            .max(defaults.max_storage_buffer_binding_size),
        ..defaults
    }
}

fn watch(device: &wgpu::Device) -> Arc<Mutex<Option<Failure>>> {
    let failure = Arc::new(Mutex::new(None));
    let on_error = Arc::clone(&failure);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        if let Ok(mut slot) = on_error.lock() {
            slot.get_or_insert(match error {
                wgpu::Error::OutOfMemory { .. } => Failure::OutOfMemory,
                other => Failure::Error(other.to_string()),
            });
        }
    }));
    let on_loss = Arc::clone(&failure);
    device.set_device_lost_callback(move |reason, text| {
        if let Ok(mut slot) = on_loss.lock() {
            *slot = Some(Failure::Lost(format!("{reason:?}: {text}")));
        }
    });
    failure
}

fn describe(adapter: &wgpu::Adapter, device: &wgpu::Device, tier: Tier) -> GpuInfo {
    let info = adapter.get_info();
    let limits = device.limits();
    let is_software = info.device_type == wgpu::DeviceType::Cpu;
    GpuInfo {
        is_software,
        class: Class::of(info.vendor, &info.name, is_software),
        name: info.name,
        backend: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        tier,
        max_binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use crate::tests::harness::gpu;

    #[test]
    fn usage_counts_what_is_kept_and_no_more() {
        let gpu = pollster::block_on(gpu(false));
        let before = gpu.usage().expect("a native device");
        let buffer = gpu.storage("kept", 1 << 20);
        let kept = gpu.usage().expect("a native device");
        assert_eq!(kept.buffers, before.buffers + 1);
        assert!(kept.allocated_bytes >= before.allocated_bytes.map(|bytes| bytes + (1 << 20)));
        drop(buffer);
        pollster::block_on(gpu.finish()).expect("nothing failed");
        let after = gpu.usage().expect("a native device");
        assert_eq!(after.buffers, before.buffers);
        assert!(after.allocated_bytes <= before.allocated_bytes, "{after:?}, before {before:?}");
    }
}
