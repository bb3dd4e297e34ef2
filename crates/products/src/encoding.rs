//! From bytes to text. Spreadsheets write UTF-8, UTF-16 or the code page of Western Windows, and seldom say which.

use std::borrow::Cow;

use crate::ListError;

/// How a file's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 with some bytes that are not; they are U+FFFD in the text.
    DamagedUtf8,
    /// UTF-16, either byte order.
    Utf16,
    /// Windows-1252, which has Latin-1 within it.
    Windows1252,
}

impl Encoding {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::DamagedUtf8 => "UTF-8 with damaged places",
            Self::Utf16 => "UTF-16",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// What the bytes 0x80 to 0x9F are in Windows-1252 (the WHATWG index). All others are the code points of their number.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// The text of `bytes`, without a byte order mark, and how it was written.
///
/// Bytes that are not UTF-8 are Windows-1252, unless more of them read as letters of UTF-8 than do not.
///
/// # Errors
/// [`ListError::Packed`] and [`ListError::NotText`].
pub fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoding), ListError> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(ListError::Packed);
    }
    if let Some(text) = decode_utf16(bytes) {
        if text.contains('\0') {
            return Err(ListError::NotText);
        }
        return Ok((Cow::Owned(text), Encoding::Utf16));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if bytes.contains(&0) {
        return Err(ListError::NotText);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((Cow::Borrowed(text), Encoding::Utf8));
    }
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    if good > bad {
        return Ok((String::from_utf8_lossy(bytes), Encoding::DamagedUtf8));
    }
    let letter = |&byte: &u8| match byte {
        0x80..=0x9F => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    };
    Ok((Cow::Owned(bytes.iter().map(letter).collect()), Encoding::Windows1252))
}

/// The text, if the bytes have a mark of UTF-16 or every other one of the first is zero, as in Western text.
fn decode_utf16(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(16)];
    let zero = |first: usize| {
        let mut every_other = start.iter().skip(first).step_by(2).peekable();
        start.len() >= 4 && every_other.peek().is_some() && every_other.all(|&byte| byte == 0)
    };
    let (bytes, is_little) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (rest, true),
        [0xFE, 0xFF, rest @ ..] => (rest, false),
        bytes if zero(1) => (bytes, true),
        bytes if zero(0) => (bytes, false),
        _ => return None,
    };
    let units = bytes.chunks(2).map(|pair| match *pair {
        [a, b] if is_little => u16::from_le_bytes([a, b]),
        [a, b] => u16::from_be_bytes([a, b]),
        // Half a unit at a cut end.
        _ => 0xFFFD,
    });
    Some(
        char::decode_utf16(units)
            .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, Encoding) {
        let (text, encoding) = decode(bytes).unwrap();
        (text.into_owned(), encoding)
    }

    /// Against another implementation, byte by byte.
    #[test]
    fn windows_1252_is_as_encoding_rs_has_it() {
        for byte in 0x80..=0xFF {
            let bytes = [b'a', byte, b'\n'];
            let (theirs, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
            assert_eq!(read(&bytes), (theirs.into_owned(), Encoding::Windows1252), "{byte:#x}");
        }
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_its_zeros() {
        let text = "id;text\n1;Größe 👟\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            &little,
            &big,
            &[&[0xFF, 0xFE], &little[..]].concat(),
            &[&[0xFE, 0xFF], &big[..]].concat(),
        ] {
            assert_eq!(read(bytes), (text.to_owned(), Encoding::Utf16));
        }
        assert_eq!(read(&[0xFF, 0xFE, b'a', 0, b'b']).0, "a\u{FFFD}");
    }

    #[test]
    fn one_damaged_byte_does_not_garble_the_other_letters() {
        let damaged = [b"Gr\xFC".as_slice(), "ße Größe é".as_bytes()].concat();
        assert_eq!(read(&damaged), ("Gr\u{FFFD}ße Größe é".to_owned(), Encoding::DamagedUtf8));
        assert_eq!(read(b"Gr\xF6\xDFe").0, "Größe");
        assert_eq!(read("\u{FEFF}Größe".as_bytes()), ("Größe".to_owned(), Encoding::Utf8));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(decode(b"PK\x03\x04rest"), Err(ListError::Packed));
        assert_eq!(decode(b"a\0\0\0b\0c"), Err(ListError::NotText));
        assert_eq!(read(b""), (String::new(), Encoding::Utf8));
    }
}
