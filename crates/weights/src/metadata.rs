//! The typed key-value pairs of a GGUF file.

use std::collections::BTreeMap;

/// Why a metadata value could not be had. The message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The key is not in the file.
    #[error("metadata has no \"{key}\"")]
    Missing {
        /// The key.
        key: String,
    },
    /// The key is there with a value of another type, or one too large for the type asked.
    #[error("metadata \"{key}\" is {found}, expected {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// What was asked for.
        expected: &'static str,
        /// What the file has.
        found: String,
    },
}

macro_rules! element_types {
    ($($name:ident($type:ty) = $id:literal, $label:literal;)*) => {
        /// One metadata value.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Value {
            $(#[doc = concat!("A value of type ", $label, ".")] $name($type),)*
            /// An array of values of one type.
            Array(Array),
        }

        /// A metadata array; all elements have one type.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Array {
            $(#[doc = concat!("Elements of type ", $label, ".")] $name(Vec<$type>),)*
            /// Arrays of arrays.
            Array(Vec<Array>),
        }

        impl Value {
            /// Name of the value's type.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $label,)*
                    Self::Array(_) => "an array",
                }
            }

            /// The number that stands for the type in a file.
            pub(crate) fn type_id(&self) -> u32 {
                match self {
                    $(Self::$name(_) => $id,)*
                    Self::Array(_) => ARRAY_TYPE_ID,
                }
            }
        }

        impl Array {
            /// Number of elements.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$name(values) => values.len(),)*
                    Self::Array(values) => values.len(),
                }
            }

            /// Name of the type of the elements.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $label,)*
                    Self::Array(_) => "an array",
                }
            }

            /// The number that stands for the type of the elements in a file.
            pub(crate) fn type_id(&self) -> u32 {
                match self {
                    $(Self::$name(_) => $id,)*
                    Self::Array(_) => ARRAY_TYPE_ID,
                }
            }
        }

        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$name(value)
            }
        }

        impl From<Vec<$type>> for Value {
            fn from(values: Vec<$type>) -> Self {
                Self::Array(Array::$name(values))
            }
        })*
    };
}

pub(crate) const ARRAY_TYPE_ID: u32 = 9;

element_types! {
    U8(u8) = 0, "u8";
    I8(i8) = 1, "i8";
    U16(u16) = 2, "u16";
    I16(i16) = 3, "i16";
    U32(u32) = 4, "u32";
    I32(i32) = 5, "i32";
    F32(f32) = 6, "f32";
    Bool(bool) = 7, "bool";
    String(String) = 8, "string";
    U64(u64) = 10, "u64";
    I64(i64) = 11, "i64";
    F64(f64) = 12, "f64";
}

impl Array {
    /// Whether the array has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl Value {
    fn as_integer(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(value) => value.into(),
            Self::I8(value) => value.into(),
            Self::U16(value) => value.into(),
            Self::I16(value) => value.into(),
            Self::U32(value) => value.into(),
            Self::I32(value) => value.into(),
            Self::U64(value) => value.into(),
            Self::I64(value) => value.into(),
            _ => return None,
        })
    }

    fn describe(&self) -> String {
        match self {
            Self::Array(array) => format!("an array of {} {}", array.len(), array.type_name()),
            other => match other.as_integer() {
                Some(number) => format!("{} {number}", other.type_name()),
                None => other.type_name().to_owned(),
            },
        }
    }
}

/// The key-value pairs of a GGUF file. Integers are read whatever their width, as long as the value fits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    values: BTreeMap<String, Value>,
}

macro_rules! getters {
    ($($get:ident, $opt:ident, $type:ty, $expected:literal, $convert:expr;)*) => {
        $(
            #[doc = concat!("The value of `key` as ", $expected, ".")]
            ///
            /// # Errors
            /// When the key is missing or has another type.
            pub fn $get(&self, key: &str) -> Result<$type, MetadataError> {
                self.$opt(key)?.ok_or_else(|| MetadataError::Missing { key: key.to_owned() })
            }

            #[doc = concat!("The value of `key` as ", $expected, ", or `None` when the key is missing.")]
            ///
            /// # Errors
            /// When the key has another type.
            pub fn $opt(&self, key: &str) -> Result<Option<$type>, MetadataError> {
                let convert: fn(&Value) -> Option<$type> = $convert;
                let Some(value) = self.values.get(key) else { return Ok(None) };
                convert(value).map(Some).ok_or_else(|| MetadataError::WrongType {
                    key: key.to_owned(),
                    expected: $expected,
                    found: value.describe(),
                })
            }
        )*
    };
}

impl Metadata {
    /// No pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value` and returns the value it had before.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.values.insert(key.into(), value.into())
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.values.remove(key)
    }

    /// The value of `key`, of whatever type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Whether `key` is there.
    pub fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    getters! {
        get_str, opt_str, &str, "a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        get_u32, opt_u32, u32, "an unsigned 32-bit number", |value| value.as_integer()?.try_into().ok();
        get_u64, opt_u64, u64, "an unsigned 64-bit number", |value| value.as_integer()?.try_into().ok();
        get_f32, opt_f32, f32, "a floating-point number", |value| match value {
            Value::F32(number) => Some(*number),
            Value::F64(number) => Some(*number as f32),
            _ => None,
        };
        get_bool, opt_bool, bool, "a bool", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        };
        get_array, opt_array, &Array, "an array", |value| match value {
            Value::Array(array) => Some(array),
            _ => None,
        };
        get_str_array, opt_str_array, &[String], "an array of strings", |value| match value {
            Value::Array(Array::String(strings)) => Some(strings),
            _ => None,
        };
        get_f32_array, opt_f32_array, &[f32], "an array of f32", |value| match value {
            Value::Array(Array::F32(numbers)) => Some(numbers),
            _ => None,
        };
        get_i32_array, opt_i32_array, &[i32], "an array of i32", |value| match value {
            Value::Array(Array::I32(numbers)) => Some(numbers),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_whatever_their_width_if_they_fit() {
        let mut metadata = Metadata::new();
        metadata.insert("wide", 7_u64);
        metadata.insert("negative", -1_i32);
        metadata.insert("huge", u64::MAX);
        assert_eq!(metadata.get_u32("wide"), Ok(7));
        assert!(metadata.get_u32("negative").is_err());
        assert!(metadata.get_u32("huge").is_err());
        assert_eq!(metadata.get_u64("huge"), Ok(u64::MAX));
    }

    #[test]
    fn errors_name_the_key_and_both_types() {
        let mut metadata = Metadata::new();
        metadata.insert("a", "text");
        metadata.insert("b", vec![1.0_f32, 2.0]);
        assert_eq!(metadata.opt_str("none"), Ok(None));
        let message = |error: MetadataError| error.to_string();
        assert_eq!(message(metadata.get_str("none").unwrap_err()), "metadata has no \"none\"");
        assert_eq!(
            message(metadata.get_bool("a").unwrap_err()),
            "metadata \"a\" is string, expected a bool"
        );
        assert_eq!(
            message(metadata.opt_str_array("b").unwrap_err()),
            "metadata \"b\" is an array of 2 f32, expected an array of strings"
        );
    }
}
