//! Numbers as people read them.

/// Decimal units, as browsers and shops count them: "98.4 MB".
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let (mut value, mut unit) = (count as f64 / 1e3, 0);
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// "0.84 s", "12.3 s", "3 min 20 s".
pub fn seconds(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2} s")
    } else if value < 99.95 {
        format!("{value:.1} s")
    } else {
        let whole = value.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// "less than a minute", "about 12 minutes", "about 2 hours 10 minutes": what is left of long work.
pub fn rough_duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return "less than a minute".to_owned();
    }
    let minutes = (seconds / 60.0).round() as usize;
    let part = |value, one, many| match value {
        0 => String::new(),
        value => format!(" {}", plural(value, one, many)),
    };
    // Minutes of a long time would only pretend to be exact.
    let of_hour = if minutes < 60 { minutes } else { minutes % 60 / 10 * 10 };
    format!("about{}{}", part(minutes / 60, "hour", "hours"), part(of_hour, "minute", "minutes"))
}

/// "3.2 products a second", "41 products a minute".
pub fn pace(per_second: f64) -> String {
    match per_second {
        fast if fast >= 10.0 => format!("{} products a second", count(fast.round() as usize)),
        some if some >= 1.0 => format!("{some:.1} products a second"),
        slow => plural((60.0 * slow).round() as usize, "product a minute", "products a minute"),
    }
}

/// "12,345": thousands apart.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// "1 feature", "12 features".
pub fn plural(value: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// Whole percent, 0 to 100; never 100 before the end.
pub fn percent(done: f64, total: f64) -> u32 {
    if total <= 0.0 {
        return 0;
    }
    (100.0 * done / total).floor().clamp(0.0, 100.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_change_where_they_should() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(98_362_432), "98.4 MB");
        assert_eq!(bytes(999_990), "1.0 MB");
        assert_eq!(seconds(0.5), "0.50 s");
        assert_eq!(seconds(12.34), "12.3 s");
        assert_eq!(seconds(200.4), "3 min 20 s");
        assert_eq!(rough_duration(59.0), "less than a minute");
        assert_eq!(rough_duration(61.0), "about 1 minute");
        assert_eq!(rough_duration(3_600.0), "about 1 hour");
        assert_eq!(rough_duration(7_980.0), "about 2 hours 10 minutes");
        assert_eq!(pace(41.6), "42 products a second");
        assert_eq!(pace(1.25), "1.2 products a second");
        assert_eq!(pace(0.5), "30 products a minute");
        assert_eq!(count(0), "0");
        assert_eq!(count(200_000), "200,000");
        assert_eq!(plural(1, "feature", "features"), "1 feature");
        assert_eq!(percent(0.0, 0.0), 0);
        assert_eq!(percent(199.0, 200.0), 99);
    }
}
