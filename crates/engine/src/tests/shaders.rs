//! Every shader, for every tier and format, is valid WGSL and matches its declared bindings.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};

use crate::gpu::Tier;
use crate::kernel::{ALL, Access, Inner, Kernel, Variant};
use crate::matrix::MatrixFormat;
use crate::tuning::{FLOAT_FORMS, INTEGER_FORMS};

fn tiers() -> impl Iterator<Item = Tier> {
    [false, true].into_iter().map(|subgroups| Tier { subgroups, integer_dot: true })
}

fn variants() -> impl Iterator<Item = Variant> {
    let of_form =
        |form| MatrixFormat::ALL.map(|format| Variant { format, form, quads: 8 * form.tokens });
    let exact = FLOAT_FORMS.into_iter().flat_map(of_form);
    let integer =
        INTEGER_FORMS.into_iter().filter(|form| form.inner == Inner::Integer).flat_map(of_form);
    exact.chain(integer.filter(|variant| variant.format.has_scales()))
}

fn parse(name: &str, source: &str) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(source)
        .map_err(|error| format!("{name}: {}", error.emit_to_string(source)))?;
    let capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SUBGROUP;
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| format!("{name}: {}", error.emit_to_string(source)))?;
    Ok(module)
}

#[test]
fn every_shader_is_valid_and_keeps_to_the_limits() {
    let mut sources = 0;
    for kernel in ALL {
        for tier in tiers() {
            for variant in variants() {
                let source = kernel.source(tier, variant, false);
                let module = parse(kernel.name, &source).unwrap_or_else(|text| panic!("{text}"));
                check_bindings(kernel, &module);
                check_limits(kernel, &module);
                sources += 1;
            }
        }
    }
    assert_eq!(sources, ALL.len() * 2 * variants().count());
    assert_eq!(shader_files(), ALL.len(), "a shader file that no kernel names, or the reverse");
}

#[test]
fn an_invalid_shader_is_noticed() {
    let variant = Variant { format: MatrixFormat::F32, form: FLOAT_FORMS[0], quads: 16 };
    let good = crate::kernel::GATHER_ROWS.source(Tier::BASELINE, variant, false);
    assert!(parse("good", &good).is_ok());
    assert!(parse("bad", &good.replace("= input[", "= step + input[")).is_err());
}

fn shader_files() -> usize {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shader");
    std::fs::read_dir(folder)
        .expect("the shaders' folder")
        .filter(|entry| entry.as_ref().is_ok_and(|e| e.path().extension() == Some("wgsl".as_ref())))
        .count()
}

/// Bindings that the shader uses are those that the kernel declares. It may use fewer.
fn check_bindings(kernel: &Kernel, module: &naga::Module) {
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding.filter(|b| b.group == 0) else { continue };
        let declared = match binding.binding {
            0 => AddressSpace::Uniform,
            n => match kernel.bindings[n as usize - 1] {
                Access::Uniform => AddressSpace::Uniform,
                Access::Read => AddressSpace::Storage { access: StorageAccess::LOAD },
                Access::ReadWrite => {
                    AddressSpace::Storage { access: StorageAccess::LOAD | StorageAccess::STORE }
                }
            },
        };
        assert_eq!(variable.space, declared, "{} binding {}", kernel.name, binding.binding);
    }
}

/// WebGPU's default limits: 8 storage buffers a stage, 256 invocations, 16 KiB workgroup memory, and at most 64 invocations deep.
fn check_limits(kernel: &Kernel, module: &naga::Module) {
    let storage = kernel.bindings.iter().filter(|access| **access != Access::Uniform).count();
    assert!(storage <= 8, "{}: too many storage buffers", kernel.name);
    let entry = &module.entry_points[0];
    assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{}", kernel.name);
    assert!(entry.workgroup_size[2] <= 64, "{}", kernel.name);
    let shared: u32 = module
        .global_variables
        .iter()
        .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup)
        .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
        .sum();
    assert!(shared <= 16 << 10, "{}: {shared} bytes of workgroup memory", kernel.name);
}
