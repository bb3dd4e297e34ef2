//! How a part of the table is written down, and how the tests read it.

/// A struct of texts: `field,` for a plain one, `field(argument: Type),` for one with numbers or names, which is called like a method.
/// Numbers are given as they are, so that the text chooses its plural and writes them as its language does; all else comes as `&str`.
macro_rules! part {
    ($(#[$about:meta])* $part:ident { $($field:ident $(($($argument:ident: $kind:ty),+))?,)+ }) => {
        $(#[$about])*
        #[allow(missing_docs, reason = "a text says itself what it is for")]
        pub struct $part {
            $(pub $field: part!(@type $($($kind),+)?),)+
        }

        #[allow(missing_docs, reason = "as above")]
        impl $part {
            $($(pub fn $field(&self, $($argument: $kind),+) -> String {
                (self.$field)($($argument),+)
            })?)+

            #[cfg(test)]
            pub(super) fn read(&self, reading: &mut super::part::Reading) {
                $(part!(@read self, reading, $field $($($argument: $kind),+)?);)+
            }
        }
    };
    (@type) => { &'static str };
    (@type $($kind:ty),+) => { fn($($kind),+) -> String };
    (@read $part:ident, $reading:ident, $field:ident) => {
        $reading.plain(stringify!($field), $part.$field)
    };
    (@read $part:ident, $reading:ident, $field:ident $($argument:ident: $kind:ty),+) => {{
        $(let $argument = $reading.sample::<$kind>();)+
        $reading.filled(stringify!($field), $part.$field($($argument),+));
        $(let $argument = <$kind as super::part::Sample>::of(1);)+
        $reading.singular(stringify!($field), $part.$field($($argument),+));
    }};
}

#[cfg(test)]
pub use reading::{Reading, Sample};

#[cfg(test)]
mod reading {
    use crate::units::count;
    use crate::words::Language;

    /// What a text can be given.
    pub trait Sample: Copy {
        /// The one of this number.
        fn of(number: usize) -> Self;
        /// As it must stand in the text.
        fn shown(self, language: Language) -> String;
    }

    impl Sample for usize {
        fn of(number: usize) -> Self {
            number
        }

        fn shown(self, language: Language) -> String {
            count(language, self)
        }
    }

    impl Sample for &str {
        fn of(number: usize) -> Self {
            Box::leak(format!("‹{number}›").into_boxed_str())
        }

        fn shown(self, _: Language) -> String {
            self.to_owned()
        }
    }

    /// Reads a whole table and looks at each text.
    pub struct Reading {
        language: Language,
        given: Vec<String>,
        /// The texts by the names of their fields.
        pub texts: Vec<(&'static str, String)>,
    }

    impl Reading {
        pub fn new(language: Language) -> Self {
            Self { language, given: vec![], texts: vec![] }
        }

        /// The next thing to give to a text.
        pub fn sample<T: Sample>(&mut self) -> T {
            let sample = T::of(2_345 + 1_111 * self.given.len());
            self.given.push(sample.shown(self.language));
            sample
        }

        pub fn plain(&mut self, field: &'static str, text: &str) {
            self.look(field, text);
            self.texts.push((field, text.to_owned()));
        }

        /// A text that was given all samples since the one before.
        pub fn filled(&mut self, field: &'static str, text: String) {
            for given in self.given.drain(..) {
                assert!(text.contains(&given), "{field} does not say {given}: {text:?}");
            }
            self.plain(field, &text);
        }

        /// The same text where each number is one.
        pub fn singular(&mut self, field: &'static str, text: String) {
            self.look(field, &text);
        }

        fn look(&self, field: &str, text: &str) {
            let about = format!("{:?}: {field}: {text:?}", self.language);
            assert!(!text.is_empty() && text.trim() == text, "{about}");
            assert!(!text.contains("  ") && !text.contains(".."), "{about}");
        }
    }
}
