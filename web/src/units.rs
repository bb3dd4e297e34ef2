//! Numbers as people read them: the decimal mark and the groups of digits are the language's, as `Intl` has them.

use crate::words::Language;

/// What stands between whole and fraction, and between groups of three digits.
fn marks(language: Language) -> (char, char) {
    match language {
        Language::English => ('.', ','),
        Language::Dutch => (',', '.'),
    }
}

/// Decimal units, as browsers and shops count them: "98.4 MB".
pub fn bytes(language: Language, count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let (mut value, mut unit) = (count as f64 / 1e3, 0);
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{} {}", decimal(language, value, 1), UNITS[unit])
}

/// "0.84 s", "12.3 s", "3 min 20 s".
pub fn seconds(language: Language, value: f64) -> String {
    if value < 9.995 {
        format!("{} s", decimal(language, value, 2))
    } else if value < 99.95 {
        format!("{} s", decimal(language, value, 1))
    } else {
        let whole = value.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// "1.25": so many digits behind the decimal mark.
pub fn decimal(language: Language, value: f64, digits: usize) -> String {
    let (mark, _) = marks(language);
    let plain = format!("{value:.digits$}");
    match plain.split_once('.') {
        Some((whole, fraction)) => format!("{}{mark}{fraction}", grouped(language, whole)),
        None => grouped(language, &plain),
    }
}

/// "12,345": thousands apart.
pub fn count(language: Language, value: usize) -> String {
    grouped(language, &value.to_string())
}

fn grouped(language: Language, digits: &str) -> String {
    let (_, mark) = marks(language);
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(mark);
        }
        grouped.push(digit);
    }
    grouped
}

/// "1 feature", "12 features". All languages here have these two forms.
pub fn plural(language: Language, value: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(language, value), if value == 1 { one } else { many })
}

/// Whole percent, 0 to 100; never 100 before the end.
pub fn percent(done: f64, total: f64) -> usize {
    if total <= 0.0 {
        return 0;
    }
    (100.0 * done / total).floor().clamp(0.0, 100.0) as usize
}

#[cfg(test)]
mod tests {
    use super::Language::{Dutch, English};
    use super::*;

    #[test]
    fn units_change_where_they_should() {
        assert_eq!(bytes(English, 999), "999 bytes");
        assert_eq!(bytes(English, 98_362_432), "98.4 MB");
        assert_eq!(bytes(English, 999_990), "1.0 MB");
        assert_eq!(seconds(English, 0.5), "0.50 s");
        assert_eq!(seconds(English, 12.34), "12.3 s");
        assert_eq!(seconds(English, 200.4), "3 min 20 s");
        assert_eq!(count(English, 0), "0");
        assert_eq!(count(English, 200_000), "200,000");
        assert_eq!(plural(English, 1, "feature", "features"), "1 feature");
        assert_eq!(percent(0.0, 0.0), 0);
        assert_eq!(percent(199.0, 200.0), 99);
    }

    #[test]
    fn each_language_has_its_own_marks() {
        assert_eq!(bytes(Dutch, 98_362_432), "98,4 MB");
        assert_eq!(bytes(Dutch, 12_345_600_000_000_000), "12.345,6 TB");
        assert_eq!(bytes(English, 12_345_600_000_000_000), "12,345.6 TB");
        assert_eq!(seconds(Dutch, 0.5), "0,50 s");
        assert_eq!(decimal(Dutch, 1_234_567.25, 2), "1.234.567,25");
        assert_eq!(decimal(Dutch, 999.6, 0), "1.000");
        assert_eq!(count(Dutch, 200_000), "200.000");
        assert_eq!(plural(Dutch, 1_000, "kenmerk", "kenmerken"), "1.000 kenmerken");
        assert_eq!(plural(Dutch, 0, "kenmerk", "kenmerken"), "0 kenmerken");
    }
}
