//! Runs one kernel on real buffers and compares.

use bytemuck::Pod;

use crate::gpu::{Gpu, GpuOptions};
use crate::kernel::{Access, Kernel, Pipeline, Step, Variant, step_group};

/// Bytes behind every buffer that no kernel may touch.
const SENTINEL: [u8; 64] = [0xa5; 64];

/// The GPU, with all that it offers or with the baseline only. A machine without one fails the test.
pub async fn gpu(baseline: bool) -> Gpu {
    Gpu::request(&GpuOptions { baseline }).await.expect("these tests need a GPU or lavapipe")
}

/// A kernel's run.
pub struct Run<'a, P> {
    pub kernel: &'static Kernel,
    pub variant: Variant,
    pub params: P,
    /// Contents of the bindings from 1 on.
    pub buffers: Vec<&'a [u8]>,
    pub count: usize,
    pub constrained: bool,
    pub grid: (usize, usize),
}

impl<P: Pod> Run<'_, P> {
    /// The contents of the read-write buffers afterwards, in binding order.
    pub async fn outputs(&self, gpu: &Gpu) -> Vec<Vec<u8>> {
        self.outputs_of(&self.kernel.compile(gpu, self.variant), gpu).await
    }

    /// The same, with a pipeline of this kernel and variant: to compile one takes longer than to run it.
    pub async fn outputs_of(&self, pipeline: &Pipeline, gpu: &Gpu) -> Vec<Vec<u8>> {
        let bound = self.buffers.iter().zip(self.kernel.bindings);
        let storage: Vec<_> = bound.map(|(bytes, access)| upload(gpu, bytes, *access)).collect();
        let params = gpu.uniform("params", &self.params);
        let group = pipeline.bind(gpu, &params, &storage.iter().collect::<Vec<_>>());
        let step = gpu.uniform(
            "step",
            &Step { count: self.count as u32, constrained: u32::from(self.constrained) },
        );
        let step_group = step_group(gpu, &step);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.set_bind_group(1, &step_group, &[]);
        pass.dispatch_workgroups(self.grid.0 as u32, self.grid.1 as u32, 1);
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
        let mut outputs = Vec::new();
        for (i, buffer) in storage.iter().enumerate() {
            let after = download(gpu, buffer, self.buffers[i].len() + SENTINEL.len()).await;
            let (contents, sentinel) = after.split_at(self.buffers[i].len());
            assert_eq!(sentinel, SENTINEL, "{} wrote behind binding {}", self.kernel.name, i + 1);
            if self.kernel.bindings[i] == Access::ReadWrite {
                outputs.push(contents.to_vec());
            } else {
                assert!(contents == self.buffers[i], "{} changed an input", self.kernel.name);
            }
        }
        outputs
    }
}

fn upload(gpu: &Gpu, bytes: &[u8], access: Access) -> wgpu::Buffer {
    let usage = match access {
        Access::Uniform => wgpu::BufferUsages::UNIFORM,
        Access::Read | Access::ReadWrite => wgpu::BufferUsages::STORAGE,
    };
    let copied = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let buffer = gpu.buffer("test", (bytes.len() + SENTINEL.len()) as u64, usage | copied);
    gpu.queue.write_buffer(&buffer, 0, &[bytes, &SENTINEL].concat());
    buffer
}

async fn download(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: usize) -> Vec<u8> {
    let readback = gpu.readback("test", bytes as u64);
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, bytes as u64);
    gpu.queue.submit([encoder.finish()]);
    gpu.read(&readback, bytes).await.expect("the GPU failed")
}

/// The bytes as values; they need not be aligned.
pub fn values<T: Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Fresh numbers on every run; the seed is printed, so that a failure can be repeated.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let seed = RandomState::new().build_hasher().finish() | 1;
        println!("seed {seed}");
        Random(seed)
    }

    /// xorshift64* (Vigna 2016)
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.bits() as usize % limit
    }

    /// Values between -1 and 1.
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.bits() as f32 / (1u32 << 31) as f32 - 1.0).collect()
    }
}

/// Why two results differ, if they do: ‖actual − expected‖ / ‖expected‖ over `tolerance`, or a NaN.
pub fn difference(actual: &[f32], expected: &[f32], tolerance: f64) -> Option<String> {
    if actual.len() != expected.len() {
        return Some(format!("{} values instead of {}", actual.len(), expected.len()));
    }
    if let Some(i) = actual.iter().position(|x| !x.is_finite()) {
        return Some(format!("value {i} is {}, not {}", actual[i], expected[i]));
    }
    let square = |x: f64| x * x;
    let error: f64 =
        actual.iter().zip(expected).map(|(a, e)| square(f64::from(a - e))).sum::<f64>().sqrt();
    let norm = expected.iter().map(|e| square(f64::from(*e))).sum::<f64>().sqrt();
    let relative = error / norm.max(f64::MIN_POSITIVE);
    (relative > tolerance).then(|| format!("relative error {relative:e} over {tolerance:e}"))
}

#[track_caller]
pub fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f64) {
    if let Some(text) = difference(actual, expected, tolerance) {
        panic!("{what}: {text}");
    }
}

/// An async test that runs natively and, in a browser, through wasm-bindgen-test.
macro_rules! gpu_test {
    ($(#[doc = $doc:literal])* async fn $name:ident() $body:block) => {
        $(#[doc = $doc])*
        #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
        #[cfg(target_arch = "wasm32")]
        async fn $name() $body

        $(#[doc = $doc])*
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on(async $body);
        }
    };
}
pub(crate) use gpu_test;
