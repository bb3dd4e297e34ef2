//! The compute kernels: one `.wgsl` file under `shader/` and one plain-Rust twin of the same name each.
//!
//! A twin computes the same function in plain loops and is what the kernel is tested against. A
//! kernel's shader is its own file behind the shared ones it names; the tier picks between shared files
//! of equal meaning, so a kernel is written once.

use std::borrow::Cow;
use std::fmt;

use crate::gpu::{Gpu, Tier};
use crate::matrix::MatrixFormat;
use crate::tuning::FLOAT_FORMS;

pub mod attention;
pub mod elementwise;
pub mod embed;
pub mod limits;
pub mod norm;
pub mod product;
pub mod sample;

/// What a binding of group 0 is. Binding 0 is always the uniform with the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read-only storage.
    Read,
    /// Read-write storage.
    ReadWrite,
    /// A uniform besides the parameters.
    Uniform,
}

/// What a kernel needs of the files under `shader/shared`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// `step.wgsl`
    Step,
    /// `token.wgsl`
    Token,
    /// The constant QUADS
    Quads,
    /// `half.wgsl`
    Half,
    /// `reduce_subgroups.wgsl` or `reduce_baseline.wgsl`
    Reduce,
    /// `matrix.wgsl` and the file of the matrix's format
    Matrix,
    /// `product.wgsl`, whose `store` is the kernel's own, and the file of the form's [`Inner`]
    Product,
}

/// A kernel, before it is compiled.
#[derive(Debug)]
pub struct Kernel {
    /// Name of the shader file and of the twin.
    pub name: &'static str,
    source: &'static str,
    shared: &'static [Shared],
    /// The bindings of group 0, from binding 1 on.
    pub bindings: &'static [Access],
}

/// How a thread comes by weights and input, and in what it multiplies them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inner {
    /// In f32, straight from the buffers (`product_float.wgsl`).
    Float,
    /// In f32, from workgroup memory, 4 or 8 tokens a thread (`product_tiled.wgsl`).
    Tiled,
    /// In bytes, to which the input is rounded; of formats with scales only (`product_integer.wgsl`).
    Integer,
}

/// How much of a product a workgroup and a thread compute, and in what (product.wgsl).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    /// Fours of rows of a workgroup; 16 make a tile.
    pub lanes: u32,
    /// Slices of the columns.
    pub split: u32,
    /// Groups of tokens of a workgroup.
    pub groups: u32,
    /// Tokens of a thread.
    pub tokens: u32,
    /// How it multiplies.
    pub inner: Inner,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Form { lanes, split, groups, tokens, inner } = self;
        let kind = match inner {
            Inner::Float => "float",
            Inner::Tiled => "tiled",
            Inner::Integer => "integer",
        };
        write!(f, "{kind}({lanes}, {split}, {groups}, {tokens})")
    }
}

/// Blocks of rounded input that a workgroup keeps, of 40 bytes each: half of the memory that every device gives it.
const MAX_BLOCKS: u32 = 256;
/// Columns that a workgroup keeps of its rows and tokens, in tiles.
const TILE_COLUMNS: u32 = 16;
/// Of workgroup memory, what every device gives.
const WORKGROUP_BYTES: u32 = 16_384;

impl Form {
    /// Workgroups for `rows` rows and `tokens` tokens.
    #[must_use]
    pub fn grid(self, rows: usize, tokens: usize) -> (u32, u32) {
        let token_block = (self.groups * self.tokens) as usize;
        (rows.div_ceil(4 * self.lanes as usize) as u32, tokens.div_ceil(token_block) as u32)
    }

    /// Whether every device can run it: the threads of a workgroup and their memory are limited.
    #[must_use]
    pub fn fits(self) -> bool {
        let Form { lanes, split, groups, tokens, inner } = self;
        let threads = lanes * split * groups;
        let fits = match inner {
            Inner::Float => true,
            Inner::Tiled => {
                let tiles = 4 * TILE_COLUMNS * split * (4 * lanes + groups * tokens);
                matches!(tokens, 4 | 8) && tiles + 16 * threads <= WORKGROUP_BYTES
            }
            Inner::Integer => split * groups * tokens <= MAX_BLOCKS,
        };
        threads <= 256 && fits
    }

    fn constants(self) -> String {
        let Form { lanes, split, groups, tokens, .. } = self;
        let blocks = (MAX_BLOCKS / (split * groups * tokens)).clamp(1, 4);
        format!(
            "const LANES: u32 = {lanes}u;\nconst SPLIT: u32 = {split}u;\n\
             const GROUPS: u32 = {groups}u;\nconst TOKENS: u32 = {tokens}u;\nconst BLOCKS: u32 = {blocks}u;\n"
        )
    }
}

/// Which of a kernel's shaders: what it reads and how it shares the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The matrix's format.
    pub format: MatrixFormat,
    /// A product's form.
    pub form: Form,
    /// Attention: vec4 of a head, 1 to 64.
    pub quads: u32,
}

/// The variant of kernels that have one only.
pub(crate) const PLAIN: Variant =
    Variant { format: MatrixFormat::F32, form: FLOAT_FORMS[0], quads: 1 };

macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!("../../shader/", $name, ".wgsl"))
    };
}

macro_rules! kernels {
    ($($constant:ident = $name:literal, [$($shared:ident),*], [$($access:ident),*];)*) => {
        $(
            #[doc = concat!("`", $name, ".wgsl`")]
            pub static $constant: Kernel = Kernel {
                name: $name,
                source: shader!($name),
                shared: &[$(Shared::$shared),*],
                bindings: &[$(Access::$access),*],
            };
        )*
        /// Every kernel.
        pub static ALL: &[&Kernel] = &[$(&$constant),*];
    };
}

kernels! {
    EMBED = "embed", [Step, Matrix], [Read, Read, Read, ReadWrite];
    RMS_NORM = "rms_norm", [Reduce], [Read, Read, ReadWrite];
    LAYER_NORM = "layer_norm", [Reduce], [Read, Read, Read, ReadWrite];
    PRODUCT = "product", [Step, Matrix, Product], [Read, Read, Read, Read, ReadWrite];
    PRODUCT_SWIGLU = "product_swiglu", [Step, Matrix, Product], [Read, Read, Read, Read, ReadWrite];
    PRODUCT_GELU = "product_gelu", [Step, Matrix, Product], [Read, Read, Read, Read, ReadWrite];
    PRODUCT_ROTARY = "product_rotary", [Step, Token, Half, Matrix, Product],
        [Read, Read, Read, Read, Read, Read, ReadWrite, ReadWrite, Uniform];
    ATTENTION = "attention", [Step, Token, Quads, Half], [Read, Read, Read, ReadWrite];
    GATHER_ROWS = "gather_rows", [Step], [Read, Read, ReadWrite];
    SAMPLE = "sample", [Step], [Read, Read, ReadWrite];
    COPY = "copy", [], [Read, ReadWrite];
    MULTIPLY_ADD = "multiply_add", [], [ReadWrite];
}

impl Kernel {
    /// The kernel's WGSL for a tier and a variant.
    ///
    /// `directives` is true for browsers, where `enable subgroups;` must be said and naga, which
    /// refuses that line, does not read the source.
    #[must_use]
    pub fn source(&self, tier: Tier, variant: Variant, directives: bool) -> String {
        let uses = |shared| self.shared.contains(&shared);
        let constants = variant.form.constants();
        let quads = format!("const QUADS: u32 = {}u;\n", variant.quads);
        let mut parts: Vec<&str> = Vec::new();
        if uses(Shared::Reduce) && tier.subgroups && directives {
            parts.push("enable subgroups;\n");
        }
        for shared in self.shared {
            match shared {
                Shared::Step => parts.push(shader!("shared/step")),
                Shared::Token => parts.push(shader!("shared/token")),
                Shared::Quads => parts.push(&quads),
                Shared::Half => parts.push(shader!("shared/half")),
                Shared::Reduce if tier.subgroups => parts.push(shader!("shared/reduce_subgroups")),
                Shared::Reduce => parts.push(shader!("shared/reduce_baseline")),
                Shared::Matrix => {
                    parts.extend([shader!("shared/matrix"), format_source(variant.format)])
                }
                Shared::Product => parts.extend([
                    &constants,
                    shader!("shared/product"),
                    inner_source(variant.form.inner),
                ]),
            }
        }
        parts.push(self.source);
        parts.join("\n")
    }

    /// Compiles the kernel for a device.
    #[must_use]
    pub fn compile(&self, gpu: &Gpu, variant: Variant) -> Pipeline {
        let source = self.source(gpu.describe().tier, variant, cfg!(target_arch = "wasm32"));
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(self.name),
            source: wgpu::ShaderSource::Wgsl(Cow::Owned(source)),
        };
        // A counter in every loop would keep drivers from unrolling. Accesses stay checked.
        let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..Default::default() };
        // SAFETY: every loop of our shaders steps a counter towards a bound that it does not change, so it ends.
        let module = unsafe { gpu.device.create_shader_module_trusted(descriptor, checks) };
        let layout = self.layout(gpu);
        let step = step_layout(gpu);
        let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(self.name),
            bind_group_layouts: &[Some(&layout), Some(&step)],
            immediate_size: 0,
        });
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(self.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            // Every kernel writes what it reads there; zeroing it costs as much as a small kernel.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { name: self.name, pipeline, layout }
    }

    fn layout(&self, gpu: &Gpu) -> wgpu::BindGroupLayout {
        let storage = self.bindings.iter().enumerate().map(|(i, access)| {
            let ty = match access {
                Access::Uniform => wgpu::BufferBindingType::Uniform,
                Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
            };
            entry(i as u32 + 1, ty)
        });
        let entries: Vec<_> =
            std::iter::once(entry(0, wgpu::BufferBindingType::Uniform)).chain(storage).collect();
        gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(self.name),
            entries: &entries,
        })
    }
}

fn format_source(format: MatrixFormat) -> &'static str {
    match format {
        MatrixFormat::Q4 => shader!("shared/matrix_q4"),
        MatrixFormat::Q8 => shader!("shared/matrix_q8"),
        MatrixFormat::F16 => shader!("shared/matrix_f16"),
        MatrixFormat::F32 => shader!("shared/matrix_f32"),
    }
}

fn inner_source(inner: Inner) -> &'static str {
    match inner {
        Inner::Float => shader!("shared/product_float"),
        Inner::Tiled => shader!("shared/product_tiled"),
        Inner::Integer => shader!("shared/product_integer"),
    }
}

fn entry(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

/// The layout of group 1: the uniform with what changes from step to step.
fn step_layout(gpu: &Gpu) -> wgpu::BindGroupLayout {
    gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("step"),
        entries: &[entry(0, wgpu::BufferBindingType::Uniform)],
    })
}

/// Binds group 1 to a [`Step`].
pub(crate) fn step_group(gpu: &Gpu, step: &wgpu::Buffer) -> wgpu::BindGroup {
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("step"),
        layout: &step_layout(gpu),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: step.as_entire_binding() }],
    })
}

/// A compiled kernel.
#[derive(Debug)]
pub struct Pipeline {
    name: &'static str,
    pub(crate) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// Binds a kernel's parameters and its storage buffers, in the order of [`Kernel::bindings`].
    pub(crate) fn bind(
        &self,
        gpu: &Gpu,
        params: &wgpu::Buffer,
        buffers: &[&wgpu::Buffer],
    ) -> wgpu::BindGroup {
        let entries: Vec<_> = std::iter::once(&params)
            .chain(buffers.iter())
            .enumerate()
            .map(|(i, buffer)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.name),
            layout: &self.layout,
            entries: &entries,
        })
    }
}

/// What changes from step to step (step.wgsl).
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Step {
    /// Tokens, or selected rows, that a dispatch works on.
    pub count: u32,
    /// 1 if only tokens of the mask may be chosen.
    pub constrained: u32,
}

/// Where a token stands (token.wgsl).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Token {
    /// Its position in its row's text.
    pub position: u32,
    /// Tokens of the shared prefix that it sees: slots `first..first + prefix`. Of a token of the prefix its own slot is the last.
    pub prefix: u32,
    /// The first slot of its row's own segment.
    pub segment: u32,
    /// Its own slot in the KV cache; it sees `segment..=slot`, which is empty for a token of the prefix.
    pub slot: u32,
    /// The first slot of the prefix.
    pub first: u32,
}
