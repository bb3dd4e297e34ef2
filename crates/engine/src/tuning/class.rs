use std::fmt;

/// Makers of GPUs whose products are tuned by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // their names
pub enum Class {
    Amd,
    Apple,
    Intel,
    Nvidia,
    /// A processor that plays the GPU, such as lavapipe and SwiftShader.
    Software,
    /// Another's, or one that the browser does not tell.
    Other,
}

impl Class {
    /// The class whose table serves those that were not measured.
    pub const DEFAULT: Self = Self::Nvidia;

    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Amd, Self::Apple, Self::Intel, Self::Nvidia, Self::Software, Self::Other];

    /// By the PCI vendor, or where that is not told by the adapter's name.
    #[must_use]
    pub fn of(vendor: u32, name: &str, is_software: bool) -> Self {
        let name = name.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match vendor {
            _ if is_software => Self::Software,
            0x1002 | 0x1022 => Self::Amd,
            0x106b => Self::Apple,
            0x8086 => Self::Intel,
            0x10de => Self::Nvidia,
            0 if is(&["nvidia", "geforce"]) => Self::Nvidia,
            0 if is(&["amd", "radeon"]) => Self::Amd,
            0 if is(&["intel"]) => Self::Intel,
            0 if is(&["apple"]) => Self::Apple,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd => "amd",
            Self::Apple => "apple",
            Self::Intel => "intel",
            Self::Nvidia => "nvidia",
            Self::Software => "software",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_and_names_tell() {
        assert_eq!(Class::of(0x10de, "", false), Class::Nvidia);
        assert_eq!(Class::of(0, "NVIDIA GeForce RTX 4070", false), Class::Nvidia);
        assert_eq!(Class::of(0, "AMD Radeon RX 7600", false), Class::Amd);
        assert_eq!(Class::of(0, "", false), Class::Other);
        assert_eq!(Class::of(0x10005, "llvmpipe", true), Class::Software);
        assert_eq!(Class::of(0x13b5, "Mali-G78", false), Class::Other);
    }
}
